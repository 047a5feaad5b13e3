"""What `migratemailers --write` leaves alone, and why."""

import textwrap

from django.test import SimpleTestCase

from django_mailers.migrate.rewrite import rewritten

from .support.migrate import SourceMixin


class RefusalTests(SourceMixin, SimpleTestCase):
    """Code that is reported and not changed, with the reason."""

    def assertRefused(self, source, *refusals):
        with self.subTest(source=source):
            content = textwrap.dedent(source).encode()
            self.assertEqual(self.rewrite(content), content)
            [path] = self.write({"module.py": source})
            self.assertEqual(
                [finding.refusal for finding in self.audit([path]).findings], list(refusals)
            )

    def test_names_that_are_bound_to_something_else(self):
        self.assertRefused(
            """\
            from django.core.mail import get_connection
            get_connection = cached(get_connection)
            get_connection()
            """,
            "get_connection is used as a value",
            "line 2 binds 'get_connection' to something else",
        )
        self.assertRefused(
            """\
            from django.core import mail
            def f():
                global mail
                mail = None
            mail.get_connection()
            """,
            "line 4 binds 'mail' to something else",
        )
        self.assertRefused(
            """\
            from django.core.mail import send_mail
            for send_mail in []: pass
            send_mail("s", "b", None, [], fail_silently=False)
            """,
            "line 2 binds 'send_mail' to something else",
        )

    def test_conditional_imports(self):
        for imports in (
            "try:\n    from django.core.mail import get_connection\nexcept ImportError: pass\n",
            "if 1:\n    from django.core.mail import get_connection\n",
            "if 1: pass\nelse:\n    from django.core.mail import get_connection\n",
            "while 1:\n    from django.core.mail import get_connection\n",
        ):
            line = imports[: imports.index("from")].count("\n") + 1
            self.assertRefused(
                f"{imports}get_connection()\n", f"the import in line {line} is conditional"
            )
        self.assertRefused(
            """\
            try:
                from django.core.mail import get_connection
            except ImportError:
                get_connection = None
            get_connection()
            """,
            "line 4 binds 'get_connection' to something else",
        )
        self.assertRefused(
            """\
            from django.core.mail import get_connection
            from django.core.mail import get_connection
            get_connection()
            """,
            "line 2 imports 'get_connection' once more",
        )

    def test_star_imports(self):
        self.assertRefused(
            "from django.core.mail import *\nget_connection()\n",
            "line 1 imports * from django.core.mail",
        )
        self.assertRefused(
            "from django.core.mail import get_connection\nfrom x import *\nget_connection()\n",
            "the import of * in line 2 may bind 'get_connection' as well",
        )

    def test_unknown_arguments(self):
        for call in ("get_connection(*a)", "get_connection(**a)"):
            self.assertRefused(
                f"from django.core.mail import get_connection\n{call}\n",
                "the call passes * or **",
            )
        for arguments in (
            "*a, fail_silently=False",
            '"s", "b", None, [], fail_silently=False, **a',
        ):
            self.assertRefused(
                f"from django.core.mail import send_mail\nsend_mail({arguments})\n",
                "the call passes * or **",
            )
        self.assertRefused(
            """\
            from django.core.mail import EmailMessage, get_connection
            EmailMessage(connection=get_connection(**a))
            EmailMessage().send(fail_silently=False, **a)
            """,
            None,
            "the call passes * or **",
            "the call passes * or **",
        )

    def test_values(self):
        for use in (
            "f = get_connection",
            "f = partial(get_connection)",
            "def f(connect=get_connection): pass",
            "f = {'c': get_connection}",
            "get_connection.cache = 1",
        ):
            self.assertRefused(
                f"from django.core.mail import get_connection\n{use}\n",
                "get_connection is used as a value",
            )
        self.assertRefused(
            "from django.core import mail\nf = mail.get_connection\n",
            "get_connection is used as a value",
        )

    def test_a_name_that_is_taken(self):
        for taken, line in [
            ("mailers = []\n", 2),
            ("import mailers\n", 2),
            ("from .x import mailers\n", 2),
            ("def mailers(): pass\n", 2),
            ("class mailers: pass\n", 2),
        ]:
            self.assertRefused(
                f"from django.core.mail import get_connection\n{taken}get_connection()\n",
                f"line {line} binds 'mailers'",
            )
        for taken in (
            "def f(mailers):\n    get_connection()\n",
            "def f(*mailers):\n    get_connection()\n",
            "f = lambda mailers: get_connection()\n",
            "[get_connection() for mailers in ()]\n",
            "with x as (mailers, _):\n    get_connection()\n",
            "match x:\n    case [*mailers]:\n        get_connection()\n",
            "match x:\n    case {**mailers}:\n        get_connection()\n",
            "match x:\n    case 1 as mailers:\n        get_connection()\n",
            "try: pass\nexcept E as mailers:\n    get_connection()\n",
            "(mailers := 1), get_connection()\n",
            "[(mailers := 1) for _ in ()]; get_connection()\n",
            "for mailers in (): get_connection()\n",
        ):
            found = next(
                number for number, line in enumerate(taken.split("\n"), 2) if "mailers" in line
            )
            self.assertRefused(
                f"from django.core.mail import get_connection\n{taken}",
                f"line {found} binds 'mailers'",
            )
        self.assertRefused(
            """\
            from django.core.mail import get_connection
            c = get_connection()
            from django.core.mail import mailers
            """,
            "line 3 binds 'mailers'",
        )

    def test_comments(self):
        self.assertRefused(
            "from django.core.mail import get_connection\nget_connection(  # default\n)\n",
            "there is a comment in the call",
        )
        for call, line in [
            ('send_mail(\n    "s", "b", None, [],\n    fail_silently=False,  # raise\n)', 4),
            ('send_mail(\n    "s", "b", None, [],\n    # raise\n    fail_silently=False,\n)', 4),
            ('send_mail("s", "b", None, [], fail_silently=False  # raise\n)', 2),
            ("send_mail(\n    fail_silently=False,  # raise\n    subject=1)", 3),
            ('send_mail("s", "b", None, [], fail_silently=(\n    False  # raise\n))', 3),
        ]:
            self.assertRefused(
                f"from django.core.mail import send_mail\n{call}\n",
                f"line {line} has a comment at the argument",
            )

    def test_arguments_that_are_refused_today(self):
        self.assertRefused(
            """\
            from django.core.mail import get_connection, send_mail
            send_mail("s", "b", None, [], connection=get_connection("x.B"), auth_user="me")
            """,
            None,
            None,
            None,
        )
        path, *_ = self.write(
            {
                "module.py": """\
            from django.core.mail import get_connection, send_mail
            send_mail("s", "b", None, [], connection=get_connection(), auth_user="me")
            """
            }
        )
        self.assertEqual(
            [(finding.code, finding.refusal) for finding in self.audit([path]).findings],
            [
                ("auth-arguments", None),
                (
                    "connection-argument",
                    "Django does not accept 'auth_user' together with 'connection'",
                ),
                ("get-connection", None),
            ],
        )

    def test_a_connection_that_is_read_back(self):
        path, *_ = self.write(
            {
                "module.py": """\
            from django.core.mail import EmailMessage, get_connection
            def f(message): message.connection.open()
            f(EmailMessage(connection=get_connection()))
            """
            }
        )
        self.assertEqual(
            [(finding.code, finding.refusal) for finding in self.audit([path]).findings],
            [
                ("connection-argument", "line 2 uses an attribute 'connection'"),
                ("get-connection", None),
            ],
        )

    def test_a_send_of_its_own(self):
        self.assertRefused(
            """\
            from django.core.mail import EmailMessage
            class Base(EmailMessage):
                def send(self, fail_silently=True): pass
            class Letter(Base): pass
            Letter().send(fail_silently=False)
            """,
            "module.Letter overrides send()",
        )

    def test_names_that_tests_replace(self):
        paths = self.write(
            {
                "shop/mail.py": """\
                from django.core import mail
                from django.core.mail import get_connection
                get_connection()
                mail.get_connection()
                """,
                "shop/other.py": "from django.core import mail\nmail.get_connection()\n",
                "shop/tests.py": """\
                patch("shop.mail.get_connection")
                from django.core import mail
                patch.object(mail, "get_connection")
                """,
            }
        )
        self.assertEqual(
            [finding.refusal for finding in self.audit(paths).findings],
            [
                "shop/tests.py:1 replaces it",
                "shop/tests.py:3 replaces it",
                "shop/tests.py:3 replaces it",
            ],
        )

    def test_names_that_come_through_a_module_of_the_project(self):
        compat, user = self.write(
            {
                "shop/compat.py": "from django.core.mail import get_connection\nget_connection()\n",
                "shop/user.py": "from .compat import get_connection as c\nc()\n",
            }
        )
        report = self.audit([compat, user])
        self.assertEqual(
            [(finding.path, finding.refusal) for finding in report.findings],
            [(compat, None), (user, "it is imported through shop.compat.get_connection")],
        )
        # Somebody imports it from there.
        self.assertEqual(
            rewritten((self.folder / compat).read_bytes(), report.fixes()[compat]).decode(),
            "from django.core.mail import get_connection, mailers\nmailers.default\n",
        )

    def test_a_package_keeps_what_it_imports(self):
        [path] = self.write(
            {"shop/__init__.py": "from django.core.mail import get_connection\nget_connection()\n"}
        )
        self.assertEqual(
            rewritten((self.folder / path).read_bytes(), self.audit([path]).fixes()[path]).decode(),
            "from django.core.mail import get_connection, mailers\nmailers.default\n",
        )


class UnrelatedTests(SourceMixin, SimpleTestCase):
    """Code that has nothing to do with Django's mail, whatever its names look like."""

    def test_nothing_is_found(self):
        for source in (
            "get_connection()",
            "from redis import get_connection\nget_connection()",
            "from django.db import connection\nconnection.close()",
            "from .mail import send_mail\nsend_mail(1, 2, 3, 4, 5, fail_silently=False)",
            "import mail\nmail.get_connection()",
            "from django.core.mail import send_mail\ndef f(send_mail): send_mail(1, 2, 3, 4, 5)",
            "from django.core.mail import send_mail\ndef f():\n"
            "    send_mail = g\n    send_mail(1, 2, 3, 4, 5)",
            "from django.core.mail import send_mail\n"
            "[send_mail(1, 2, 3, 4, 5) for send_mail in ()]",
            "class A:\n    def get_connection(self): return self.get_connection()",
            "class A:\n    from django.core.mail import send_mail\n"
            "    def f(self): return send_mail(1, 2, 3, 4, 5)",
            "message.send(fail_silently=False)",
            "def f(message): message.send(fail_silently=True)",
            "from shop import EmailMessage\nEmailMessage(connection=1).send(fail_silently=False)",
            "from django.core.mail import EmailMessage\nm = EmailMessage()\nm = other()\n"
            "m.send(fail_silently=True)",
            "self.connection = connection",
            "from email.mime.multipart import MIMEMultipart\nfrom email.mime.text import MIMEText\n"
            "m = MIMEMultipart()\nm.attach(MIMEText('a'))",
            "EMAIL_HOST = 'x'\nprint(EMAIL_HOST)",
            "from shop import settings\nsettings.EMAIL_HOST",
            "def f(settings): settings.EMAIL_HOST = 'x'",
            "import settings\ngetattr(settings, 'EMAIL_HOST')",
            "override_settings(EMAIL_HOST='x')",
            "ADMINS = [('a', 'a@b.c')]",
            "class EmailBackend:\n    def __init__(self): pass",
            "class AdminEmailHandler:\n    def connection(self): pass",
            "handlers = {'class': 'shop.Handler', 'email_backend': 'x'}",
            "BadHeaderError = 1\nfrom http import BadHeaderError",
            "from django.core.mail import send_mail\n"
            "send_mail('s', 'b', None, ['x'], using='bulk')",
            "from django.core.mail import mailers\nmailers.default.send_messages([])",
            "from django.conf import settings\nsettings.EMAIL_SUBJECT_PREFIX, settings.ADMINS",
        ):
            with self.subTest(source=source):
                [path] = self.write({"module.py": source})
                self.assertEqual(self.audit([path]).findings, [])
