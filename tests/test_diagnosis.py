"""verify(): each step of a real server, each fault with its way out, and what is never shown."""

import datetime
import io
import json
import smtplib
import socket
import ssl
import tempfile
from unittest import mock

from django.core.mail import MailerDoesNotExist
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, override_settings

from django_mailers.diagnosis import Step, hints, verify
from django_mailers.diagnosis.addresses import is_public
from django_mailers.testing.server import SMTPServer as PlainServer

from .support.servers import (
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.utils import FILEBASED, LOCMEM, OURS, SMTP

SENDER = "shop@example.com"
FORWARDING = "tests.support.wrappers.ForwardingBackend"


def entry(server, backend=OURS, **options):
    options = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
    return {"BACKEND": backend, "OPTIONS": options}


def outcome(verification):
    return [(step.name, step.ok) for step in verification.steps]


class OwnBackend(BaseEmailBackend):
    found = [Step("key", True, "The key is valid.")]

    def verify(self):
        return self.found


class FailingBackend(BaseEmailBackend):
    def verify(self):
        raise PermissionError("The key was withdrawn.")


class UnopenedBackend(BaseEmailBackend):
    def open(self):
        raise ConnectionRefusedError("Nobody is there.")


class VerifyTestCase(SimpleTestCase):
    maxDiff = None

    def verify(self, mailer, **arguments):
        with override_settings(MAILERS={"default": mailer}):
            return verify("default", **arguments)

    def assertFails(self, verification, name, detail, hint):
        step = verification.failed
        self.assertEqual(step.name, name)
        self.assertRegex(step.detail, detail or ".*")
        self.assertRegex(step.hint, hint or ".*")
        self.assertIs(verification.ok, False)
        self.assertIs(verification.steps[-1], step)


class StepsTests(VerifyTestCase):
    def test_all_is_well(self):
        enter(self, trusting_the_ca())
        for tls, option in [("starttls", "use_tls"), ("implicit", "use_ssl")]:
            for backend in (SMTP, OURS):
                users = {"shop": "secret"}
                with self.subTest(tls, backend=backend), SMTPServer(tls=tls, users=users) as server:
                    mailer = entry(server, backend, username="shop", password="secret")
                    mailer["OPTIONS"][option] = True
                    found = self.verify(mailer, sender=SENDER, recipients=["ann@example.com"])
                    self.assertIs(found.ok, True, found)
                    names = [step.name for step in found.steps]
                    tls_first = ["tls", "certificate", "banner"]
                    order = tls_first if tls == "implicit" else [*tls_first[2:], *tls_first[:2]]
                    self.assertEqual(
                        names,
                        [
                            *("configuration", "address", "connect", *order, "features", "login"),
                            *("sender", "recipient", "noop"),
                        ],
                    )
                    details = {step.name: step.detail for step in found.steps}
                    self.assertEqual(details["connect"], f"127.0.0.1:{server.port}")
                    self.assertRegex(details["tls"], r"TLSv1\.3, TLS_\w+")
                    self.assertRegex(details["certificate"], r"for localhost, 127.0.0.1; \d+ days")
                    self.assertRegex(details["features"], "8BITMIME.*AUTH PLAIN LOGIN")
                    self.assertEqual(details["login"], "The server offers PLAIN LOGIN.")
                    self.assertEqual(server.messages, [])
                    self.assertNotIn("secret", repr(found))

    def test_steps_come_as_they_happen(self):
        came = []
        with SMTPServer() as server:
            found = self.verify(
                entry(server), on_step=lambda alias, step: came.append((alias, step))
            )
        self.assertEqual(came, [("default", step) for step in found.steps])

    def test_sending(self):
        with SMTPServer(refuse={"RCPT nobody@example.com": "550 5.1.1 Unknown"}) as server:
            found = self.verify(
                entry(server), sender=SENDER, recipients=["ann@example.com"], send=True
            )
            self.assertEqual(found.steps[-1].name, "send")
            self.assertRegex(found.steps[-1].detail, "^sent by 'default': 250 ")
            [message] = server.messages
            self.assertEqual(message.rcpt_tos, ["ann@example.com"])
            found = self.verify(
                entry(server), sender=SENDER, recipients=["nobody@example.com"], send=True
            )
            # Nothing is sent if a step has failed.
            self.assertEqual(found.failed.name, "recipient")
            self.assertEqual(len(server.messages), 1)
        with self.assertRaisesMessage(ValueError, "needs a sender and recipients"):
            self.verify(entry(server), send=True)

    def test_an_unknown_alias(self):
        with override_settings(MAILERS={}), self.assertRaises(MailerDoesNotExist):
            verify("bulk")


class FaultTests(VerifyTestCase):
    def test_an_unknown_host(self):
        found = self.verify({"BACKEND": OURS, "OPTIONS": {"host": "nobody.invalid"}})
        self.assertFails(
            found, "address", "Name or service not known", "getent hosts nobody.invalid"
        )

    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            mailer = {"OPTIONS": {"host": "127.0.0.1", "port": free.getsockname()[1]}}
        found = self.verify(mailer)
        self.assertFails(found, "connect", "Connection refused", "Nothing listens there")

    def test_the_second_address(self):
        with SMTPServer() as server, socket.socket() as free:
            free.bind(("127.0.0.2", 0))
            addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", free.getsockname()),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.host, server.port)),
            ]
            # A name with two addresses, of which one is dead, needs a DNS of its own.
            with mock.patch("socket.getaddrinfo", return_value=addresses):
                found = self.verify(entry(server))
        self.assertIs(found.ok, True)
        self.assertRegex(
            found.steps[2].detail, rf"127.0.0.1:{server.port} \(not by 127.0.0.2:\d+: .*refused\)"
        )

    def test_a_server_that_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
            for security, hint in [({}, "use_ssl"), ({"use_ssl": True}, "")]:
                mailer = {"OPTIONS": {"host": host, "port": port, **security}}
                found = self.verify(mailer, timeout=0.2)
                name = "tls" if security else "banner"
                self.assertFails(found, name, "timed out", hint)

    def test_tls_on_a_port_without(self):
        with SMTPServer() as server:
            found = self.verify(entry(server, use_ssl=True))
        self.assertFails(found, "tls", "WRONG_VERSION_NUMBER", "set 'use_tls'")

    def test_no_starttls(self):
        with SMTPServer() as server:
            found = self.verify(entry(server, use_tls=True))
        self.assertFails(found, "tls", "does not offer STARTTLS", "submission port")

    def test_certificates(self):
        enter(self, trusting_the_ca())
        for certificate, detail, hint in [
            (certificates.expired, "certificate has expired", "expired: it has to be renewed"),
            (certificates.wrong_host, "mismatch", "Set 'host' to a name"),
            (certificates.unknown_ca, "unable to get local issuer", "ca_file"),
        ]:
            for backend in (SMTP, OURS):
                with (
                    self.subTest(detail, backend=backend),
                    SMTPServer(tls="starttls", certificate=certificate) as server,
                ):
                    found = self.verify(entry(server, backend, use_tls=True))
                    self.assertFails(found, "tls", detail, hint)

    def test_a_certificate_that_expires_soon(self):
        enter(self, trusting_the_ca())
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9, hours=1)
        certificate = certificates.ca.issue_cert("127.0.0.1", not_after=soon)
        with SMTPServer(tls="starttls", certificate=certificate) as server:
            found = self.verify(entry(server, use_tls=True))
        step = next(step for step in found.steps if step.name == "certificate")
        self.assertEqual(step.detail, "for 127.0.0.1; 9 days left")
        self.assertEqual(step.hint, "The certificate expires in 9 days: renew it.")
        self.assertIs(found.ok, True)

    def test_a_file_that_is_not_there(self):
        with SMTPServer(tls="starttls") as server:
            found = self.verify(entry(server, use_tls=True, ca_file="/nowhere/ca.pem"))
        self.assertFails(found, "tls", "No such file", "Correct the path in 'ca_file'")

    def test_logins(self):
        enter(self, trusting_the_ca())
        users = {"shop": "secret"}
        with SMTPServer(tls="starttls", users=users) as server:
            for backend in (SMTP, OURS):
                mailer = entry(server, backend, use_tls=True, username="shop", password="wr0ng")
                found = self.verify(mailer)
                self.assertFails(found, "login", "535", "Correct 'username' and 'password'")
                self.assertNotIn("wr0ng", repr(found))
        with SMTPServer() as server:
            found = self.verify(entry(server, username="shop", password="secret"))
        self.assertFails(found, "login", "offers no login.*AUTH", "set 'use_tls'")

    def test_a_token_that_cannot_be_had(self):
        def token():
            raise LookupError("No refresh token.")

        with PlainServer(extensions=["AUTH XOAUTH2"]) as server:
            found = self.verify(entry(server, username="shop", auth="xoauth2", token=token))
        self.assertFails(found, "login", "No refresh token", "^$")

    def test_replies(self):
        for stage, reply, name, hint in [
            (None, "554 5.7.1 Go away", "banner", "refuses this machine"),
            (None, "421 4.3.2 Busy", "banner", "try again later"),
            ("MAIL", "530 5.7.0 Log in", "sender", "set 'username' and 'password'"),
            ("MAIL", "553 5.7.1 Not yours", "sender", "register it"),
            ("MAIL", "451 4.3.0 Later", "sender", "try again later"),
            ("RCPT", "550 5.1.1 Unknown", "recipient", "does not exist"),
            ("RCPT", "450 4.7.1 Greylisted", "recipient", "greylisting"),
        ]:
            with self.subTest(reply):
                then = [("RSET", "250 OK"), ("NOOP", "250 OK")] if stage == "RCPT" else []
                script = spoilt(stage, reply, *then, ("QUIT", "221 Bye"))
                with ScriptedServer(script) as server:
                    found = self.verify(entry(server), sender=SENDER, recipients=["a@example.com"])
                step = found.failed
                self.assertEqual((step.name, step.detail), (name, reply))
                self.assertIn(hint, step.hint)

    def test_text_of_a_server_does_not_reach_the_terminal_as_it_is(self):
        script = [(None, "220 \x1b[31mred\x07 ESMTP"), ("EHLO", "250 ok"), ("NOOP", "250 OK")]
        with ScriptedServer([*script, ("QUIT", "221 Bye")]) as server:
            found = self.verify(entry(server))
        banner = next(step for step in found.steps if step.name == "banner")
        self.assertEqual(banner.detail, "220 [31mred  ESMTP")


class HintTests(SimpleTestCase):
    """Faults that no server on loopback has."""

    def test_connections(self):
        for error, hint in [
            (TimeoutError("timed out"), "A firewall may block port 25"),
            (OSError(101, "Network is unreachable"), "Check the network of this machine"),
        ]:
            self.assertIn(hint, hints.of_connection(error, 25))

    def test_silence_on_the_port_for_tls(self):
        for security in (None, "starttls"):
            hint = hints.of_silence(465, security, is_timeout=True)
            self.assertIn("set 'use_ssl' instead of 'use_tls'", hint)
        self.assertIn("refuse this machine", hints.of_silence(25, None, is_timeout=False))

    def test_banners(self):
        self.assertIn("is not that of a mail server", hints.of_banner(-1, 80))

    def test_starttls_on_the_port_for_tls(self):
        self.assertIn("set 'use_ssl'", hints.of_starttls(465))

    def test_tls(self):
        early = ssl.SSLCertVerificationError("not yet valid")
        early.verify_code = 9
        for error, starttls, hint in [
            (early, True, "the clock of this machine"),
            (ssl.SSLError(1, "no cipher"), True, "no version of TLS or no cipher in common"),
            (TimeoutError("timed out"), False, "set 'use_tls' instead of 'use_ssl'"),
        ]:
            self.assertIn(hint, hints.of_tls(error, 587, starttls=starttls))
        self.assertEqual(hints.of_tls(TimeoutError("timed out"), 587, starttls=True), "")

    def test_logins(self):
        for code, hint in [
            (535, "Correct 'username' and 'password'"),
            (454, "at the moment"),
            (534, "what the provider says"),
        ]:
            error = smtplib.SMTPAuthenticationError(code, b"No")
            self.assertIn(hint, hints.of_login(error, is_encrypted=True))


class OtherMailersTests(VerifyTestCase):
    def test_wrappers(self):
        with SMTPServer() as server:
            settings = {
                "default": {"BACKEND": FORWARDING, "OPTIONS": {"using": "middle"}},
                "middle": {"BACKEND": FORWARDING, "OPTIONS": {"using": "memory"}},
                "memory": {"BACKEND": LOCMEM},
                "live": entry(server),
            }
            with override_settings(MAILERS=settings):
                found = verify("default")
        self.assertEqual([found.alias, found.ok], ["default", True])
        [middle] = found.targets
        [memory] = middle.targets
        self.assertEqual(memory.steps[-1], Step("open", True, "This backend sends nothing."))
        self.assertEqual(found.as_dict()["targets"][0]["targets"][0]["alias"], "memory")

    def test_a_target_that_fails(self):
        settings = {
            "default": {"BACKEND": FORWARDING, "OPTIONS": {"using": "gone"}},
            "gone": {"BACKEND": OURS, "OPTIONS": {"host": "nobody.invalid"}},
        }
        with override_settings(MAILERS=settings):
            found = verify("default")
        self.assertIs(found.ok, False)
        self.assertIsNone(found.failed)
        self.assertEqual(found.targets[0].failed.name, "address")

    def test_a_target_that_is_not_configured(self):
        found = self.verify({"BACKEND": FORWARDING, "OPTIONS": {"using": "missing"}})
        step = found.targets[0].failed
        self.assertEqual(
            (step.name, step.detail), ("configuration", "The mailer 'missing' is not configured.")
        )

    def test_backends_of_others(self):
        here = __name__
        for backend, steps in [
            ("OwnBackend", OwnBackend.found),
            ("FailingBackend", [Step("verify", False, "PermissionError: The key was withdrawn.")]),
            (
                "UnopenedBackend",
                [Step("open", False, "ConnectionRefusedError: Nobody is there.")],
            ),
        ]:
            with self.subTest(backend):
                found = self.verify({"BACKEND": f"{here}.{backend}"})
                self.assertEqual(
                    [(step.name, step.ok, step.detail) for step in found.steps[1:]],
                    [(step.name, step.ok, step.detail) for step in steps],
                )

    def test_djangos_other_backends(self):
        folder = enter(self, tempfile.TemporaryDirectory())
        found = self.verify({"BACKEND": FILEBASED, "OPTIONS": {"file_path": folder}})
        self.assertEqual(found.steps[-1].detail, "This backend sends nothing.")


class EntryTests(VerifyTestCase):
    """What somebody has entered into a form."""

    def verify_entry(self, mailer, **arguments):
        # Otherwise an entry is for memory in tests, too.
        with override_settings(MAILERS={"default": {"BACKEND": SMTP, "OPTIONS": {"host": "a"}}}):
            return verify(mailer, **arguments)

    def test_private_addresses(self):  # (H67)
        with SMTPServer() as server:
            mailer = entry(server)
            found = self.verify_entry(mailer, ports=None)
            self.assertFails(
                found, "address", "^The host is not on the public internet.$", "public"
            )
            self.assertEqual(server.sessions, [])
            found = self.verify_entry(mailer, ports=None, allow_private=True)
            self.assertIs(found.ok, True)
        # An alias always may.
        with SMTPServer() as server:
            self.assertIs(self.verify(entry(server)).ok, True)

    def test_a_name_that_is_private_the_second_time(self):  # (H67)
        """No message is sent: the mailer would look up the name again, and go where that leads."""
        mailer = {"BACKEND": OURS, "OPTIONS": {"host": "smtp.example.com", "port": 587}}
        arguments = {"sender": SENDER, "recipients": ["ann@example.com"], "send": True}
        with (
            mock.patch("socket.getaddrinfo", side_effect=AssertionError),
            self.assertRaisesMessage(ValueError, "only with allow_private=True."),
        ):
            self.verify_entry(mailer, **arguments)
        with SMTPServer() as server:
            found = self.verify_entry(entry(server), ports=None, allow_private=True, **arguments)
        self.assertEqual((found.steps[-1].name, found.ok), ("send", True))
        self.assertEqual(len(server.messages), 1)

    def test_one_private_address_among_public_ones(self):
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 587)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 587)),
        ]
        mailer = {"BACKEND": OURS, "OPTIONS": {"host": "smtp.example.com", "port": 587}}
        with mock.patch("socket.getaddrinfo", return_value=found):
            verification = self.verify_entry(mailer)
        self.assertFails(verification, "address", "not on the public internet", "")
        self.assertNotIn("10.0.0.1", repr(verification))

    def test_judgement_of_addresses(self):  # (H67)
        for address, expected in [
            ("8.8.8.8", True),
            ("2001:4860:4860::8888", True),
            ("127.0.0.1", False),
            ("0.0.0.0", False),
            ("10.1.2.3", False),
            ("172.16.0.1", False),
            ("192.168.1.1", False),
            ("169.254.169.254", False),
            ("100.64.0.1", False),
            ("192.0.2.1", False),
            ("224.0.0.1", False),
            ("255.255.255.255", False),
            ("::", False),
            ("::1", False),
            ("fe80::1", False),
            ("fe80::1%eth0", False),
            ("fc00::1", False),
            ("fd12:3456::1", False),
            ("ff02::1", False),
            ("::ffff:127.0.0.1", False),
            ("::ffff:8.8.8.8", True),
            ("::127.0.0.1", False),
            ("64:ff9b::a00:1", False),
            ("64:ff9b::808:808", True),
            ("2002:a00:1::1", False),
            ("2001:db8::1", False),
        ]:
            with self.subTest(address):
                self.assertIs(is_public(address), expected)

    def test_ports(self):
        mailer = {"BACKEND": OURS, "OPTIONS": {"host": "smtp.example.com", "port": 22}}
        with mock.patch("socket.getaddrinfo", side_effect=AssertionError):
            found = self.verify_entry(mailer)
        self.assertFails(
            found,
            "address",
            "^Port 22 is not one for mail; these are: 25, 465, 587, 2525.$",
            "port",
        )

    def test_another_services_banner(self):
        script = [(None, "SSH-2.0-OpenSSH_9.2 internal")]
        with (
            ScriptedServer(script) as server,
            mock.patch("django_mailers.diagnosis.probing.is_public", return_value=True),
        ):
            found = self.verify_entry(entry(server), ports=None)
        self.assertFails(found, "banner", "^The service that answered does not speak SMTP.$", "")
        self.assertNotIn("OpenSSH", repr(found))

    def test_an_entry_that_is_wrong(self):
        found = self.verify_entry({"BACKEND": OURS, "OPTIONS": {"host": "a", "pasword": "s3cret"}})
        text = r"^MAILERS\['\(not in MAILERS\)'\]: Unknown options 'pasword'.$"
        self.assertFails(found, "configuration", text, "")

    def test_the_test_environment(self):
        """Tests of a project's form send nothing."""
        found = verify({"BACKEND": OURS, "OPTIONS": {"host": "smtp.example.com"}})
        self.assertEqual(found.steps[-1].detail, "This backend sends nothing.")


class CommandTests(VerifyTestCase):
    def call(self, *arguments, **mailers_):
        output = io.StringIO()
        status = 0
        with override_settings(MAILERS=mailers_):
            try:
                call_command("mailers", *arguments, stdout=output, no_color=True)
            except SystemExit as error:
                status = error.code
        return status, output.getvalue()

    def test_overview(self):
        account = {"host": "smtp.example.com", "use_tls": True}
        login = {**account, "username": "shop", "password": "s3cret"}
        status, output = self.call(
            default={"BACKEND": FORWARDING, "OPTIONS": {"using": "bulk"}},
            bulk={"BACKEND": OURS, "OPTIONS": {**login, "timeout": 5}},
            plain={"BACKEND": SMTP, "OPTIONS": {"host": "mail", "port": 26, "timout": 1}},
            memory={"BACKEND": LOCMEM},
        )
        self.assertEqual(status, 0)
        lines = output.splitlines()
        self.assertEqual(lines[0].split(), ["Alias", "Backend", "Server", "Security", "Login"])
        self.assertEqual(lines[1].split(), ["default", FORWARDING])
        self.assertTrue(lines[2].startswith("  bulk"))
        self.assertEqual(
            lines[2].split(), ["bulk", OURS, "smtp.example.com:587", "STARTTLS", "yes"]
        )
        self.assertEqual(lines[3].split(), ["plain", SMTP, "mail:26", "plain", "text", "no"])
        self.assertEqual(lines[4].split(), ["memory", LOCMEM])
        self.assertIn("mailers.E008: MAILERS['plain']: Unknown options 'timout'.", output)
        self.assertNotIn("s3cret", output)

    def test_overview_of_a_circle_and_of_nothing(self):
        status, output = self.call(
            a={"BACKEND": FORWARDING, "OPTIONS": {"using": "b"}},
            b={"BACKEND": FORWARDING, "OPTIONS": {"using": "a"}},
        )
        self.assertEqual(status, 0)
        self.assertEqual([line.split()[0] for line in output.splitlines()[1:4]], ["a", "b", "a"])
        self.assertIn("mailers.E013", output)
        self.assertEqual(
            self.call(), (0, "There are no mailers: MAILERS is empty or not defined.\n")
        )

    def test_verify(self):
        with SMTPServer() as server:
            status, output = self.call("verify", "--from", SENDER, default=entry(server))
        self.assertEqual(status, 0)
        lines = output.splitlines()
        self.assertEqual(lines[0], "default")
        self.assertEqual(lines[1], f"  ok   configuration {OURS}")
        self.assertRegex(lines[-1], r"^  ok   noop          The server answers\.  \d+ ms$")

    def test_on_a_terminal_it_shows_that_it_waits(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        terminal = Terminal()
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}}):
            call_command("mailers", "verify", stdout=terminal, no_color=True)
        self.assertEqual(
            terminal.getvalue(),
            f"default\n  ok   configuration {LOCMEM}\n  …\r"
            "  ok   open          This backend sends nothing.\n  …\r   \r",
        )

    def test_verify_fails(self):
        gone = {"BACKEND": OURS, "OPTIONS": {"host": "nobody.invalid"}}
        status, output = self.call("verify", default={"BACKEND": LOCMEM}, gone=gone)
        self.assertEqual(status, 1)
        self.assertIn("gone\n  ok   configuration", output)
        self.assertRegex(output, r"  FAIL address +.*Name or service not known")
        self.assertRegex(output, r"-> Correct 'host'")

    def test_json(self):
        with SMTPServer() as server:
            status, output = self.call("verify", "default", "--json", default=entry(server))
        found = json.loads(output)
        self.assertEqual((status, found["ok"]), (0, True))
        self.assertEqual([mailer["alias"] for mailer in found["mailers"]], ["default"])
        self.assertEqual(
            sorted(found["mailers"][0]["steps"][0]), ["detail", "hint", "ms", "name", "ok"]
        )

    def test_a_mailer_below_another_is_verified_once(self):
        status, output = self.call(
            *("verify", "--json"),
            memory={"BACKEND": LOCMEM},
            default={"BACKEND": FORWARDING, "OPTIONS": {"using": "memory"}},
            other={"BACKEND": LOCMEM},
        )
        mailers = json.loads(output)["mailers"]
        self.assertEqual([mailer["alias"] for mailer in mailers], ["default", "other"])
        self.assertEqual([target["alias"] for target in mailers[0]["targets"]], ["memory"])
        self.assertEqual(status, 0)

    def test_wrong_arguments(self):
        for arguments, text in [
            (["verify", "bulk"], "The mailer 'bulk' is not configured."),
            (["verify", "--send"], "--send needs --to."),
            (["verify", "--timeout", "0"], "--timeout must be greater than 0."),
            (["verify", "--dns", "--nameserver", "a:b"], "--nameserver must be ADDRESS"),
        ]:
            with self.subTest(arguments):
                with self.assertRaisesMessage(CommandError, text) as caught:
                    self.call(*arguments, default={"BACKEND": LOCMEM})
                self.assertEqual(caught.exception.returncode, 2)

    def test_sending(self):
        with SMTPServer() as server:
            status, output = self.call(
                "verify",
                "--send",
                "--to",
                "ann@example.com",
                "--from",
                SENDER,
                default=entry(server),
            )
            self.assertEqual(len(server.messages), 1)
        self.assertEqual(status, 0)
        self.assertIn("sent by 'default'", output)
