"""Whose code is whose: other people's wrappers, packages called django-something, and a Django
without its sources."""

import compileall
import shutil
import tempfile
from pathlib import Path
from unittest import skipIf

import django
from django.test import SimpleTestCase, tag

from .support.processes import ProcessTestCase, run_python
from .support.servers import enter
from .support.utils import NATIVE

# In a package beside Django whose name begins with Django's.
FOREIGN = """
import functools
from django.core import mail
from django.core.mail import EmailMessage
calls = []

def wrap():
    original = EmailMessage.message
    @functools.wraps(original)
    def message(self, *args, **kwargs):
        calls.append("wraps")
        signed = original(self, *args, **kwargs)
        signed["X-Signed"] = "wraps"
        return signed
    EmailMessage.message = message

def replace():
    original = EmailMessage.message
    def message(self, *args, **kwargs):
        signed = original(self, *args, **kwargs)
        signed["X-Signed"] = "attribute"
        return signed
    EmailMessage.message = message

def exchange():
    import types
    function = EmailMessage.message
    original = types.FunctionType(
        function.__code__, function.__globals__, "message", function.__defaults__,
        function.__closure__,
    )
    original.__kwdefaults__ = function.__kwdefaults__
    def sign(self, *args, **kwargs):
        signed = original(self, *args, **kwargs)
        signed["X-Signed"] = "code"
        return signed
    EmailMessage.signing = staticmethod(sign)
    def message(self, *args, **kwargs):
        return EmailMessage.signing(self, *args, **kwargs)
    function.__code__ = message.__code__
    function.__defaults__ = function.__kwdefaults__ = None

def custom(*args, **kwargs):
    return "custom"
"""


class ForeignTests(ProcessTestCase):
    """What has been put in the place of Django's functions is never taken for Django's own."""

    def foreign(self, source):
        self.assertRuns(source, folder=self.project(django_signing__patches=FOREIGN))

    @tag("slow")
    def test_render_asks_each_of_them(self):
        """From the second message on `render()` writes plain messages without Django."""
        for how, header in [("wrap", "wraps"), ("replace", "attribute"), ("exchange", "code")]:
            for when in ("before", "after"):
                with self.subTest(how=how, when=when):
                    self.foreign(
                        f"""
                        from django_signing import patches
                        if "{when}" == "before":
                            patches.{how}()
                        configure()
                        from django.core.mail import EmailMessage
                        from django_mailers.render import render
                        message = EmailMessage("s", "t", None, ["a@example.com"])
                        for _ in range(3):
                            signed = render(message).count(b"X-Signed: {header}")
                            assert signed == ("{when}" == "before"), signed
                        if "{when}" == "after":
                            patches.{how}()
                        for _ in range(3):
                            assert render(message).count(b"X-Signed: {header}") == 1
                        """
                    )

    def test_function_is_not_overwritten(self):
        self.foreign(
            """
            from django_signing import patches
            from django.core import mail
            mail.send_mail = patches.custom
            configure(MAILERS_BRIDGE=True)
            assert mail.send_mail is patches.custom
            assert mail.send_mail() == "custom"
            """
        )

    @skipIf(NATIVE, "nothing is installed")
    def test_what_is_left_alone_is_said(self):
        self.foreign(
            """
            from django_signing import patches
            from django.core import mail
            mail.send_mail = patches.custom
            patches.exchange()
            # A decorator of Django's that it has for views, on something of Django's.
            from django.views.decorators.debug import sensitive_variables
            mail.EmailMessage.send = sensitive_variables()(mail.EmailMessage.send)
            decorated = mail.EmailMessage.send
            code = decorated.__code__
            configure()
            from django_mailers import polyfill
            left = {
                entry.target.partition(":")[2]: entry.outcome.partition(" (")[0]
                for entry in polyfill.installed()
                if entry.outcome.startswith("left alone")
            }
            assert left == {
                "send_mail": "left alone: custom",
                "EmailMessage.message": "left alone: EmailMessage.message",
            }, left
            # What it wraps is changed, and it is not.
            assert mail.EmailMessage.send is decorated and decorated.__code__ is code
            assert decorated(mail.EmailMessage("s", "", None, ["a@example.com"]), using="b") == 1
            assert mail.outbox[0].sent_using == "b"
            """
        )


@skipIf(NATIVE, "nothing is installed")
class CompiledTests(SimpleTestCase):
    """A function of Django's own that cannot be changed."""

    def error(self, how):
        return run_python(
            f"""
            from django.core import mail
            class compiled_function:
                def __init__(self, function):
                    self.function = function
                {how}
                def __call__(self, *args, **kwargs):
                    return self.function(*args, **kwargs)
            mail.send_mail = compiled_function(mail.send_mail)
            configure()
            """
        ).stderr

    def test_refused(self):
        for how in ("__globals__ = vars(mail)", "__self__ = mail"):
            with self.subTest(how=how):
                self.assertEqual(
                    self.error(how).splitlines()[-1],
                    "django.core.exceptions.ImproperlyConfigured: django_mailers cannot change "
                    "django.core.mail.send_mail, which is of type 'compiled_function': this Django "
                    "is not in Python, but compiled to machine code. Mail would go past MAILERS. "
                    "Install Django as it is released.",
                )

    def test_callable_of_somebody_else(self):
        self.assertEqual(self.error("__name__ = 'send_mail'"), "")

    def test_refused_each_time(self):
        self.assertEqual(
            run_python(
                """
                from django.core import mail
                from django.core.exceptions import ImproperlyConfigured
                import django_mailers
                class compiled_function:
                    __globals__ = vars(mail)
                    def __call__(self):
                        pass
                mail.get_connection = compiled_function()
                for _ in range(2):
                    try:
                        django_mailers.install()
                    except ImproperlyConfigured:
                        pass
                    else:
                        raise AssertionError("installed")
                """
            ).stderr,
            "",
        )


@tag("slow")
class WithoutSourcesTests(ProcessTestCase):
    """Django as some images ship it: compiled at another place, and without its sources."""

    NEEDED = (
        *("apps", "conf", "core", "db", "dispatch", "forms", "http", "middleware", "tasks"),
        *("template", "templatetags", "test", "urls", "utils", "views"),
    )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = Path(enter(cls, tempfile.TemporaryDirectory()))
        origin = Path(django.__file__).parent
        target = cls.folder / "django"
        ignored = shutil.ignore_patterns("__pycache__", "locale", "contrib", "gis", "jinja2")
        target.mkdir()
        for path in origin.glob("*.py"):
            shutil.copy(path, target)
        for name in cls.NEEDED:
            if (origin / name).is_dir():
                shutil.copytree(origin / name, target / name, ignore=ignored)
        # One language is enough.
        for name in ("__init__.py", "en/__init__.py", "en/formats.py"):
            path = target / "conf" / "locale" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin / "conf" / "locale" / name, path)
        compileall.compile_dir(
            target, legacy=True, quiet=1, stripdir=str(cls.folder), prependdir="/build"
        )
        for path in target.rglob("*.py"):
            path.unlink()

    def test_it_works(self):
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.check(bridge)

    def check(self, bridge):
        self.assertRuns(
            f"""
            import django.core.mail
            assert django.core.mail.__file__.endswith("__init__.pyc"), django.core.mail.__file__
            path = django.core.mail.send_mail.__code__.co_filename
            assert path.startswith("/build/django/"), path
            configure(MAILERS_BRIDGE={bridge}, ADMINS=["admin@example.com"])
            from django_mailers import polyfill
            outcomes = {{entry.outcome for entry in polyfill.installed()}}
            assert outcomes <= {{"installed", "not needed", "waits for import"}}, outcomes
            from django.core import checks, mail
            assert checks.run_checks(tags=["mail"]) == []
            assert mail.send_mail("s", "", None, ["a@example.com"], using="b") == 1
            assert mail.EmailMessage("s", "", None, ["a@example.com"]).send() == 1
            mail.mail_admins("s", "", using="b")
            assert [m.sent_using for m in mail.outbox] == ["b", "default", "b"]
            assert {bridge} or not hasattr(settings, "EMAIL_HOST")
            # And its messages are still written without it.
            from django_mailers import render
            calls = []
            render.normally = calls.append
            for _ in range(3):
                render.render(mail.EmailMessage("s", "t", None, ["a@example.com"]))
            assert calls == [], calls
            """,
            folder=self.folder,
        )
