"""What `migratemailers --write` changes, what it leaves alone, and why."""

import textwrap

from django.test import SimpleTestCase

from django_mailers.migrate.rewrite import Unfaithful

from .support.migrate import SourceMixin


class RewriteTests(SourceMixin, SimpleTestCase):
    def assertRewritten(self, before, after):
        with self.subTest(before=before):
            result = self.rewrite(textwrap.dedent(before).encode()).decode()
            self.assertEqual(result, textwrap.dedent(after))

    def test_get_connection(self):
        for call in (
            "get_connection()",
            "get_connection(fail_silently=False)",
            "get_connection(None)",
            "get_connection(backend=None, fail_silently=False)",
            "get_connection(\n)",
        ):
            self.assertRewritten(
                f"from django.core.mail import get_connection\nc = {call}\n",
                "from django.core.mail import mailers\nc = mailers.default\n",
            )

    def test_wherever_it_stands(self):
        self.assertRewritten(
            """\
            from django.core.mail import get_connection

            def f(messages, connection=get_connection()):
                with get_connection() as connection:
                    connection.open()
                get_connection().send_messages(messages)
                (get_connection)().close(); ( get_connection( ) ).close()
                return [get_connection() for _ in messages], lambda: get_connection()
            """,
            """\
            from django.core.mail import mailers

            def f(messages, connection=mailers.default):
                with mailers.default as connection:
                    connection.open()
                mailers.default.send_messages(messages)
                mailers.default.close(); ( mailers.default ).close()
                return [mailers.default for _ in messages], lambda: mailers.default
            """,
        )

    def test_by_other_names(self):
        for imports, called, after in [
            ("from django.core import mail", "mail", "mail.mailers.default"),
            ("from django.core import mail as m", "m", "m.mailers.default"),
            ("import django.core.mail", "django.core.mail", "django.core.mail.mailers.default"),
            ("import django.core.mail as dcm", "dcm", "dcm.mailers.default"),
            ("import django.core.mail\nimport django", "django.core.mail", None),
        ]:
            self.assertRewritten(
                f"{imports}\nc = {called}.get_connection()\n",
                f"{imports}\nc = {after or 'django.core.mail.mailers.default'}\n",
            )

    def test_imports(self):
        """The name goes where nothing needs it any more, and `mailers` comes where it stood."""
        for before, after in [
            ("get_connection as gc", "mailers"),
            ("EmailMessage, get_connection as gc, send_mail", "EmailMessage, mailers, send_mail"),
            ("get_connection as gc, send_mail", "mailers, send_mail"),
            ("send_mail, get_connection as gc", "send_mail, mailers"),
            ("(get_connection as gc)", "(mailers)"),
            (
                "(\n    send_mail,\n    get_connection as gc,\n)",
                "(\n    send_mail,\n    mailers,\n)",
            ),
            ("(\n    get_connection as gc\n)", "(\n    mailers\n)"),
            ("get_connection as gc, mailers", "mailers"),
            ("mailers, get_connection as gc", "mailers"),
            ("(\n    mailers,\n    get_connection as gc\n)", "(\n    mailers\n)"),
        ]:
            self.assertRewritten(
                f"from django.core.mail import {before}\nc = gc()\n",
                f"from django.core.mail import {after}\nc = mailers.default\n",
            )

    def test_imports_that_stay(self):
        """What cannot be changed keeps its import, beside the new one."""
        for before, after in [
            ("get_connection", "get_connection, mailers"),
            ("get_connection, send_mail", "get_connection, mailers, send_mail"),
            ("send_mail, get_connection", "send_mail, get_connection, mailers"),
            ("(\n    get_connection,\n)", "(\n    get_connection,\n    mailers,\n)"),
            ("(\n    a,\n    get_connection\n)", "(\n    a,\n    get_connection,\n    mailers\n)"),
            ("get_connection, mailers", "get_connection, mailers"),
        ]:
            rest = 'd = get_connection("a.Backend")\n'
            self.assertRewritten(
                f"from django.core.mail import {before}\nc = get_connection()\n{rest}",
                f"from django.core.mail import {after}\nc = mailers.default\n{rest}",
            )
        self.assertRewritten(
            """\
            from django.core.mail import get_connection
            __all__ = ["get_connection"]
            c = get_connection()
            """,
            """\
            from django.core.mail import get_connection, mailers
            __all__ = ["get_connection"]
            c = mailers.default
            """,
        )

    def test_imports_in_functions(self):
        self.assertRewritten(
            """\
            def f():
                from django.core.mail import get_connection
                return get_connection()

            def g():
                from django.core.mail import get_connection, send_mail
                send_mail("s", "b", None, [], connection=get_connection())
            """,
            """\
            def f():
                from django.core.mail import mailers
                return mailers.default

            def g():
                from django.core.mail import send_mail
                send_mail("s", "b", None, [])
            """,
        )

    def test_import_that_vanishes(self):
        self.assertRewritten(
            """\
            import os
            from django.core.mail import get_connection
            from django.core.mail import send_mail

            send_mail("s", "b", None, [], connection=get_connection(fail_silently=False))
            """,
            """\
            import os
            from django.core.mail import send_mail

            send_mail("s", "b", None, [])
            """,
        )
        self.assertRewritten(
            """\
            import os; from django.core.mail import get_connection; from django.core import mail
            mail.mail_admins("s", "b", connection=get_connection())
            """,
            """\
            import os; from django.core import mail
            mail.mail_admins("s", "b")
            """,
        )

    def test_arguments(self):
        for function, positional in [
            ("send_mail", '"s", "b", None, []'),
            ("send_mass_mail", "[]"),
            ("mail_admins", '"s", "b"'),
            ("mail_managers", '"s", "b"'),
        ]:
            for argument in (
                "fail_silently=False",
                "connection=None",
                "connection=get_connection()",
            ):
                self.assertRewritten(
                    f"""\
                    from django.core import mail
                    from django.core.mail import {function} as f, get_connection

                    f({positional}, {argument})
                    f({positional}, {argument},)
                    f({argument}, **[])
                    mail.{function}({positional}, {argument}, html_message="h")
                    """.replace(f"f({argument}, **[])", f"f({positional} , {argument} )"),
                    f"""\
                    from django.core import mail
                    from django.core.mail import {function} as f{
                        "" if "get" in argument else ", get_connection"
                    }

                    f({positional})
                    f({positional},)
                    f({positional} )
                    mail.{function}({positional}, html_message="h")
                    """,
                )

    def test_login_that_is_none(self):
        self.assertRewritten(
            """\
            from django.core.mail import send_mail
            send_mail("s", "b", None, [], auth_user=None, auth_password=None, fail_silently=False)
            """,
            """\
            from django.core.mail import send_mail
            send_mail("s", "b", None, [])
            """,
        )

    def test_arguments_on_lines_of_their_own(self):
        self.assertRewritten(
            """\
            from django.core.mail import get_connection, send_mail

            def f():
                send_mail(
                    "s",
                    "b",
                    None,
                    [],
                    fail_silently=False,
                    connection=get_connection(),
                )
                send_mail(
                    "s", "b", None,
                    [],  # nobody
                    fail_silently=False
                )
                send_mail(
                    fail_silently=False,
                    subject="s", message="b", from_email=None, recipient_list=[]
                )
                send_mail("s", "b", None, [],  # nobody
                          connection=get_connection())
                send_mail(  # on its line
                    "s", "b", None,
                    [],  # nobody

                    # a section
                    fail_silently=False,
                    html_message="h",
                ) if False else None
            """.replace("\n\n                    # a section", ""),
            """\
            from django.core.mail import send_mail

            def f():
                send_mail(
                    "s",
                    "b",
                    None,
                    [],
                )
                send_mail(
                    "s", "b", None,
                    [],  # nobody
                )
                send_mail(
                    subject="s", message="b", from_email=None, recipient_list=[]
                )
                send_mail("s", "b", None, [],  # nobody
                          )
                send_mail(  # on its line
                    "s", "b", None,
                    [],  # nobody
                    html_message="h",
                ) if False else None
            """,
        )

    def test_messages(self):
        self.assertRewritten(
            """\
            from django.core import mail
            from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection

            class Letter(EmailMultiAlternatives):
                def post(self):
                    self.send(fail_silently=False)

                def close(self):
                    super().send(fail_silently=False)

            def f(urgent):
                EmailMessage(connection=get_connection()).send(fail_silently=False)
                EmailMessage(connection=None, to=["a@b.c"])
                if urgent:
                    message = EmailMessage("a", connection=get_connection())
                else:
                    message = mail.EmailMultiAlternatives("b")
                message.send(fail_silently=False)
                letter = Letter("a")
                letter.send(fail_silently=False)
            """,
            """\
            from django.core import mail
            from django.core.mail import EmailMessage, EmailMultiAlternatives

            class Letter(EmailMultiAlternatives):
                def post(self):
                    self.send()

                def close(self):
                    super().send()

            def f(urgent):
                EmailMessage().send()
                EmailMessage(to=["a@b.c"])
                if urgent:
                    message = EmailMessage("a")
                else:
                    message = mail.EmailMultiAlternatives("b")
                message.send()
                letter = Letter("a")
                letter.send()
            """,
        )

    def test_names_of_other_scopes(self):
        """A name means what Python says it does: comprehensions, lambdas, classes, `global`."""
        self.assertRewritten(
            """\
            from django.core.mail import get_connection

            class A:
                mailers = 1
                def f(self):
                    return get_connection()

            def g(mailers=None):
                return [mailers for mailers in ()], lambda mailers: mailers

            def h():
                return get_connection()
            """,
            """\
            from django.core.mail import mailers

            class A:
                mailers = 1
                def f(self):
                    return mailers.default

            def g(mailers=None):
                return [mailers for mailers in ()], lambda mailers: mailers

            def h():
                return mailers.default
            """,
        )

    def test_bytes_are_kept(self):
        before = "from django.core.mail import get_connection\nnäme = 'ä'; c = get_connection()"
        after = "from django.core.mail import mailers\nnäme = 'ä'; c = mailers.default"
        for prefix, encoding in [
            ("", "utf-8"),
            ("\ufeff", "utf-8"),
            ("# -*- coding: latin-1 -*-\n", "latin-1"),
            ("# vim: set fileencoding=cp1252 :\n", "cp1252"),
        ]:
            for newline in ("\n", "\r\n"):
                for end in ("", "\n", "\n\n\n", "\n\x0c\nif näme:\n\tpass  \n"):
                    with self.subTest(encoding=encoding, newline=newline, end=end):
                        content, expected = (
                            (prefix + text + end).replace("\n", newline).encode(encoding)
                            for text in (before, after)
                        )
                        self.assertEqual(self.rewrite(content), expected)

    def test_a_file_that_libcst_cannot_reproduce(self):
        content = b"from django.core.mail import get_connection\nget_connection()\n\n\t\n"
        with self.assertRaises(Unfaithful) as caught:
            self.rewrite(content)
        self.assertEqual(str(caught.exception), "LibCST would change its white space")
        self.assertEqual((self.folder / "module.py").read_bytes(), content)

    def test_comments_at_imports(self):
        """They stay with what takes the name's place; an import that has none stays itself."""
        self.assertRewritten(
            """\
            # Django
            from django.core.mail import get_connection  # the default

            get_connection()
            """,
            """\
            # Django
            from django.core.mail import mailers  # the default

            mailers.default
            """,
        )
        for above, beside in [("# For the log book.\n", ""), ("", "  # noqa")]:
            imports = (
                f"import os\n{above}from django.core.mail import get_connection as c{beside}\n"
            )
            self.assertRewritten(
                f"{imports}from django.core import mail\nmail.send_mass_mail([], connection=c())\n",
                f"{imports}from django.core import mail\nmail.send_mass_mail([])\n",
            )

    def test_columns_count_characters(self):
        self.assertRewritten(
            """\
            from django.core.mail import get_connection
            "𝔘", "ß"; f("é", get_connection()); "ü"
            """,
            """\
            from django.core.mail import mailers
            "𝔘", "ß"; f("é", mailers.default); "ü"
            """,
        )
