"""What the options of the pooled SMTP backend do, and what they may be."""

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.core.mail import InvalidMailer, mailers
from django.test import override_settings

from django_mailers import send_many
from django_mailers.backends.smtp import OPTIONS, EmailBackend
from django_mailers.smtp import PoolTimeout

from .support.messages import message
from .support.servers import HOST, POLITE, TIMEOUT, ScriptedServer, SMTPServer, enter
from .support.sink import Sink
from .support.smtp import ALIAS, MESSAGE, OURS, SMTPBackendTestCase, entry, get_token, greeting
from .support.utils import legacy_settings


class InvalidOptionTests(SMTPBackendTestCase):
    def assertInvalid(self, text, **options):
        settings = {ALIAS: {"BACKEND": OURS, "OPTIONS": {"host": HOST, **options}}}
        with (
            self.subTest(**options),
            override_settings(MAILERS=settings),
            self.assertRaisesExactly(InvalidMailer, f"MAILERS[{ALIAS!r}]: {text}"),
        ):
            mailers[ALIAS]

    def test_as_djangos(self):
        self.assertInvalid("OPTIONS must define 'host'.", host=None)
        self.assertInvalid("Unknown options 'pool', 'x'.", pool=1, x=2)
        self.assertInvalid(
            "The 'use_ssl' and 'use_tls' OPTIONS are incompatible. "
            "Set at most one of them to True.",
            use_tls=True,
            use_ssl=True,
        )

    def test_values(self):
        for names, expected, values in [
            (["pool_size"], "an int, 0 or greater", [-1, 1.5, "4", True]),
            (["max_messages", "parallel"], "an int greater than 0", [0, -1, 1.5, "4", True]),
            (["max_age", "max_idle"], "a number of seconds greater than 0", [0, -1, "5"]),
            (["check_after", "acquire_timeout"], "a number of seconds, 0 or greater", [-1, "5"]),
            (["pipelining", "chunking"], "'auto' or False", [True, "on", "", 0, []]),
            (["ca_file"], "a str or a Path", [5, True]),
            (["tls_min_version"], "'1.2' or '1.3'", ["1.1", "", 1.3]),
            (
                ["local_hostname"],
                "a host name of 1 to 255 ASCII characters, without whitespace",
                ["", 5, "hôst", "host name", "host\n", "host\x7f", "h" * 256],
            ),
            (
                ["source_address"],
                "a str, or a tuple of a str and an int",
                [5, (HOST,), (HOST, "0"), [HOST, 0]],
            ),
            (["auth"], "'xoauth2'", ["plain", "", True]),
            (["token"], "a callable or the path of one", ["", 5]),
        ]:
            for name in names:
                for value in values:
                    self.assertInvalid(f"OPTIONS {name!r} must be {expected}.", **{name: value})

    def test_what_does_not_go_together(self):
        self.assertInvalid(
            "OPTIONS 'parallel' must not be greater than 'pool_size'.", parallel=3, pool_size=2
        )
        self.assertInvalid("OPTIONS 'ssl_keyfile' needs 'ssl_certfile'.", ssl_keyfile="k.pem")
        for options in ({}, {"username": "ada"}, {"token": get_token}):
            self.assertInvalid(
                "OPTIONS 'auth' needs 'username' and 'token'.", auth="xoauth2", **options
            )
        self.assertInvalid(
            "OPTIONS 'token' needs 'auth', which must be 'xoauth2'.", username="a", token=get_token
        )
        for option in ({"ca_file": "ca.pem"}, {"tls_min_version": "1.2"}):
            [name] = option
            self.assertInvalid(f"OPTIONS {name!r} needs 'use_tls' or 'use_ssl'.", **option)

    def test_without_mailers(self):
        """There is no alias to name."""
        with (
            legacy_settings(EMAIL_HOST=HOST),
            self.assertRaisesExactly(
                InvalidMailer, "OPTIONS 'parallel' must be an int greater than 0."
            ),
        ):
            EmailBackend(parallel=0)

    def test_the_documentation_has_each(self):
        """In a directive, which takes all but the meaning from the table."""
        page = (Path(__file__).resolve().parent.parent / "docs" / "smtp.rst").read_text()
        _, _, block = page.partition(f".. backend-options:: {OURS}\n\n")
        names = re.findall(r"^   ``(\w+)``$", block.partition("\n\n")[0], re.MULTILINE)
        self.assertEqual(names, [*OPTIONS])

    def test_none_is_as_good_as_nothing(self):
        """As with Django's own options."""
        sink = enter(self, Sink())
        for name in OPTIONS:
            with (
                self.subTest(name),
                override_settings(MAILERS={ALIAS: entry(sink, **{name: None})}),
            ):
                for _ in range(2):
                    self.assertEqual(message().send(using=ALIAS), 1)

    def test_a_token_that_cannot_be_imported(self):
        """It shows when it is needed: settings are too early to import much."""
        self.serve(auth="xoauth2", username="ada", token="tests.no_such.token", fail_silently=True)
        backend = mailers[ALIAS]
        text = (
            f"MAILERS[{ALIAS!r}]: Could not import OPTIONS 'token' 'tests.no_such.token': "
            "No module named 'tests.no_such'"
        )
        for function in (
            backend.open,
            lambda: backend.send_messages([message()]),
            lambda: send_many([message()], using=ALIAS),
        ):
            with self.assertRaisesExactly(InvalidMailer, text):
                function()


class EffectTests(SMTPBackendTestCase):
    """What each option changes."""

    def send(self, times=1):
        for _ in range(times):
            self.assertEqual(message().send(using=ALIAS), 1)

    def test_pool_size(self):
        sink = self.serve(pool_size=1, acquire_timeout=0)
        expected = PoolTimeout(f"{sink.host}:{sink.port}: No session became free in 0 seconds.")
        with mailers[ALIAS], ThreadPoolExecutor(1) as executor:
            # Another thread: the one that has the session would wait for itself.
            error = executor.submit(self.error, message().send, using=ALIAS).result(TIMEOUT)
            self.assertEqual(error, repr(expected))
        self.send()

    def test_no_pool(self):
        sink = self.serve(pool_size=0, parallel=2)
        self.send(2)
        with mailers[ALIAS] as backend:
            backend.send_messages([message()])
            backend.send_messages([message()])
        self.assertEqual(
            sink.commands, [["EHLO", *MESSAGE, "QUIT"]] * 2 + [["EHLO", *MESSAGE * 2, "QUIT"]]
        )

    def test_max_messages(self):
        sink = self.serve(max_messages=2)
        self.send(3)
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE * 2, "QUIT"], ["EHLO", *MESSAGE]])

    def test_max_age_and_max_idle(self):
        for option in ("max_age", "max_idle"):
            with self.subTest(option), Sink() as sink:
                with override_settings(MAILERS={ALIAS: entry(sink, **{option: 1e-9})}):
                    self.send(2)
                self.assertEqual(sink.commands, [["EHLO", *MESSAGE, "QUIT"]] * 2)

    def test_check_after(self):
        sink = self.serve(check_after=0)
        self.send(2)
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE, "NOOP", *MESSAGE]])

    def test_extensions(self):
        for options, expected in [
            ({"pipelining": "auto", "chunking": "auto"}, [["MAIL", "RCPT", "BDAT"]]),
            ({"pipelining": False}, [["MAIL"], ["RCPT"], ["BDAT"]]),
            ({"chunking": False}, [["MAIL", "RCPT", "DATA"], ["."]]),
            ({"pipelining": False, "chunking": False}, [["MAIL"], ["RCPT"], ["DATA"], ["."]]),
        ]:
            with (
                self.subTest(**options),
                Sink(chunking=True) as sink,
                override_settings(MAILERS={ALIAS: entry(sink, **options)}),
            ):
                # The second message: before it the pool finds out whether CHUNKING is safe.
                self.send(2)
                # Content may come in another segment than the commands before it.
                reads = [read for read in sink.connections[0].reads[1:] if read]
                self.assertEqual(reads[-len(expected) :], expected)

    def test_local_hostname(self):
        server = self.serve(SMTPServer(), local_hostname="mailer.example.com")
        self.send()
        self.assertEqual(server.sessions[0].ehlo, "mailer.example.com")

    def test_source_address(self):
        # Bound but never connected, so that it is free at once.
        with socket.create_server((HOST, 0)) as other:
            port = other.getsockname()[1]
        for source_address in ((HOST, port), HOST):
            with self.subTest(source_address=source_address), Sink() as sink:
                settings = {ALIAS: entry(sink, source_address=source_address)}
                with override_settings(MAILERS=settings), mailers[ALIAS] as backend:
                    address = backend.connection.sock.getsockname()
                    self.assertEqual(address[0], HOST)
                    self.assertEqual(address[1] == port, source_address != HOST)

    def test_parallel(self):
        # Each session needs a token, which none gets before three of them want it.
        start = threading.Barrier(3, timeout=TIMEOUT)

        def token():
            start.wait(TIMEOUT)
            return "token"

        script = [*greeting("XOAUTH2"), ("AUTH", "235 Yes"), *POLITE[2:] * 2]
        server = self.serve(
            ScriptedServer(script), parallel=3, auth="xoauth2", username="ada", token=token
        )
        messages = [message(to=[f"{number}@example.com"]) for number in range(6)]
        self.assertEqual(mailers[ALIAS].send_messages(messages), 6)
        recipients = [
            [line[9] for line in lines if line.startswith("RCPT")] for lines in server.received
        ]
        self.assertEqual(sorted(recipients), [["0", "1"], ["2", "3"], ["4", "5"]])
