"""`manage.py mailers` in the hands of a person, of a pipe and of a program."""

import io
import json
import pkgutil
import sys
from decimal import Decimal
from types import MappingProxyType
from unittest import mock

from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, override_settings, tag
from django.utils.functional import lazystr
from django.utils.module_loading import import_string

from django_mailers import backends
from django_mailers.checks.constructor import kinds_of
from django_mailers.diagnosis import Step
from django_mailers.signatures import signature_of

from .support.processes import run_python
from .support.servers import ScriptedServer, SMTPServer, enter
from .support.utils import LOCMEM, OURS, SMTP

try:
    from .support.nameserver import NameServer
except ImportError:
    NameServer = None

FORWARDING = "tests.support.wrappers.ForwardingBackend"
SENDER = "shop@example.com"
EMPTY = "There are no mailers: MAILERS is empty or not defined.\n"


class Odd(BaseEmailBackend):
    def verify(self):
        return [Step(lazystr("key"), True, lazystr("lazy"), lazystr("hint"), Decimal("1.5"))]


class Terminal(io.StringIO):
    def isatty(self):
        return True


class CommandTestCase(SimpleTestCase):
    maxDiff = None

    def call(self, *arguments, mailers, stream=None, **settings):
        output = io.StringIO() if stream is None else stream
        status = 0
        with override_settings(MAILERS=mailers, **settings):
            try:
                call_command("mailers", *arguments, stdout=output, no_color=True)
            except SystemExit as error:
                status = error.code
        return status, output.getvalue() if stream is None else ""

    def entry(self, server, **options):
        options = {"host": server.host, "port": server.port, "timeout": 10, **options}
        return {"BACKEND": OURS, "OPTIONS": options}


class OverviewTests(CommandTestCase):
    def test_what_is_wrong_with_mailers_as_a_whole(self):
        status, output = self.call(mailers=[])
        self.assertEqual(status, 0)
        self.assertIn("mailers.E001: MAILERS must be a dict, not of type list.", output)

    def test_what_is_wrong_around_mailers(self):
        logging = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "mail": {"class": "django_mailers.log.AdminEmailHandler", "using": "admins"}
            },
        }
        _, output = self.call(mailers={"default": {"BACKEND": LOCMEM}}, LOGGING=logging)
        self.assertIn("mailers.E014: ", output)
        self.assertIn("\n  -> ", output)
        _, output = self.call(
            mailers={"default": {"BACKEND": LOCMEM}},
            LOGGING=logging,
            SILENCED_SYSTEM_CHECKS=["mailers.E014"],
        )
        self.assertNotIn("E014", output)

    def test_servers(self):
        _, output = self.call(
            mailers={
                "default": {"BACKEND": SMTP, "OPTIONS": {"host": "::1"}},
                "none": {"BACKEND": SMTP, "OPTIONS": {}},
            }
        )
        lines = output.splitlines()
        self.assertEqual(lines[1].split(), ["default", SMTP, "[::1]:25", "plain", "text", "no"])
        self.assertEqual(lines[2].split(), ["none", SMTP])

    def test_the_tree_of_each_of_our_wrappers(self):
        """And so the checks know what each of our backends takes, whatever its __init__() does."""
        names = [module.name for module in pkgutil.iter_modules(backends.__path__)]
        for name in names:
            if name.startswith("_") or name == "base":
                continue
            path = f"django_mailers.backends.{name}.EmailBackend"
            backend = import_string(path)
            with self.subTest(path):
                kinds = kinds_of(signature_of(backend))
                self.assertEqual(backend.all_options.keys() - kinds.keys(), set())
                if "using" in kinds:
                    mailers = {
                        "default": {"BACKEND": path, "OPTIONS": {"using": "inner"}},
                        "inner": {"BACKEND": LOCMEM},
                    }
                    _, output = self.call(mailers=mailers)
                    rows = [line.split()[0] for line in output.splitlines()[1:3]]
                    self.assertEqual(rows, ["default", "inner"])


class StatusTests(CommandTestCase):
    def test_nothing_to_verify(self):
        for mailers in ({}, [], MappingProxyType({})):
            with self.subTest(mailers=mailers):
                self.assertEqual(self.call("verify", mailers=mailers), (1, EMPTY))
                status, output = self.call("verify", "--json", mailers=mailers)
                found = {"ok": False, "mailers": [], "dns": []}
                self.assertEqual((status, json.loads(output)), (1, found))

    def test_wrong_arguments(self):
        for arguments, settings, text in [
            (["--timeout", "nan"], {}, "--timeout must be"),
            (["--timeout", "inf"], {}, "--timeout must be"),
            (["--to", "a@b.c"], {"DEFAULT_FROM_EMAIL": ""}, "--to needs --from"),
            (["--dns", "--from", "shop"], {}, "--dns needs --from"),
            (["--dns", "--nameserver", "dns.example"], {}, "--nameserver must be"),
            (["--dns", "--nameserver", "1.2.3.4:99999"], {}, "--nameserver must be"),
            (["--dns", "--nameserver", "1.2.3.4:x"], {}, "--nameserver must be"),
            (["nobody"], {}, "The mailer 'nobody' is not configured."),
        ]:
            with self.subTest(arguments):
                with self.assertRaisesMessage(CommandError, text) as caught:
                    self.call("verify", *arguments, mailers={"default": {}}, **settings)
                self.assertEqual(caught.exception.returncode, 2)
        with self.assertRaises(CommandError) as caught:
            self.call("verify", "default", mailers=5)
        self.assertEqual(caught.exception.returncode, 2)

    def test_without_dnspython_nothing_is_tried(self):
        with SMTPServer() as server, mock.patch.dict(sys.modules, {"dns.resolver": None}):
            with self.assertRaisesMessage(CommandError, "needs dnspython") as caught:
                self.call(
                    "verify", "--dns", "--from", SENDER, mailers={"default": self.entry(server)}
                )
            self.assertEqual(caught.exception.returncode, 2)
            self.assertEqual(server.sessions, [])

    @tag("slow")
    def test_in_a_process(self):
        """As a program sees it: the status, JSON alone on stdout, errors alone on stderr."""
        dummy = "django.core.mail.backends.dummy.EmailBackend"
        wrong = {"BACKEND": "no.such.Backend", "OPTIONS": {"password": "s3cret"}}
        for arguments, status in [
            (["good", "--json"], 0),
            (["--json"], 1),
            (["nobody", "--json"], 2),
            (["--timeout", "soon", "--json"], 2),
        ]:
            with self.subTest(arguments):
                done = run_python(
                    f"""
                    configure(MAILERS={{"good": {{"BACKEND": {dummy!r}}}, "bad": {wrong!r}}})
                    from django.core.management import execute_from_command_line
                    execute_from_command_line(["manage.py", "mailers", "verify", *{arguments!r}])
                    """
                )
                self.assertEqual(done.returncode, status, done.stderr)
                if status < 2:
                    self.assertIs(json.loads(done.stdout)["ok"], status == 0)
                    self.assertEqual(done.stderr, "")
                else:
                    self.assertEqual(done.stdout, "")
                    self.assertNotIn("Traceback", done.stderr)
                self.assertNotIn("s3cret", done.stdout + done.stderr)


class OutputTests(CommandTestCase):
    def test_json_of_what_is_not_text(self):
        mailers = {"default": {"BACKEND": f"{__name__}.Odd"}}
        status, output = self.call("verify", "--json", mailers=mailers)
        step = json.loads(output)["mailers"][0]["steps"][1]
        self.assertEqual(
            (status, step),
            (0, {"name": "key", "ok": True, "detail": "lazy", "hint": "hint", "ms": "1.5"}),
        )

    def test_a_file_that_takes_ascii_only(self):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii")
        script = [(None, "220 grüße"), ("EHLO", "250 a"), ("MAIL", "553 Nö")]
        with ScriptedServer(script) as server:
            status, _ = self.call(
                *("verify", "--from", SENDER),
                mailers={"default": self.entry(server)},
                stream=stream,
            )
        stream.flush()
        self.assertEqual(status, 1)
        self.assertIn(rb"220 gr\xfc\xdfe", raw.getvalue())

    def test_a_short_alias_overwrites_the_mark_of_waiting(self):
        terminal = Terminal()
        self.call(
            "verify", mailers={"a": {"BACKEND": LOCMEM}, "b": {"BACKEND": LOCMEM}}, stream=terminal
        )
        self.assertIn("  …\rb  \n", terminal.getvalue())


class SelectorsTests(CommandTestCase):
    def setUp(self):
        if NameServer is None:
            self.skipTest("dnspython is not installed.")

    def test_keys_below_wrappers(self):
        """And nothing stops at a mailer that is wrong."""
        names = enter(self, NameServer({}))
        server = enter(self, SMTPServer())
        signing = {"domain": "example.com", "selector": "s1", "key": "/nowhere/key.pem"}
        status, output = self.call(
            *("verify", "--json", "--dns", "--from", SENDER),
            *("--nameserver", f"{names.host}:{names.port}"),
            mailers={
                "default": {"BACKEND": FORWARDING, "OPTIONS": {"using": "bulk"}},
                "bulk": self.entry(server, dkim=signing),
                "wrong": {"BACKEND": "no.such.Backend"},
            },
        )
        self.assertEqual(status, 1)
        found = json.loads(output)["dns"]
        self.assertEqual(
            [step["name"] for step in found], ["mx", "spf", "dmarc", "dkim", "alignment"]
        )
        self.assertIn(("s1._domainkey.example.com", "TXT"), names.asked)
