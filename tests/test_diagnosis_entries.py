"""verify() of what somebody has entered: where it may connect to, and what it must not show."""

import socket
import traceback
from unittest import mock

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as DjangosBackend
from django.test import SimpleTestCase, override_settings

from django_mailers.diagnosis import Step, verify
from django_mailers.diagnosis.addresses import is_public
from django_mailers.diagnosis.probing import MOST_ENTERED

from .support.servers import TIMEOUT, ScriptedServer, SMTPServer
from .support.utils import LOCMEM, OURS, SMTP

FORWARDING = "tests.support.wrappers.ForwardingBackend"
HERE = __name__
NOT_SMTP = "The service that answered does not speak SMTP."
NOT_TRIED = "It is not known where this backend connects to, so it was not tried."


class Unused(BaseEmailBackend):
    """A backend that connects by itself."""

    def __init__(self, api_url="", **kwargs):
        super().__init__(**kwargs)

    def open(self):
        raise AssertionError("It was opened.")


class OwnVerify(Unused):
    def verify(self):
        raise AssertionError("It was verified.")


class OwnOpen(DjangosBackend):
    def open(self):
        raise AssertionError("It was opened.")


class SayingItsOptions(BaseEmailBackend):
    def __init__(self, api_key, region="", **kwargs):
        raise RuntimeError(f"No account for {api_key} in {region}")


class EntryTestCase(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        # Otherwise an entry is for memory in tests, too.
        settings = override_settings(MAILERS={"default": {"BACKEND": OURS, "OPTIONS": {}}})
        settings.enable()
        self.addCleanup(settings.disable)

    def entry(self, server, backend=OURS, **options):
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
        return {"BACKEND": backend, "OPTIONS": options}


class AddressTests(EntryTestCase):
    def test_what_no_version_of_python_should_take_for_public(self):  # (H67)
        for address in [
            "fec0::1",  # site-local, which ipaddress calls global
            "feff::1",
            "::8.8.8.8",
            "64:ff9b:1::808:808",
            "3fff::1",
            "5f00::1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:7f00:1",
            "::ffff:0.0.0.0",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:808:808::f5ff:fffe",  # Teredo of 10.0.0.1
            "2001:470::5efe:a00:1",  # ISATAP of 10.0.0.1
            "2001:470::200:5efe:a00:1",
            "fd00:ec2::254",
            "ff05::25",
            "fe80::1%2",
        ]:
            with self.subTest(address):
                self.assertIs(is_public(address), False)
        for address in ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "2001:470::5eff:1"]:
            with self.subTest(address):
                self.assertIs(is_public(address), True)

    def test_ways_to_write_loopback(self):  # (H67)
        for host in ["127.1", "0x7f.1", "2130706433", "0", "localhost", "LOCALHOST.", "::1"]:
            with self.subTest(host), mock.patch("socket.socket", side_effect=AssertionError):
                found = verify({"BACKEND": OURS, "OPTIONS": {"host": host}})
                self.assertEqual((found.failed.name, found.ok), ("address", False))

    def test_a_name_is_looked_up_once(self):  # (H67)
        """The addresses that were judged are connected to, whatever the name says later."""
        answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 587))]]
        connected = []

        class Socket(socket.socket):
            def connect(self, address):
                connected.append(address)
                raise ConnectionRefusedError

        with (
            mock.patch("socket.getaddrinfo", side_effect=answers),
            mock.patch("socket.socket", Socket),
        ):
            found = verify({"BACKEND": OURS, "OPTIONS": {"host": "mail.example", "port": 587}})
        self.assertEqual((found.failed.name, connected), ("connect", [("8.8.8.8", 587)]))

    def test_a_peer_that_is_not_what_was_judged(self):  # (H67)
        with (
            SMTPServer() as server,
            mock.patch("django_mailers.diagnosis.probing.is_public", side_effect=[True, False]),
        ):
            found = verify(self.entry(server), ports=None)
            self.assertEqual(found.failed.name, "connect")

    def test_a_name_with_many_addresses(self):
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.8.{number}", 587))
            for number in range(1, 100)
        ]
        tried = []

        def refuse(target, address):
            tried.append(address.host)
            raise TimeoutError("timed out")

        with (
            mock.patch("socket.getaddrinfo", return_value=found),
            mock.patch("django_mailers.diagnosis.probing._socket", refuse),
        ):
            verify({"BACKEND": OURS, "OPTIONS": {"host": "mail.example", "port": 587}})
        self.assertEqual(len(tried), MOST_ENTERED)

    def test_the_port_of_the_protocol(self):
        public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 465))]
        entry = {"BACKEND": OURS, "OPTIONS": {"host": "a.example", "port": 0, "use_ssl": True}}
        with (
            mock.patch("socket.getaddrinfo", return_value=public),
            mock.patch("django_mailers.diagnosis.probing._socket", side_effect=OSError("no")),
        ):
            found = verify(entry)
        self.assertEqual(found.failed.name, "connect")


class OtherServicesTests(EntryTestCase):
    def found(self, *script):
        with (
            ScriptedServer(script) as server,
            mock.patch("django_mailers.diagnosis.probing.is_public", return_value=True),
        ):
            return verify(self.entry(server), ports=None)

    def test_ftp_begins_with_the_same_code(self):
        no = "500 Unknown command"
        found = self.found((None, "220 ProFTPD 1.3.8 (internal)"), ("EHLO", no), ("HELO", no))
        self.assertEqual((found.failed.name, found.failed.detail), ("banner", NOT_SMTP))
        self.assertNotIn("ProFTPD", repr(found))
        self.assertNotIn("Unknown", repr(found))

    def test_a_mail_server_that_does_not_say_so(self):
        found = self.found((None, "220 hello"), ("EHLO", "250 hello"), ("NOOP", "250 OK"))
        self.assertIs(found.ok, True)
        names = [step.name for step in found.steps]
        self.assertEqual(
            names, ["configuration", "address", "connect", "banner", "features", "login", "noop"]
        )

    def test_refusals_are_not_shown(self):
        found = self.found((None, "554 secret of the network"))
        self.assertEqual((found.failed.name, found.failed.detail), ("banner", NOT_SMTP))


class OtherBackendsTests(EntryTestCase):
    def test_a_backend_that_may_go_anywhere(self):  # (H67)
        for name, options in [
            ("Unused", {"api_url": "http://169.254.169.254/"}),
            ("OwnVerify", {}),
            ("OwnOpen", {"host": "127.0.0.1"}),
        ]:
            entry = {"BACKEND": f"{HERE}.{name}", "OPTIONS": options}
            with self.subTest(name):
                found = verify(entry)
                self.assertEqual(
                    (found.failed.name, found.failed.detail), ("open", NOT_TRIED), found
                )
                found = verify(entry, allow_private=True)
                self.assertIn("AssertionError: It was", found.failed.detail)

    def test_a_wrapper_names_aliases(self):
        """These are always allowed."""
        with SMTPServer() as server:
            mailers = {"default": self.entry(server), "memory": {"BACKEND": LOCMEM}}
            with override_settings(MAILERS=mailers):
                found = verify({"BACKEND": FORWARDING, "OPTIONS": {"using": "default"}})
        self.assertIs(found.ok, True, found)
        self.assertEqual(found.targets[0].steps[-1].name, "noop")


class InputTests(EntryTestCase):
    def test_what_djangos_backend_does_not_check(self):
        for options, detail in [
            ({"host": "a.example", "port": "smtp"}, "OPTIONS 'port' must be a number."),
            ({"host": 5, "port": 25}, "OPTIONS 'host' must be a str."),
        ]:
            with self.subTest(options):
                found = verify({"BACKEND": SMTP, "OPTIONS": options})
                self.assertEqual(
                    (found.failed.name, found.failed.detail), ("configuration", detail)
                )

    def test_odd_entries(self):
        for entry in [
            {},
            {"BACKEND": 5},
            {"OPTIONS": []},
            {"BACKEND": "no.such.Backend"},
            None,
            [],
        ]:
            with self.subTest(entry=entry), mock.patch("socket.getaddrinfo", side_effect=OSError):
                self.assertIs(verify(entry).ok, False)

    def test_odd_hosts(self):
        for host in ["", "a" * 300, "a..b", "a\0b", "host\r\nHELO x", "[::1]", "bücher..example"]:
            with self.subTest(host):
                found = verify({"BACKEND": OURS, "OPTIONS": {"host": host}})
                self.assertIs(found.ok, False)

    def test_a_host_is_quoted_where_it_may_be_copied_to_a_shell(self):
        with mock.patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "unknown")):
            found = verify({"BACKEND": OURS, "OPTIONS": {"host": "a.invalid; rm -rf ~"}})
        self.assertTrue(found.failed.hint.endswith("getent hosts 'a.invalid; rm -rf ~'"))

    def test_arguments(self):
        for arguments, kind in [
            ({"timeout": 0}, ValueError),
            ({"timeout": -1}, ValueError),
            ({"timeout": float("nan")}, ValueError),
            ({"timeout": float("inf")}, ValueError),
            ({"recipients": ["a@example.com"]}, ValueError),
            ({"sender": "a@example.com", "recipients": "a@example.com"}, TypeError),
            ({"send": True}, ValueError),
        ]:
            with self.subTest(arguments), self.assertRaises(kind):
                verify({"BACKEND": OURS, "OPTIONS": {"host": "127.0.0.1"}}, **arguments)


class SecretsTests(EntryTestCase):
    def test_errors_do_not_have_the_entry_in_their_frames(self):
        def fail(alias, step):
            raise RuntimeError("progress")

        for arguments in [{"timeout": 0}, {"send": True}, {"on_step": fail}]:
            with self.subTest(arguments):
                try:
                    verify(
                        {"OPTIONS": {"host": "127.0.0.1", "username": "a", "password": "s3cret"}},
                        **arguments,
                    )
                except (ValueError, RuntimeError) as error:
                    frames = traceback.TracebackException.from_exception(
                        error, capture_locals=True
                    ).stack
                    self.assertGreater(len(frames), 1)
                    self.assertNotIn("s3cret", repr([frame.locals for frame in frames[1:]]))

    def test_what_a_backend_says_about_its_options(self):
        options = {"api_key": "s3cret", "region": "eu"}
        entry = {"BACKEND": f"{HERE}.SayingItsOptions", "OPTIONS": options}
        expected = Step("configuration", False, "RuntimeError: No account for *** in eu")
        self.assertEqual(verify(entry).steps, [expected])
        with override_settings(MAILERS={"default": entry}):
            self.assertEqual(verify("default").steps, [expected])
