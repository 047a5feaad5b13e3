"""The pooled SMTP backend over TLS, its logins, and what stays secret."""

import base64
import logging
import smtplib
import ssl
import traceback
from contextlib import contextmanager
from pathlib import Path

import trustme
from django.core.mail import mailers
from django.test import override_settings

from django_mailers import send_many
from django_mailers.smtp import Lease

from .support.messages import message
from .support.servers import (
    HOST,
    POLITE,
    TIMEOUT,
    ScriptedServer,
    certificates,
    client_certificate_files,
    enter,
    server_context,
)
from .support.sink import Sink
from .support.smtp import (
    ALIAS,
    MESSAGE,
    TOKENS,
    SMTPBackendTestCase,
    entry,
    get_token,
    greeting,
    subjects,
)


class TLSTests(SMTPBackendTestCase):
    """With certificates of our own CA, in `ca_file`."""

    def setUp(self):
        super().setUp()
        self.ca_file = Path(enter(self, certificates.ca.cert_pem.tempfile()))

    def sink(self, certificate=None, **options):
        return Sink(tls_context=server_context(certificate), **options)

    # The option, and whether TLS is there from the first byte on.
    both = [("use_tls", False), ("use_ssl", True)]

    def test_login(self):
        for option, implicit in self.both:
            users = {"ada": "pass word"}
            with self.subTest(option), self.sink(implicit=implicit, users=users) as sink:
                login = {"username": "ada", "password": "pass word"}
                settings = entry(sink, ca_file=self.ca_file, **{option: True}, **login)
                with override_settings(MAILERS={ALIAS: settings}):
                    self.assertEqual(message().send(using=ALIAS), 1)
                start = ["EHLO"] if implicit else ["EHLO", "STARTTLS", "EHLO"]
                self.assertEqual(sink.commands, [[*start, "AUTH", *MESSAGE, "QUIT"]])
                self.assertEqual(sink.connections[0].user, "ada")

    def test_bad_certificates(self):
        """Nothing is said to such a server but EHLO and STARTTLS."""
        for name, reason in [
            ("expired", "certificate has expired"),
            ("wrong_host", f"IP address mismatch, certificate is not valid for '{HOST}'."),
            ("unknown_ca", "unable to get local issuer certificate"),
        ]:
            for option, implicit in self.both:
                with (
                    self.subTest(option, certificate=name),
                    self.sink(getattr(certificates, name), implicit=implicit) as sink,
                ):
                    options = {"ca_file": self.ca_file, option: True}
                    settings = entry(sink, username="ada", password="pass word", **options)
                    with override_settings(MAILERS={ALIAS: settings}):
                        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                            message().send(using=ALIAS)
                        [result] = send_many([message()], using=ALIAS)
                    error = caught.exception
                    self.assertEqual(error.verify_message, reason)
                    self.assertIn(f"{HOST}:{sink.port}: ", str(error))
                    self.assertEqual((result.status, str(result.error)), ("failed", str(error)))
                    expected = [] if implicit else [["EHLO", "STARTTLS"]] * 2
                    self.assertEqual(sink.commands, expected)

    def test_the_certificate_of_the_server_is_renewed(self):
        sink = enter(self, self.sink())
        settings = entry(sink, use_tls=True, ca_file=self.ca_file, max_messages=1)
        enter(self, override_settings(MAILERS={ALIAS: settings}))
        message("old").send(using=ALIAS)
        sink.starttls = server_context(certificates.ca.issue_cert(HOST))
        message("new").send(using=ALIAS)
        sink.starttls = server_context(certificates.expired)
        with self.assertRaises(ssl.SSLCertVerificationError):
            message("expired").send(using=ALIAS)
        self.assertEqual(subjects(sink), ["old", "new"])

    def test_the_ca_file_is_replaced(self):
        other_ca = trustme.CA()
        sink = enter(self, self.sink(other_ca.issue_cert(HOST)))
        settings = entry(sink, use_tls=True, ca_file=self.ca_file, max_messages=1)
        enter(self, override_settings(MAILERS={ALIAS: settings}))
        with self.assertRaises(ssl.SSLCertVerificationError):
            message("before").send(using=ALIAS)
        # A process that was started long ago goes by the new one.
        self.ca_file.write_bytes(other_ca.cert_pem.bytes())
        self.assertEqual(message("after").send(using=ALIAS), 1)

    def test_tls_min_version(self):
        context = server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        sink = enter(self, Sink(tls_context=context))
        options = {"use_tls": True, "ca_file": self.ca_file}
        with (
            override_settings(MAILERS={ALIAS: entry(sink, tls_min_version="1.2", **options)}),
            mailers[ALIAS] as backend,
        ):
            self.assertEqual(backend.connection.sock.version(), "TLSv1.2")
        with (
            override_settings(MAILERS={ALIAS: entry(sink, tls_min_version="1.3", **options)}),
            self.assertRaises(ssl.SSLError) as caught,
        ):
            mailers[ALIAS].open()
        self.assertIn(f"{HOST}:{sink.port}: [SSL: ", str(caught.exception))

    def test_client_certificate(self):
        context = server_context(client_ca=certificates.ca)
        files = enter(self, client_certificate_files())
        sink = self.serve(Sink(tls_context=context), use_tls=True, ca_file=self.ca_file, **files)
        self.assertEqual(message().send(using=ALIAS), 1)
        self.assertEqual(subjects(sink), ["Hello"])

    def test_missing_files_are_named(self):
        """A str, bytes or Path, as Django's backend takes for its own."""
        sink = enter(self, self.sink())
        for name in ("ca_file", "ssl_certfile"):
            for path in ("/nonexistent/x.pem", Path("/nonexistent/x.pem"), b"/nonexistent/x.pem"):
                options = {"use_tls": True, "ca_file": self.ca_file, name: path}
                settings = {ALIAS: entry(sink, **options)}
                with self.subTest(name, path=path), override_settings(MAILERS=settings):
                    with self.assertRaises(FileNotFoundError) as caught:
                        message().send(using=ALIAS)
                    self.assertIn("/nonexistent/x.pem", str(caught.exception))

    def test_starttls_that_is_not_offered(self):
        """use_tls means that it is required: nobody gets the password otherwise."""
        sink = self.serve(
            Sink(users={"ada": "pass word"}), use_tls=True, username="ada", password="pass word"
        )
        expected = smtplib.SMTPNotSupportedError(
            f"{HOST}:{sink.port}: STARTTLS extension not supported by server."
        )
        self.assertEqual(self.error(mailers[ALIAS].open), repr(expected))
        self.assertEqual(self.error(message().send, using=ALIAS), repr(expected))
        [result] = send_many([message()], using=ALIAS)
        self.assertEqual((result.status, repr(result.error)), ("failed", repr(expected)))
        for connection in sink.connections:
            self.assertTrue(connection.ended.wait(TIMEOUT))
        self.assertEqual(sink.commands, [["EHLO"]] * 3)

    def test_starttls_that_is_refused(self):
        sink = self.serve(self.sink(), use_tls=True, ca_file=self.ca_file)
        sink.behave = lambda line: "454 Not now" if line == "STARTTLS" else None
        expected = smtplib.SMTPResponseException(454, b"Not now")
        self.assertEqual(self.error(message().send, using=ALIAS), repr(expected))
        self.assertEqual(sink.commands, [["EHLO", "STARTTLS"]])


TAKEN = [*POLITE[2:], ("QUIT", "221 Bye")]
REFUSED = [("AUTH", "334 eyJzdGF0dXMiOiI0MDEifQ=="), ("", "535 5.7.8 Refused")]


class XOAuth2Tests(SMTPBackendTestCase):
    def bearers(self, server):
        """The tokens that the server was shown, on each connection."""
        return [
            [
                base64.b64decode(line.split()[2]).decode().split("Bearer ")[1].strip("\1")
                for line in lines
                if line.startswith("AUTH")
            ]
            for lines in server.received
        ]

    def serve_tokens(self, *scripts, **options):
        server = ScriptedServer(*scripts)
        options = {"auth": "xoauth2", "username": "ada", "max_messages": 1, **options}
        return self.serve(server, **options)

    def test_a_callable_and_a_path(self):
        for token in (get_token, f"{__name__}.get_token"):
            with self.subTest(token=token):
                script = [*greeting("XOAUTH2"), ("AUTH", "235 Yes"), *TAKEN]
                with ScriptedServer(script) as server:
                    options = {"auth": "xoauth2", "username": "ada", "token": token}
                    with override_settings(MAILERS={ALIAS: entry(server, **options)}):
                        self.assertEqual(message().send(using=ALIAS), 1)
                    self.assertEqual(self.bearers(server), [["first token"]])

    def test_it_is_kept_until_it_is_refused(self):
        tokens = iter(TOKENS)
        good = [*greeting("XOAUTH2"), ("AUTH", "235 Yes"), *TAKEN]
        expired = [*greeting("XOAUTH2"), *REFUSED, ("AUTH", "235 Yes"), *TAKEN]
        server = self.serve_tokens(good, good, expired, token=lambda: next(tokens))
        for _ in range(3):
            self.assertEqual(message().send(using=ALIAS), 1)
        self.assertEqual(
            self.bearers(server),
            [["first token"], ["first token"], ["first token", "second token"]],
        )

    def test_a_new_one_that_is_refused(self):
        server = self.serve_tokens([*greeting("XOAUTH2"), *REFUSED], token=get_token)
        expected = smtplib.SMTPAuthenticationError(535, b"5.7.8 Refused")
        self.assertEqual(self.error(message().send, using=ALIAS), repr(expected))
        self.assertEqual(self.bearers(server), [["first token"]])

    def test_a_server_that_does_not_know_it(self):
        server = self.serve_tokens(greeting("PLAIN"), token=get_token)
        expected = smtplib.SMTPNotSupportedError(
            f"{HOST}:{server.port}: AUTH XOAUTH2 not supported by server."
        )
        self.assertEqual(self.error(message().send, using=ALIAS), repr(expected))

    def test_a_token_that_is_not_to_be_had(self):
        """Whatever the library for it raises: it is raised, and what was sent is still reported."""

        class RefreshError(Exception):
            pass

        tokens = iter(TOKENS[:1])

        def token():
            for value in tokens:
                return value
            raise RefreshError("no refresh token")

        good = [*greeting("XOAUTH2"), ("AUTH", "235 Yes"), *TAKEN]
        expired = [*greeting("XOAUTH2"), *REFUSED]
        self.serve_tokens(good, expired, token=token)
        report = send_many([message("1"), message("2")], using=ALIAS)
        self.assertEqual(
            [(result.status, repr(result.error)) for result in report],
            [("sent", "None"), ("failed", "RefreshError('no refresh token')")],
        )

    def test_open_without_a_token(self):
        """Nothing is pinned by it, and it is no failure of the connection to be silent about."""
        tokens = [LookupError("no token"), "token"]

        def token():
            value = tokens.pop(0)
            if isinstance(value, Exception):
                raise value
            return value

        good = [*greeting("XOAUTH2"), ("AUTH", "235 Yes"), *TAKEN]
        self.serve_tokens(greeting("XOAUTH2"), good, token=token, fail_silently=True)
        backend = mailers[ALIAS]
        self.assertEqual(self.error(backend.open), "LookupError('no token')")
        self.assertEqual(backend.send_messages([message()]), 1)
        self.assertEqual(backend.pool.stats()["busy"], 0)


class SecretTests(SMTPBackendTestCase):
    """No password and no token is shown anywhere, not even by a server that repeats it."""

    @contextmanager
    def assertNothingShown(self, *secrets):
        shown = []
        with self.assertLogs("django_mailers", "DEBUG") as logs:
            logging.getLogger("django_mailers").debug("assertLogs() wants something.")
            yield shown
        shown += logs.output
        text = "\n".join(shown)
        self.assertIn("535", text)
        for secret in secrets:
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                self.assertNotIn(form, text)

    def describe(self, shown):
        """Try all ways of sending; add all that a log or an error report may show of it."""
        backend = mailers[ALIAS]
        for function in (
            backend.open,
            lambda: backend.send_messages([message()]),
            lambda: message().send(using=ALIAS),
        ):
            with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
                function()
            shown += traceback.format_exception(caught.exception)
            shown.append(repr(caught.exception))
        report = send_many([message()], using=ALIAS)
        [result] = report
        shown += [
            repr(report),
            str(result),
            result.text,
            repr(result.error),
            repr(vars(result.error)),
        ]
        shown += [repr(backend), repr(backend.pool), repr(backend.pool.server)]
        shown += [repr(Lease(backend.pool)), repr(backend.pool.stats())]

    def test_password(self):
        plain = base64.b64encode(b"\0ada\0pass word").decode()
        for repeated in ("pass word", plain, base64.b64encode(b"pass word").decode()):
            with (
                self.subTest(repeated),
                ScriptedServer(
                    [*greeting("PLAIN"), ("AUTH", f"535 Not you: {repeated}")]
                ) as server,
            ):
                settings = {ALIAS: entry(server, username="ada", password="pass word")}
                with (
                    override_settings(MAILERS=settings),
                    self.assertNothingShown("pass word", "\0ada\0pass word") as shown,
                ):
                    self.describe(shown)

    def test_token(self):
        bearer = "user=ada\1auth=Bearer first token\1\1"
        encoded = base64.b64encode(bearer.encode()).decode()
        for repeated in ("first token", encoded):
            with (
                self.subTest(repeated),
                ScriptedServer(
                    [*greeting("XOAUTH2"), ("AUTH", f"535 Not you: {repeated}")]
                ) as server,
            ):
                settings = {ALIAS: entry(server, username="ada", auth="xoauth2", token=get_token)}
                with (
                    override_settings(MAILERS=settings),
                    self.assertNothingShown("first token", bearer) as shown,
                ):
                    self.describe(shown)

    def test_nothing_of_a_message_is_logged(self):
        self.serve(max_messages=1)
        with self.assertLogs("django_mailers", "DEBUG") as logs:
            mailers[ALIAS].send_messages([message("Hello"), message("Bob")])
            sink = mailers[ALIAS].pool.server
        text = "\n".join(logs.output)
        self.assertIn(f"{sink.host}:{sink.port}", text)
        for secret in ("example.com", "Hello", "Bob"):
            self.assertNotIn(secret, text)
