"""What `migratemailers` once missed: values that take a way, and functions called by others."""

from django.test import SimpleTestCase, override_settings

from .support.migrate import KEYWORDS, SILENT, USING, SourceMixin
from .support.utils import legacy_settings

HOST = "EMAIL_HOST does not exist once MAILERS is defined; use mailers.default.host"
PORT = "EMAIL_PORT does not exist once MAILERS is defined; use mailers.default.port"
MIME = (
    "mime-attachment: an attachment of a class of email.mime is deprecated; attach (filename, "
    "content, mimetype) or an email.message.MIMEPart"
)
FALSE = "fail-silently: fail_silently=False is deprecated; leave it out"


class FoundMixin(SourceMixin):
    def found(self, files, settings=None):
        report = self.report(files, settings)
        return [str(finding) for finding in report.findings]

    def report(self, files, settings=None):
        return self.audit(self.write(files), *([settings] if settings else []))

    def assertFound(self, source, *expected):
        with self.subTest(source=source):
            self.assertEqual(
                self.found({"module.py": source}), [f"module.py:{line}" for line in expected]
            )


class SettingsTests(FoundMixin, SimpleTestCase):
    def test_the_settings_module_of_the_project(self):
        settings = {"shop/settings/__init__.py": "from .base import *\n"}
        settings["shop/settings/base.py"] = "DEBUG = True\n"
        for source, place in [
            ("from shop import settings\nsettings.EMAIL_HOST\n", "2:1"),
            ("import shop.settings\nshop.settings.EMAIL_HOST\n", "2:1"),
            ("import shop.settings as s\ngetattr(s, 'EMAIL_HOST', None)\n", "2:1"),
            ("from . import settings\nsettings.EMAIL_HOST\n", "2:1"),
            ("from shop.settings import base\nbase.EMAIL_HOST\n", "2:1"),
            ("from shop.settings import EMAIL_HOST\n", "1:27"),
            ("from .settings.base import DEBUG, EMAIL_HOST as host\n", "1:35"),
        ]:
            with self.subTest(source):
                self.assertEqual(
                    self.found({**settings, "shop/news.py": source}, "shop.settings"),
                    [f"shop/news.py:{place}: setting-read: {HOST}"],
                )
        # It need not be audited itself.
        self.assertEqual(
            self.found({"views.py": "import conf\nconf.EMAIL_HOST\n"}, "conf"),
            [f"views.py:2:1: setting-read: {HOST}"],
        )

    def test_a_setting_that_settings_import(self):
        """It is defined by that."""
        self.assertEqual(
            self.found(
                {
                    "conf.py": "from base import *\nfrom base import EMAIL_HOST\n",
                    "base.py": "EMAIL_HOST = 'a'\n",
                },
                "conf",
            ),
            [
                f"{place}: setting-defined: EMAIL_HOST is deprecated; make it the option 'host' of "
                "a mailer in MAILERS"
                for place in ("conf.py:2:18", "base.py:1:1")
            ],
        )

    def test_names_of_settings(self):
        start = "from django.conf import settings\n"
        for source in (
            'NAMES = ("EMAIL_HOST", "DEBUG", "EMAIL_PORT")\n'
            "[getattr(settings, n) for n in NAMES]\n",
            'NAMES = ["EMAIL_HOST", "EMAIL_PORT"]\nfor n in NAMES:\n    hasattr(settings, n)\n',
            'for n in {"EMAIL_HOST", "EMAIL_PORT"}:\n    getattr(settings, n, None)\n',
            'M = {"host": "EMAIL_HOST", "port": "EMAIL_PORT"}\n'
            "{k: getattr(settings, n) for k, n in M.items()}\n",
            'M = {"EMAIL_HOST": "host", "EMAIL_PORT": "port"}\n'
            "for n in sorted(M): getattr(settings, n)\n",
            "def f(name):\n    return getattr(settings, name)\n"
            'f("EMAIL_HOST"), f(name="EMAIL_PORT")\n',
            'NAMES = ["EMAIL_HOST"]\nNAMES.append("EMAIL_PORT")\n'
            "for n in NAMES: getattr(settings, n)\n",
            'NAMES = ["EMAIL_HOST"]\nNAMES += ["EMAIL_PORT"]\n'
            "for n in NAMES: getattr(settings, n)\n",
            'class A:\n    NAMES = ("EMAIL_HOST", "EMAIL_PORT")\n'
            "    def f(self): return [getattr(settings, n) for n in self.NAMES]\n",
        ):
            with self.subTest(source):
                places = []
                for number, line in enumerate(source.split("\n"), 2):
                    for name, text in [("EMAIL_HOST", HOST), ("EMAIL_PORT", PORT)]:
                        if name in line:
                            column = line.index(name)
                            places.append((number, column, text))
                self.assertEqual(
                    self.found({"module.py": start + source}),
                    [
                        f"module.py:{line}:{column}: setting-read: {text}"
                        for line, column, text in sorted(places)
                    ],
                )

    def test_names_of_settings_in_another_module(self):
        self.assertEqual(
            self.found(
                {
                    "shop/names.py": "NAMES = ('EMAIL_HOST',)\n",
                    "shop/views.py": "from django.conf import settings\nfrom .names import NAMES\n"
                    "for n in NAMES: getattr(settings, n)\nfor n in NAMES: hasattr(settings, n)\n",
                }
            ),
            [f"shop/names.py:1:10: setting-read: {HOST}"],
        )

    def test_names_that_are_overridden(self):
        no_effect = (
            "setting-overridden: overriding EMAIL_HOST has no effect once MAILERS is defined; "
            "override MAILERS"
        )
        start = (
            "from django.conf import settings\nfrom django.test import override_settings\n"
            "from unittest.mock import patch\n"
        )
        for line, column in [
            ('setattr(settings, "EMAIL_HOST", 1)', 1),
            ('def test(monkeypatch): monkeypatch.setattr(settings, "EMAIL_HOST", 1)', 24),
            ('patch.object(settings, "EMAIL_HOST", 1)', 1),
            ('patch("django.conf.settings.EMAIL_HOST", 1)', 1),
            ('override_settings(**{"EMAIL_HOST": 1})', 22),
            ('M = {"EMAIL_HOST": 1}; override_settings(**M)', 6),
        ]:
            self.assertFound(f"{start}{line}\n", f"4:{column}: {no_effect}")

    def test_people(self):
        pairs = (
            "address-pairs: (name, address) pairs in ADMINS are deprecated; 'django-upgrade "
            "--target-version 6.0 --only settings_admins_managers' writes addresses"
        )
        for value, expected in [
            ("[(n, a) for n, a in PEOPLE]", True),
            ("tuple((n, a) for n, a in PEOPLE)", True),
            ('[tuple(x.split(":")) for x in X.split(",")]', True),
            ('[x.split(":") for x in X]', True),
            ("[parseaddr(x) for x in X]", True),
            ("list(map(parseaddr, X))", True),
            ("getaddresses([X])", True),
            ("list(zip(NAMES, ADDRESSES))", True),
            ("list(PEOPLE.items())", True),
            ('[] if DEBUG else [("Ann", "ann@example.com")]', True),
            ('MORE + [("Ann", "ann@example.com")]', True),
            ('["bob@example.com", ("Ann", "ann@example.com")]', True),
            ("[a for n, a in PEOPLE]", False),
            ("X.split(',')", False),
            ("[x.strip() for x in X.split(',')]", False),
            ("[parseaddr(x)[1] for x in X]", False),
            ("[]", False),
        ]:
            with self.subTest(value):
                self.assertEqual(
                    self.found({"conf.py": f"ADMINS = {value}\n"}, "conf"),
                    [f"conf.py:1:1: {pairs}"] * expected,
                )
        self.assertEqual(
            self.found(
                {
                    "conf.py": "ADMINS = []\nADMINS += [('Ann', 'a@b.c')]\n"
                    "ADMINS.append(('Ann', 'a@b.c'))\nADMINS.extend([parseaddr('Bob <b@c.d>')])\n"
                    "ADMINS.append('c@d.e')\n"
                },
                "conf",
            ),
            [f"conf.py:{line}:1: {pairs}" for line in (2, 3, 4)],
        )


class CalledLaterTests(FoundMixin, SimpleTestCase):
    def test_functions_that_send(self):
        for call, *expected in [
            (
                'Thread(target=send_mail, kwargs={"fail_silently": True})',
                f"2:34: {SILENT}",
            ),
            (
                'Thread(None, send_mail, None, ("s", "b", None, [], True))',
                "2:1: positional-arguments: send_mail() takes 'fail_silently' by keyword only; "
                + KEYWORDS,
                f"2:52: {SILENT}",
            ),
            ("Thread(target=send_mail, kwargs=dict(fail_silently=False))", f"2:38: {FALSE}"),
            ('Timer(5, send_mail, [], {"fail_silently": True})', f"2:26: {SILENT}"),
            ("partial(send_mail, fail_silently=True)", f"2:20: {SILENT}"),
            (
                "partial(send_mail, connection=c)",
                f"2:20: connection-argument: 'connection' is deprecated; {USING}",
            ),
            (
                "partial(send_mail, auth_user=NEWS_USER)",
                "2:1: auth-arguments: 'auth_user' and 'auth_password' are deprecated; move "
                "'username' and 'password' to an alias, such as MAILERS['news'], and pass "
                "using='news'",
            ),
            ('pool.submit(send_mail, "s", fail_silently=True)', f"2:29: {SILENT}"),
            ("asyncio.to_thread(send_mail, fail_silently=True)", f"2:30: {SILENT}"),
            ("sync_to_async(send_mail)(fail_silently=True)", f"2:26: {SILENT}"),
            (
                "asend = sync_to_async(send_mail)\nasync def f(): await asend(fail_silently=True)",
                f"3:28: {SILENT}",
            ),
            ("post = send_mail\npost(fail_silently=True)", f"3:6: {SILENT}"),
            (
                'async_task("django.core.mail.send_mail", fail_silently=True)',
                f"2:42: {SILENT}",
            ),
            ("queue.enqueue(send_mail, kwargs={'fail_silently': True})", f"2:34: {SILENT}"),
            ("on_commit(partial(send_mail, using='a'))",),
            ("Thread(target=other, kwargs={'fail_silently': True})",),
        ]:
            self.assertFound(f"from django.core.mail import send_mail\n{call}\n", *expected)

    def test_send_of_a_message(self):
        for call, *expected in [
            ("Thread(target=m.send, kwargs={'fail_silently': True})", f"3:31: {SILENT}"),
            ("Thread(target=m.send, args=(True,))", f"3:29: {SILENT}"),
            ("partial(m.send, fail_silently=False)", f"3:17: {FALSE}"),
            ("pool.submit(m.send, True)", f"3:21: {SILENT}"),
            ("pool.submit(m.send)",),
        ]:
            self.assertFound(
                f"from django.core.mail import EmailMessage\nm = EmailMessage()\n{call}\n",
                *expected,
            )

    def test_nothing_of_it_is_rewritten(self):
        report = self.report(
            {
                "module.py": """\
                from django.core.mail import send_mail
                partial(send_mail, fail_silently=False)
                sync_to_async(send_mail)(fail_silently=False)
                Thread(target=send_mail, kwargs={"fail_silently": False})
                """
            }
        )
        self.assertEqual(
            [finding.refusal for finding in report.findings],
            [
                "partial() calls it later",
                "it is called through another function",
                "Thread() calls it later",
            ],
        )

    def test_functions_that_return_a_message(self):
        start = "from django.core.mail import EmailMessage\nclass Letter(EmailMessage): pass\n"
        for source, place in [
            ("def build(): return EmailMessage()\nbuild().send(fail_silently=True)", "4:14"),
            (
                "def build():\n    m = Letter()\n    return m\nm = build()\nm.send(True)",
                "7:8",
            ),
            (
                "def build(x):\n    if not x: return None\n    return Letter()\n"
                "build(1).send(fail_silently=True)",
                "6:15",
            ),
            (
                "def build() -> EmailMessage: return other()\nbuild().send(fail_silently=True)",
                "4:14",
            ),
            ("def build() -> 'Letter': ...\nbuild().send(fail_silently=True)", "4:14"),
            (
                "async def build(): return Letter()\n"
                "async def f(): (await build()).send(fail_silently=True)",
                "4:37",
            ),
            (
                "class A:\n    def build(self): return Letter()\n"
                "    def go(self): self.build().send(fail_silently=True)",
                "5:37",
            ),
            (
                "class A:\n    @classmethod\n    def build(cls): return Letter()\n"
                "A.build().send(fail_silently=True)",
                "6:16",
            ),
            (
                "def build(): return Letter()\ndef outer(): return build()\n"
                "outer().send(fail_silently=True)",
                "5:14",
            ),
            ("def f(m: EmailMessage): m.send(fail_silently=True)", "3:32"),
        ]:
            self.assertFound(f"{start}{source}\n", f"{place}: {SILENT}")
        for source in (
            "def build(): return other()\nbuild().send(fail_silently=True)",
            "def build(): yield Letter()\nbuild().send(fail_silently=True)",
            "def build(): return build()\nbuild().send(fail_silently=True)",
            "def build():\n    def inner(): return Letter()\nbuild().send(fail_silently=True)",
            "def build(x):\n    if x: return Letter()\n    return other()\nbuild(1).send(True)",
            "async def f():\n    m = await m\n    m.send(True)",
        ):
            self.assertFound(f"{start}{source}\n")

    def test_functions_of_other_modules(self):
        report = self.report(
            {
                "shop/letters.py": "from django.core.mail import EmailMessage\n"
                "def build(): return EmailMessage()\n@cached\ndef other(): return build()\n",
                "shop/views.py": "from . import letters\nfrom .letters import other\n"
                "letters.build().send(fail_silently=False)\nother().send(fail_silently=False)\n",
            }
        )
        self.assertEqual(
            [(finding.line, finding.code, finding.refusal) for finding in report.findings],
            [
                (3, "fail-silently", None),
                (4, "fail-silently", "other() is decorated with cached"),
            ],
        )


class AttachmentTests(FoundMixin, SimpleTestCase):
    def test_attachments(self):
        start = (
            "from email.mime.image import MIMEImage\nfrom django.core.mail import EmailMessage\n"
            "m = EmailMessage()\n"
        )
        for source, *places in [
            ("for i in [MIMEImage(a), MIMEImage(b)]: m.attach(i)", "4:49"),
            ("images = [MIMEImage(a)]\nfor i in images: m.attach(i)", "5:27"),
            ("images = []\nimages.append(MIMEImage(a))\nfor i in images: m.attach(i)", "6:27"),
            ("for i in (MIMEImage(p) for p in paths): m.attach(i)", "4:50"),
            ("def image(p): return MIMEImage(p)\nm.attach(image(1))", "5:10"),
            ("def f(i): m.attach(i)\nf(MIMEImage(1))", "4:20"),
            ("m.attachments.append(MIMEImage(a))", "4:22"),
            ("m.attachments = [MIMEImage(a)]", "4:18"),
            ("m.attachments += [MIMEImage(a)]", "4:19"),
            ("images = [MIMEImage(a)]\nEmailMessage(attachments=images)", "5:26"),
            ("EmailMessage(1, 2, 3, 4, [], None, [MIMEImage(a)])", None, "4:37"),
            ("for i in [1]: m.attach(i)",),
            ("images = [MIMEImage(a)]",),
        ]:
            expected = [f"{place}: {MIME}" for place in places if place]
            found = [
                line.removeprefix("module.py:")
                for line in self.found({"module.py": f"{start}{source}\n"})
                if "positional" not in line
            ]
            with self.subTest(source):
                self.assertEqual(found, expected)


class HookTests(FoundMixin, SimpleTestCase):
    def test_calls_of_hooks(self):
        self.assertFound(
            """\
            from django.core.mail import EmailMessage
            from django.utils.log import AdminEmailHandler

            EmailMessage().get_connection()

            class Handler(AdminEmailHandler):
                def send_mail(self, subject, message, *args, **kwargs):
                    mail.mail_admins(subject, message, connection=self.connection())

            class Letter(EmailMessage):
                def _create_mime_attachment(self, content, mimetype):
                    return super()._create_mime_attachment(content, mimetype)
            """,
            "4:1: message-connection: EmailMessage.get_connection() was removed in Django 6.1; use "
            "mailers[alias]",
            "8:55: hook: AdminEmailHandler.connection() was removed in Django 6.1; call "
            "mail_admins() "
            "with using=",
            "11:5: hook: EmailMessage._create_mime_attachment() was removed in Django 6.0; change "
            "what message() returns instead",
            "12:16: hook: EmailMessage._create_mime_attachment() was removed in Django 6.0; change "
            "what message() returns instead",
        )

    def test_names(self):
        self.assertFound(
            "from django.core.mail.message import utf8_charset_qp\n"
            "from django.core.mail import message\nmessage.utf8_charset\n",
            "1:38: deprecated-name: utf8_charset_qp is deprecated; Django follows Python's own "
            "rules for encoding text",
            "3:1: deprecated-name: utf8_charset is deprecated; Django follows Python's own rules "
            "for encoding text",
        )


class ReplacedTests(FoundMixin, SimpleTestCase):
    NEWS = {
        "shop/news.py": """\
            from django.core import mail
            from django.core.mail import EmailMessage, send_mail
            mail.get_connection()
            mail.send_mail("s", "b", None, [], fail_silently=False)
            send_mail("s", "b", None, [], fail_silently=False)
            EmailMessage().send(fail_silently=False)
            """
    }

    def test_what_a_test_replaces(self):
        for replacing, lines in [
            ('@patch("shop.news.mail")\ndef test(mail): pass', [3, 4]),
            ("patch.object(news, 'mail')", [3, 4]),
            ("monkeypatch.setattr(news, 'mail', fake)", [3, 4]),
            ('monkeypatch.setattr("shop.news.mail", fake)', [3, 4]),
            ("patch.multiple('shop.news', mail=fake)", [3, 4]),
            ("patch.multiple(news, mail=DEFAULT, send_mail=DEFAULT)", [3, 4, 5]),
            ("news.mail = fake", [3, 4]),
            ("patch(f'{NEWS}.mail')", [3, 4]),
            ("patch(NEWS + '.send_mail')", [4, 5]),
            ('patch("shop.news.mail.get_connection")', [3]),
            ('patch("django.core.mail.send_mail")', [4]),
            ('patch("shop.news.send_mail")', [5]),
            ('patch("shop.news.EmailMessage")', [6]),
            ('patch("django.core.mail.EmailMessage.send")', [6]),
            ('patch("django.core.mail.message.EmailMessage.send")', [6]),
            ("patch.object(news.EmailMessage, 'send')", [6]),
            ('patch("shop.other.mail")', []),
            ("getattr(news, 'mail')  # patch", []),
        ]:
            with self.subTest(replacing):
                tests = f"from shop import news\n{replacing}\n"
                report = self.report({**self.NEWS, "shop/tests.py": tests})
                self.assertEqual(
                    [(finding.line, finding.refusal) for finding in report.findings],
                    [
                        (
                            line,
                            "shop/tests.py:2 replaces it" if line in lines else None,
                        )
                        for line in (3, 4, 5, 6)
                    ],
                )


class DatabaseTests(FoundMixin, SimpleTestCase):
    def test_logins_from_a_database(self):
        way = (
            "if the login comes from a database, make django.core.mail.backends.smtp."
            "EmailBackend(alias='event', host=..., ...), which reads no settings"
        )
        start = (
            "from django.conf import settings\nfrom django.core.mail import get_connection\n"
            "from django.core.mail.backends.smtp import EmailBackend\n"
        )
        for call, is_told in [
            ("get_connection(host=event.host)", True),
            ("get_connection(username=event.user, password=decrypt(event.password))", True),
            ("EmailBackend(host=event.host)", True),
            ("get_connection(host=event.host, **event.options)", True),
            ("get_connection(host=settings.OTHER_HOST)", False),
            ("get_connection(host='a', password=PASSWORD)", False),
            ("EmailBackend(host='a')", False),
        ]:
            with self.subTest(call):
                [finding] = [
                    line for line in self.found({"module.py": f"{start}{call}\n"}) if "py:4" in line
                ]
                self.assertEqual(finding.endswith(f"; {way}"), is_told, finding)

    def test_the_way(self):
        """On every Django, with and without MAILERS, and whatever the settings have."""
        from django.core.mail.backends.smtp import EmailBackend

        for conditions in (
            override_settings(MAILERS={"default": {"OPTIONS": {"host": "a", "username": "b"}}}),
            legacy_settings(EMAIL_HOST="a", EMAIL_HOST_USER="b", EMAIL_HOST_PASSWORD="c"),
        ):
            with conditions:
                backend = EmailBackend(alias="event", host="mail.example.com", use_tls=True)
            names = ("host", "port", "username", "password", "use_tls", "use_ssl", "timeout")
            self.assertEqual(
                {name: getattr(backend, name) or None for name in names},
                dict.fromkeys(names) | {"host": "mail.example.com", "port": 587, "use_tls": True},
            )
