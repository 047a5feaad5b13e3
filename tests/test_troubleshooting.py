"""The texts of errors in docs/troubleshooting.rst are those that users see."""

import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.core.mail import EmailMessage, mailers, send_mail
from django.test import SimpleTestCase, override_settings

from django_mailers import dkim
from django_mailers.dkim import DKIMError, Signing
from django_mailers.errors import MailersFailed, NotQueued
from django_mailers.smtp import PoolTimeout

from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import OURS, SMTP

PAGE = Path(__file__).resolve().parent.parent / "docs" / "troubleshooting.rst"


class TroubleshootingTests(SimpleTestCase):
    def setUp(self):
        text = re.sub(r"\s+", " ", PAGE.read_text())
        # What stands in the first column: every text in double backquotes.
        self.texts = re.findall(r"``([^`]+)``", text)

    def errors(self, server, to="ann@example.com", backends=(SMTP, OURS), **options):
        """Send a message, which must fail, by each backend; return what is raised."""
        options = {"host": server[0], "port": server[1], "timeout": TIMEOUT, **options}
        errors = []
        for backend in backends:
            entry = {"BACKEND": backend, "OPTIONS": options}
            with (
                override_settings(MAILERS={"default": entry}),
                contextlib.closing(mailers.default) as mailer,
                self.assertRaises((OSError, ValueError)) as caught,
            ):
                mailer.send_messages([EmailMessage("Hello", "...", "a@example.com", [to])])
            errors.append(str(caught.exception))
        return errors

    def assertLooksUp(self, errors):
        for error in errors:
            # A text may be in the middle of one, after the name of the server, and may leave out
            # what differs.
            found = [
                text
                for text in self.texts
                if len(text) > 8
                and re.search(".*".join(map(re.escape, re.split(" ?… ?", text))), error)
            ]
            self.assertNotEqual(found, [], error)

    def serve(self, **options):
        server = enter(self, SMTPServer(**options))
        return server.host, server.port

    def test_connecting(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            nobody = listener.getsockname()
        self.assertLooksUp(self.errors(nobody))
        self.assertLooksUp(self.errors(("nobody.invalid", 25)))

    def test_a_server_in_plain_text(self):
        server = self.serve()
        self.assertLooksUp(self.errors(server, use_ssl=True))
        self.assertLooksUp(self.errors(server, use_tls=True))
        self.assertLooksUp(self.errors(server, username="shop", password="secret"))
        self.assertLooksUp(self.errors(server, backends=[OURS], username="shop", password="s–t"))
        # Django's backend raises another error on Python 3.15.
        self.assertLooksUp(self.errors(server, backends=[OURS], to="jürgen@example.com"))

    def test_certificates(self):
        server = self.serve(tls="starttls", users={"shop": "secret"})
        self.assertLooksUp(self.errors(server, use_tls=True))

    def test_a_pool_without_a_free_session(self):
        host, port = self.serve()
        options = {"host": host, "port": port, "pool_size": 1, "acquire_timeout": 0.01}
        entry = {"BACKEND": OURS, "OPTIONS": options}
        with override_settings(MAILERS={"default": entry}):
            pool = mailers.default.pool
            # A thread that has all of the sessions itself would get one more.
            with ThreadPoolExecutor(1) as another:
                session, _ = another.submit(pool.acquire).result()
            self.addCleanup(pool.release, session)
            with self.assertRaises(PoolTimeout) as caught:
                pool.acquire()
        self.assertLooksUp([str(caught.exception)])

    def test_a_line_break(self):
        with self.assertRaises(ValueError) as caught:
            send_mail("a\nb", "...", "shop@example.com", ["ann@example.com"])
        self.assertLooksUp([str(caught.exception)])

    def test_a_missing_mailer(self):
        with override_settings(MAILERS={}), self.assertRaises(KeyError) as caught:
            send_mail("Hello", "...", "shop@example.com", ["ann@example.com"])
        self.assertLooksUp([str(caught.exception)])

    def test_signatures(self):
        option = {"domain": "example.com", "selector": "s1", "required": True}
        content = b"From: ann@b.example\r\n\r\nHello\r\n"
        for key in ("no key", "-----BEGIN PRIVATE KEY-----"):
            with self.assertRaises(DKIMError) as caught:
                Signing({**option, "key": key}).sign(content.replace(b"b.example", b"example.com"))
            self.assertLooksUp([str(caught.exception)])
        with self.assertRaises(DKIMError) as caught:
            Signing({**option, "key": "no key"}).sign(content)
        self.assertLooksUp([str(caught.exception)])
        dkim._unsigned.clear()
        with self.assertLogs("django_mailers.dkim") as logs:
            Signing({**option, "key": "no key", "required": False}).sign(content)
        self.assertLooksUp([logs.records[0].getMessage()])

    def test_mailers_that_compose(self):
        self.assertLooksUp(
            [
                str(MailersFailed({"smtp": OSError()}, "default")),
                str(NotQueued(1, 1)),
                str(NotQueued(2, 3, OSError())),
            ]
        )
