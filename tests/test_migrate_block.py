"""The MAILERS that `migratemailers` prints build the backend that the EMAIL_* settings built."""

import importlib.util
import os
import tempfile
import textwrap
from pathlib import Path
from types import ModuleType
from unittest import mock

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.filebased import EmailBackend as FileBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.test import SimpleTestCase, override_settings

from django_mailers.emailsettings import DEFAULTS
from django_mailers.migrate import configuration
from django_mailers.migrate.block import render

from .support.migrate import NOT_SHOWN
from .support.servers import enter
from .support.utils import CONSOLE, FILEBASED, SMTP, ignore_deprecations, legacy_settings


class Signing(SMTPBackend):
    """A subclass as they are written: hands on what it does not know."""

    def __init__(self, *args, key="k", **kwargs):
        super().__init__(*args, **kwargs)
        self.key = key


class Silent(SMTPBackend):
    pass


class Tenths(SMTPBackend):
    """Takes some of SMTP's options, and no others."""

    def __init__(self, host=None, port=None, alias=None, fail_silently=False):
        super().__init__(host=host, port=port, alias=alias, fail_silently=fail_silently)


class Api(BaseEmailBackend):
    def __init__(self, *, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.timeout = timeout


class Ancient:
    """No alias, no base class."""

    def __init__(self, fail_silently=False, host=None):
        self.host = host


class Duck:
    def __init__(self, **options):
        self.alias = options.pop("alias", None)


class Folder(FileBackend):
    pass


def path_of(backend):
    return f"{__name__}.{backend.__name__}"


def state(backend):
    """What a backend goes by. Until MAILERS, no login was "" and not None."""
    names = ("host", "port", "use_tls", "use_ssl", "timeout", "ssl_keyfile", "ssl_certfile")
    names += ("file_path", "fail_silently", "key")
    values = {name: getattr(backend, name) for name in names if name in vars(backend)}
    login = {name: getattr(backend, name, None) or "" for name in ("username", "password")}
    return {"class": type(backend), **values, **login}


def built_from(block, namespace=None):
    """The default mailer of a block, loaded as the settings file that it is meant for would."""
    scope = dict(namespace or {})
    exec(compile(block.source, "MAILERS", "exec"), scope)
    with override_settings(MAILERS=scope["MAILERS"]):
        return mailers.default


class EqualTests(SimpleTestCase):
    """Settings of every kind, whatever the settings file looks like."""

    maxDiff = None

    def assertEqualBackend(self, **email_settings):
        with self.subTest(**email_settings), legacy_settings(**email_settings):
            before = state(get_connection())
            block = render(configuration.current(), show_secrets=True)
        with ignore_deprecations():
            self.assertEqual(state(built_from(block)), before, block.text)
        return block

    def test_smtp(self):
        for options in (
            {},
            {"EMAIL_HOST": "localhost"},
            {"EMAIL_HOST": "smtp.example.com"},
            {"EMAIL_HOST": "", "EMAIL_PORT": 25},
            {"EMAIL_HOST": "mail", "EMAIL_HOST_USER": "ann", "EMAIL_HOST_PASSWORD": "s'e\"c\\ret"},
            {"EMAIL_HOST_USER": "ann"},
            {"EMAIL_HOST_PASSWORD": "only"},
            {"EMAIL_TIMEOUT": 0},
            {"EMAIL_TIMEOUT": 2.5},
            {"EMAIL_SSL_CERTFILE": "/c.pem", "EMAIL_SSL_KEYFILE": "/k.pem"},
            {"EMAIL_SSL_CERTFILE": ""},
            {"EMAIL_PORT": "2525"},
            {"EMAIL_HOST": "höst"},
        ):
            self.assertEqualBackend(EMAIL_BACKEND=SMTP, **options)

    def test_ports(self):
        """The default was always 25; that of a mailer depends on TLS."""
        shown = {}
        for security in ("", "EMAIL_USE_TLS", "EMAIL_USE_SSL"):
            for port in (None, 25, 465, 587, 2525):
                options = {security: True} if security else {}
                if port is not None:
                    options["EMAIL_PORT"] = port
                block = self.assertEqualBackend(EMAIL_BACKEND=SMTP, **options)
                shown[security, port] = '"port"' in block.text
        self.assertEqual(
            [key for key, is_shown in shown.items() if not is_shown],
            [("", None), ("", 25), ("EMAIL_USE_TLS", 587), ("EMAIL_USE_SSL", 465)],
        )

    def test_a_port_that_smtplib_chooses(self):
        for port in (None, 0, ""):
            with legacy_settings(EMAIL_BACKEND=SMTP, EMAIL_PORT=port, EMAIL_USE_TLS=True):
                block = render(configuration.current())
            # Any of them means the default of smtplib's class; None would be 587 for a mailer.
            self.assertEqual(built_from(block).port, 0)

    def test_other_backends_of_django(self):
        folder = enter(self, tempfile.TemporaryDirectory())
        for name in ("console", "dummy", "locmem"):
            self.assertEqualBackend(EMAIL_BACKEND=f"django.core.mail.backends.{name}.EmailBackend")
        for file_path in (folder, f"{folder}/new", Path(folder, "path")):
            self.assertEqualBackend(EMAIL_BACKEND=FILEBASED, EMAIL_FILE_PATH=file_path)

    def test_other_backends(self):
        folder = enter(self, tempfile.TemporaryDirectory())
        login = {"EMAIL_HOST_USER": "ann", "EMAIL_HOST_PASSWORD": "secret"}
        for backend, options in [
            (Signing, {"EMAIL_HOST": "a", "EMAIL_PORT": 2525, **login}),
            (Silent, {"EMAIL_HOST": "a", "EMAIL_USE_TLS": True, **login}),
            (Tenths, {"EMAIL_HOST": "a", "EMAIL_PORT": 2525}),
            (Folder, {"EMAIL_FILE_PATH": folder}),
            (Duck, {}),
        ]:
            block = self.assertEqualBackend(EMAIL_BACKEND=path_of(backend), **options)
            self.assertEqual((block.lost, block.notes), ([], []))

    def test_an_option_that_only_the_setting_gave(self):
        """A backend without SMTP: what it takes is passed, which get_connection() never did."""
        with legacy_settings(EMAIL_BACKEND=path_of(Api), EMAIL_TIMEOUT=5, EMAIL_HOST="a"):
            block = render(configuration.current())
        self.assertEqual(built_from(block).timeout, 5)
        self.assertEqual(block.lost, [f"EMAIL_HOST: {path_of(Api)} does not take 'host'"])


class BlockTests(SimpleTestCase):
    """The text itself, and what is said besides."""

    maxDiff = None

    def render(self, *, show_secrets=False, **email_settings):
        with legacy_settings(**email_settings):
            return render(configuration.current(), show_secrets=show_secrets)

    def test_text(self):
        block = self.render(
            EMAIL_BACKEND=SMTP,
            EMAIL_HOST="smtp.example.com",
            EMAIL_HOST_USER='ann "the" boss',
            EMAIL_USE_TLS=True,
            EMAIL_USE_SSL=False,
            EMAIL_TIMEOUT=10,
        )
        self.assertEqual(
            block.source,
            textwrap.dedent(
                """\
                MAILERS = {
                    "default": {
                        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                        "OPTIONS": {
                            "host": "smtp.example.com",
                            "port": 25,
                            "username": 'ann "the" boss',
                            "use_tls": True,
                            "timeout": 10,
                        },
                    },
                }
                """
            ),
        )
        self.assertEqual((block.lost, block.notes), ([], []))
        self.assertEqual(
            block.replaced,
            [
                *("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_HOST_USER", "EMAIL_TIMEOUT"),
                *("EMAIL_USE_SSL", "EMAIL_USE_TLS"),
            ],
        )

    def test_no_options(self):
        block = self.render(EMAIL_BACKEND=CONSOLE)
        self.assertEqual(
            block.source,
            f'MAILERS = {{\n    "default": {{\n        "BACKEND": "{CONSOLE}",\n    }},\n}}\n',
        )

    def test_no_settings(self):
        values = configuration.Configuration(DEFAULTS, frozenset(), has_mailers=False)
        self.assertEqual(
            render(values).notes,
            ["no EMAIL_* setting is defined: this is Django's default, a mail server on localhost"],
        )

    def test_secrets(self):
        login = {"EMAIL_BACKEND": SMTP, "EMAIL_HOST_USER": "ann", "EMAIL_HOST_PASSWORD": "hunter2"}
        block = self.render(**login)
        self.assertNotIn("hunter2", repr(block))
        self.assertIn('"password": os.environ["EMAIL_HOST_PASSWORD"],', block.text)
        self.assertEqual((block.imports, block.notes), (["import os"], [NOT_SHOWN]))
        with mock.patch.dict(os.environ, EMAIL_HOST_PASSWORD="hunter2"):
            self.assertEqual(built_from(block).password, "hunter2")

        block = self.render(show_secrets=True, **login)
        self.assertIn('"password": "hunter2",', block.text)
        self.assertEqual((block.imports, block.notes), ([], []))

    def test_what_cannot_be_carried_over(self):
        for email_settings, lost in [
            (
                {"EMAIL_BACKEND": CONSOLE, "EMAIL_HOST": "a", "EMAIL_HOST_PASSWORD": "hunter2"},
                [
                    f"EMAIL_HOST: {CONSOLE} does not take 'host'",
                    f"EMAIL_HOST_PASSWORD: {CONSOLE} does not take 'password'",
                ],
            ),
            (
                {"EMAIL_BACKEND": SMTP, "EMAIL_FILE_PATH": "/tmp/mail"},
                [f"EMAIL_FILE_PATH: {SMTP} does not take 'file_path'"],
            ),
            ({"EMAIL_BACKEND": CONSOLE, "EMAIL_PORT": 25, "EMAIL_USE_TLS": False}, []),
            (
                {"EMAIL_BACKEND": path_of(Tenths), "EMAIL_USE_TLS": True},
                [f"EMAIL_USE_TLS: {path_of(Tenths)} does not take 'use_tls'"],
            ),
            (
                {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": object()},
                ["EMAIL_TIMEOUT: a object cannot be written down"],
            ),
            (
                {"EMAIL_BACKEND": SMTP, "EMAIL_HOST": None},
                ["EMAIL_HOST: it is None, and a mailer requires a host"],
            ),
            (
                {"EMAIL_BACKEND": "nowhere.EmailBackend", "EMAIL_HOST": "a"},
                ["EMAIL_HOST: it is unknown whether the backend takes 'host'"],
            ),
        ]:
            with self.subTest(**email_settings):
                block = self.render(**email_settings)
                self.assertEqual(block.lost, lost)
                self.assertNotIn("hunter2", repr(block))

    def test_backends_that_need_a_word(self):
        for backend, note in [
            (
                "nowhere.EmailBackend",
                "EMAIL_BACKEND cannot be imported, so its options are unknown: No module named "
                "'nowhere'",
            ),
            (
                path_of(Ancient),
                f"{path_of(Ancient)} cannot be used in MAILERS yet: its __init__() does not take "
                f"'alias'; let it take **kwargs and pass them to super().__init__()",
            ),
        ]:
            with self.subTest(backend):
                block = self.render(EMAIL_BACKEND=backend)
                self.assertEqual(block.notes, [note])
                self.assertIn(f'"BACKEND": "{backend}",', block.text)
        block = self.render(EMAIL_BACKEND="file", EMAIL_FILE_PATH="/mail")
        self.assertEqual(
            block.notes,
            [
                "EMAIL_BACKEND is 'file', a short name that was removed before Django 1.2; the "
                "block has the backend that it meant"
            ],
        )
        self.assertIn(f'"BACKEND": "{FILEBASED}",', block.text)
        self.assertIn('"file_path": "/mail",', block.text)

    def test_tls_twice(self):
        block = self.render(EMAIL_BACKEND=SMTP, EMAIL_USE_TLS=True, EMAIL_USE_SSL=True)
        self.assertEqual(
            block.notes,
            ["EMAIL_USE_TLS and EMAIL_USE_SSL are both true, so that no mail can be sent"],
        )


class SettingsFileTests(SimpleTestCase):
    """Expressions of the settings file are kept where they mean the same."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory())).resolve()

    def module(self, source, **environment):
        """A settings module, imported with this environment."""
        path = self.folder / "made_settings.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location("made_settings", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with mock.patch.dict(os.environ, environment):
            spec.loader.exec_module(module)
        return module

    def render(self, source, *, show_secrets=False, **environment):
        """The block for a settings file, and its options as they are written.

        It is proven to be the same mailer as the settings make.
        """
        module = self.module(source, **environment)
        values = configuration.of_module(module)
        block = render(values, show_secrets=show_secrets)
        secret = str(values.values["EMAIL_HOST_PASSWORD"])
        if secret and not show_secrets:
            self.assertNotIn(secret, repr(block))
        explicit = {name: values.values[name] for name in values.explicit}
        with legacy_settings(**{"EMAIL_BACKEND": SMTP, **explicit}):
            before = state(get_connection())
        with mock.patch.dict(os.environ, {"EMAIL_HOST_PASSWORD": secret, **environment}):
            self.assertEqual(state(built_from(block, vars(module))), before, block.text)
        lines = [line.strip(" ,") for line in block.text.splitlines() if line.startswith(" " * 12)]
        return block, {line.split('"')[1]: line.partition(": ")[2] for line in lines}

    def test_reads_of_the_environment(self):
        block, options = self.render(
            """\
            import os
            from os import environ, getenv
            from pathlib import Path
            BASE_DIR = Path(__file__).parent
            def env(name, default=None): return environ.get(name, default)
            EMAIL_HOST = os.environ["SMTP"]
            EMAIL_PORT = int(environ.get("PORT", 587))
            EMAIL_HOST_USER: str = getenv('USER_NAME')
            EMAIL_HOST_PASSWORD = env("PASSWORD")
            EMAIL_USE_TLS = env(
                "TLS",
                default="yes",
            ) == "yes"
            EMAIL_TIMEOUT = 5
            EMAIL_SSL_KEYFILE = str(BASE_DIR / "key.pem")
            """,
            SMTP="mail",
            USER_NAME="ann",
            PASSWORD="hunter2",
        )
        self.assertEqual(
            options,
            {
                "host": 'os.environ["SMTP"]',
                "port": 'int(environ.get("PORT", 587))',
                "username": "getenv('USER_NAME')",
                "password": 'env("PASSWORD")',
                "use_tls": "env('TLS', default='yes') == 'yes'",
                "timeout": "5",
                "ssl_keyfile": 'str(BASE_DIR / "key.pem")',
            },
        )
        self.assertEqual((block.imports, block.lost, block.notes), ([], [], []))

    def test_values_that_are_defaults_only_here(self):
        """What the environment decides is kept even if its value is the default today."""
        _, options = self.render(
            """\
            import os
            EMAIL_HOST = "mail"
            EMAIL_HOST_USER = os.environ.get("MAIL_USER", "")
            EMAIL_USE_TLS = bool(os.environ.get("TLS"))
            EMAIL_USE_SSL = False
            """
        )
        self.assertEqual(
            options,
            {
                "host": '"mail"',
                # Without TLS it would be the default, but who knows.
                "port": "25",
                "username": 'os.environ.get("MAIL_USER", "")',
                "use_tls": 'bool(os.environ.get("TLS"))',
            },
        )

    def test_secrets(self):
        for expression, kept in [
            ('os.environ["PASSWORD"]', True),
            ('os.environ.get("PASSWORD")', True),
            ('os.environ.get("PASSWORD", "")', True),
            ('os.getenv("PASSWORD", default=None)', True),
            ('SECRETS["PASSWORD"]', True),
            ('get_secret("PASSWORD")', True),
            ('"hunter2"', False),
            ('os.environ.get("NONE", "hunter2")', False),
            ('os.environ.get("NONE", default="hunter2")', False),
            ('os.environ.get("NONE") or "hunter2"', False),
            ('"hunter" + str(2)', False),
            ('f"hunter{1 + 1}"', False),
            ('decrypt("2retnuh")', False),
            ('b"hunter2".decode()', False),
            ("PLAIN", True),
        ]:
            source = f"""\
                import os
                SECRETS = {{"PASSWORD": "hunter2"}}
                PLAIN = "hunter2"
                def get_secret(name): return SECRETS[name]
                def decrypt(text): return text[::-1]
                EMAIL_HOST_PASSWORD = {expression}
                """
            with self.subTest(expression):
                block, options = self.render(source, PASSWORD="hunter2")
                if kept:
                    self.assertEqual((options["password"], block.notes), (expression, []))
                    continue
                self.assertEqual(options["password"], 'os.environ["EMAIL_HOST_PASSWORD"]')
                self.assertEqual((block.notes, block.imports), ([NOT_SHOWN], []))
                _, options = self.render(source, show_secrets=True, PASSWORD="hunter2")
                # An expression without any name is as good as what it gives.
                literal = expression[0] in '"fb' and "str" not in expression
                self.assertEqual(options["password"], '"hunter2"' if literal else expression)

    def test_a_secret_in_the_expression_of_another_setting(self):
        block, options = self.render(
            """\
            def pick(user, password): return user
            EMAIL_HOST_USER = pick("ann", "hunter2")
            EMAIL_HOST_PASSWORD = "hunter2"
            """
        )
        self.assertEqual(options["username"], '"ann"')
        path = os.path.relpath(self.folder / "made_settings.py")
        present = f"EMAIL_HOST_USER is assigned at {path}:2: the block has its present value"
        self.assertEqual(block.notes, [present, NOT_SHOWN])

    def test_expressions_that_cannot_be_kept(self):
        """Their present value is written down, and where they are is told."""
        for source, line in [
            ("EMAIL_HOST = 'a'\nif EMAIL_HOST: EMAIL_HOST = 'b'", "1 and {}:2"),
            ("if 1:\n    EMAIL_HOST = 'b'\nelse:\n    EMAIL_HOST = 'c'", "2 and {}:4"),
            ("name = 'b'\nEMAIL_HOST = name\nname = 'c'", "2"),
            ("name = 'b'\nif 1: name += ''\nEMAIL_HOST = name", "3"),
            ("name = 'b'\nEMAIL_HOST = name\ndel name", "2"),
            ("for name in 'b': EMAIL_HOST = name", "1"),
            ("EMAIL_HOST, x = 'b', 1", "1"),
            ("EMAIL_HOST = ''\nEMAIL_HOST += 'b'", "1 and {}:2"),
            ("from string import ascii_letters as EMAIL_HOST\nEMAIL_HOST = EMAIL_HOST[1]", "2"),
            ("EMAIL_TIMEOUT = 1\nEMAIL_HOST = 'ab'[EMAIL_TIMEOUT]", "2"),
            ("try: EMAIL_HOST = 1 / 0\nexcept Exception: EMAIL_HOST = 'b'", "1 and {}:2"),
        ]:
            with self.subTest(source):
                block, options = self.render(textwrap.dedent(source) + "\n")
                self.assertEqual(options["host"], '"b"')
                path = os.path.relpath(self.folder / "made_settings.py")
                places = f"{path}:{line.format(path)}"
                self.assertEqual(
                    block.notes,
                    [f"EMAIL_HOST is assigned at {places}: the block has its present value"],
                )

    def test_settings_that_are_assigned_nowhere(self):
        block, options = self.render(
            "class C: HOST = 'b'; PASSWORD = 'hunter2'\n"
            "for name in ('HOST', 'HOST_PASSWORD'):\n"
            "    vars()['EMAIL_' + name] = getattr(C, name[-8:])\n"
        )
        path = os.path.relpath(self.folder / "made_settings.py")
        self.assertEqual(options, {"host": '"b"', "password": 'os.environ["EMAIL_HOST_PASSWORD"]'})
        self.assertEqual(
            (block.imports, block.notes),
            (
                ["import os"],
                [
                    f"EMAIL_HOST is perhaps assigned at {path}:3: the block has its present value",
                    NOT_SHOWN,
                    f"{path}:3 may define settings that the command does not see: the block has "
                    f"the values in force now",
                ],
            ),
        )

    def test_a_backend_that_varies(self):
        path = os.path.relpath(self.folder / "made_settings.py")
        for source, why in [
            (
                f"import os\nEMAIL_BACKEND = os.environ.get('BACKEND', '{CONSOLE}')\n",
                f"reads os.environ.get('BACKEND', '{CONSOLE}')",
            ),
            (
                f"EMAIL_BACKEND = '{SMTP}'\nif 1:\n    EMAIL_BACKEND = '{CONSOLE}'\n",
                f"is assigned at {path}:1 and {path}:3",
            ),
        ]:
            with self.subTest(source):
                block, options = self.render(source)
                self.assertEqual(options, {})
                self.assertEqual(
                    block.notes,
                    [
                        f"EMAIL_BACKEND {why}: the block is for its present value; another backend "
                        f"has other options, so let the settings choose between complete entries "
                        f"of MAILERS"
                    ],
                )

    def test_settings_in_several_files(self):
        """`from .base import *`: what comes last counts, and names of either file may be used."""
        package = self.folder / "made_package"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "base.py").write_text(
            "import os\nEMAIL_HOST = 'dev'\nEMAIL_PORT = int(os.environ['PORT'])\n"
            "EMAIL_TIMEOUT = 1\n"
        )
        (package / "production.py").write_text(
            "from .base import *\nimport os\nEMAIL_HOST = os.environ['SMTP']\nEMAIL_TIMEOUT = 2\n"
        )
        with (
            mock.patch("sys.path", [str(self.folder), *os.sys.path]),
            mock.patch.dict("sys.modules"),
            mock.patch.dict(os.environ, PORT="2525", SMTP="mail"),
        ):
            module = importlib.import_module("made_package.production")
            block = render(configuration.of_module(module))
        self.assertEqual(
            [line.strip() for line in block.text.splitlines()[4:-3]],
            [
                "\"host\": os.environ['SMTP'],",
                "\"port\": int(os.environ['PORT']),",
                '"timeout": 2,',
            ],
        )
        self.assertEqual(block.notes, [])


class ConfigurationTests(SimpleTestCase):
    def test_defaults_are_those_of_django(self):
        """As long as Django has them."""
        from django.conf import global_settings

        own = {name: value for name, value in vars(global_settings).items() if name in DEFAULTS}
        self.assertEqual(own, {name: DEFAULTS[name] for name in own})

    def test_beside_mailers(self):
        with override_settings(MAILERS={"default": {}}):
            current = configuration.current()
        self.assertIs(current.has_mailers, True)
        self.assertIsNone(current.error)
        with legacy_settings(EMAIL_HOST="a"):
            current = configuration.current()
        self.assertIs(current.has_mailers, False)
        self.assertEqual(current.values["EMAIL_HOST"], "a")
        self.assertIn("EMAIL_HOST", current.explicit)
        self.assertEqual(current.installed_apps, tuple(settings.INSTALLED_APPS))

    def test_settings_that_django_cannot_load(self):
        error = ImproperlyConfigured("Not together.")
        module = ModuleType("made_settings")
        vars(module).update(EMAIL_PORT=2525, MAILERS={}, INSTALLED_APPS=["shop"])
        current = configuration.of_module(module, error)
        self.assertEqual(current.values, DEFAULTS | {"EMAIL_PORT": 2525})
        self.assertEqual(current.explicit, {"EMAIL_PORT"})
        self.assertEqual(
            (current.has_mailers, current.installed_apps, current.module_name, current.error),
            (True, ("shop",), "made_settings", error),
        )
