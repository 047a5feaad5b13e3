"""DKIM signatures, each verified by another implementation (dkimpy), where it arrives."""

import base64
import email
import logging
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import checks, dkim, send_many
from django_mailers.dkim import DKIMError, Signer, Signing
from django_mailers.headers import list_unsubscribe
from django_mailers.render import render
from django_mailers.smtp.wire import normalize
from django_mailers.testing.server import SMTPServer

from .support.corpus import CORPUS, SETTINGS
from .support.recordings import pinned
from .support.servers import TIMEOUT, enter
from .support.utils import OURS

try:
    import dkim as dkimpy
except ImportError:
    dkimpy = None

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


def pem(key):
    return key.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode()


def record(key):
    """Return what stands in the DNS for the key."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 1024)
RECORDS = {
    b"s1._domainkey.example.com.": record(KEY),
    b"s1._domainkey.example.org.": record(OTHER_KEY),
}
OPTION = {"domain": "example.com", "selector": "s1", "key": pem(KEY)}


def message(subject="Hello", body="World", sender="Ann <ann@example.com>", **kwargs):
    return EmailMessage(subject, body, sender, ["bob@example.net"], **kwargs)


class DKIMTestCase(SimpleTestCase):
    def setUp(self):
        if dkimpy is None:
            self.skipTest("dkimpy is not installed.")
        dkim._unsigned.clear()

    def verify(self, content):
        """Whether the signature is valid."""
        return dkimpy.verify(content, dnsfunc=lambda name, timeout=5: RECORDS.get(name))

    def assertSigned(self, content, domain="example.com"):
        parsed = email.message_from_bytes(content)
        self.assertIn(f" d={domain};", parsed["DKIM-Signature"])
        self.assertIs(self.verify(content), True)
        self.assertLessEqual(max(map(len, content.partition(b"\r\n\r\n")[0].split(b"\r\n"))), 998)


class SignatureTests(DKIMTestCase):
    def test_the_corpus(self):
        signed, unreadable = 0, []
        signer = Signer("example.com", "s1", pem(KEY))
        for name, make in CORPUS.items():
            with self.subTest(name), pinned(**SETTINGS.get(name, {})):
                try:
                    content = normalize(render(make()))
                except Exception:
                    continue  # Some have mistakes of all sorts, and cannot be rendered.
                try:
                    self.assertIs(self.verify(signer.sign(content)), True)
                except dkimpy.MessageFormatError:
                    # A name of a header that RFC 5322 does not have.
                    unreadable.append(name)
                else:
                    signed += 1
        # The last one on Python 3.15, which begins its value on a line of its own.
        known = {"header_name_with_space", "header_name_empty", "header_name_of_78"}
        self.assertLessEqual({*unreadable}, known)
        self.assertGreater(signed, len(CORPUS) * 0.8)

    def test_bodies(self):
        head = b"From: a@example.com\r\nSubject: a\r\n\r\n"
        signer = Signer("example.com", "s1", pem(KEY))
        for body in [
            b"",
            b"\r\n",
            b"\r\n\r\n\r\n",
            b"a\r\n\r\n\r\n",
            b"a \t b\t\r\n c \r\n",
            b" \r\n",
            b"\t\r\n \t \r\n",
            b".\r\n..\r\n.a\r\n",
            b"a\r\n \r\n",
            b"x" * 100_000 + b"\r\n",
            "ü\r\n".encode(),
        ]:
            with self.subTest(body[:20]):
                self.assertIs(self.verify(signer.sign(head + body)), True)

    def test_what_is_changed_is_found_out(self):
        content = Signing(OPTION).sign(render(message()))
        self.assertIs(self.verify(content), True)
        for old, new in [
            (b"World", b"Worlds"),
            (b"Subject: Hello", b"Subject: Hi"),
            # From is signed once more than it is there.
            (b"From: Ann", b"From: eve@example.com\r\nFrom: Ann"),
        ]:
            with self.subTest(new):
                self.assertIn(old, content)
                self.assertIs(self.verify(content.replace(old, new, 1)), False)

    def test_headers(self):
        def tag(option, **kwargs):
            content = Signing({**OPTION, **option}).sign(render(message(**kwargs)))
            self.assertSigned(content)
            header = "".join(email.message_from_bytes(content)["DKIM-Signature"].split())
            return header.partition("h=")[2].partition(";")[0]

        self.assertEqual(
            tag({}),
            "from:from:subject:date:message-id:to:mime-version:content-type:"
            "content-transfer-encoding",
        )
        self.assertEqual(tag({"headers": ["Subject", "subject", "X-A"]}), "from:from:subject")
        self.assertEqual(
            tag({"headers": ["X-A", "Subject"]}, headers={"X-A": "b"}), "from:from:x-a:subject"
        )
        one_click = list_unsubscribe("https://example.com/" + "u" * 300)
        self.assertEqual(
            tag({}, headers=one_click).rpartition("content-transfer-encoding:")[2],
            "list-unsubscribe:list-unsubscribe-post",
        )


class KeyTests(DKIMTestCase):
    def test_forms(self):
        folder = Path(enter(self, tempfile.TemporaryDirectory()))
        file = folder / "key.pem"
        file.write_text(pem(KEY))
        for key in (pem(KEY), file, str(file), lambda: pem(KEY)):
            with self.subTest(type(key)):
                self.assertSigned(Signing({**OPTION, "key": key}).sign(render(message())))

    def test_a_file_that_changes(self):
        file = Path(enter(self, tempfile.TemporaryDirectory()), "key.pem")
        option = {"domain": "example.org", "selector": "s1", "key": file}
        from_org = render(message(sender="ann@example.org"))
        file.write_text(pem(KEY))
        self.assertIs(self.verify(Signing(option).sign(from_org)), False)
        file.write_text(pem(OTHER_KEY))
        self.assertIs(self.verify(Signing(option).sign(from_org)), True)

    def test_several_domains(self):
        keys = {"example.com": pem(KEY), "example.org": pem(OTHER_KEY)}
        signing = Signing({"selector": "s1", "key": keys})
        for sender, domain in [
            ("a@example.com", "example.com"),
            ("a@news.example.com", "example.com"),
            ("A <a@EXAMPLE.org>", "example.org"),
        ]:
            self.assertSigned(signing.sign(render(message(sender=sender))), domain)

    def test_the_longest_domain_signs(self):
        signing = Signing(
            {"selector": "s", "key": {"com": "", "b.example.com": "", "example.com": ""}}
        )
        self.assertEqual(
            repr(signing.signer("a.b.example.com")), "<Signer s._domainkey.b.example.com>"
        )
        self.assertIsNone(signing.signer("badexample.org"))

    def test_keys_that_cannot_be_used(self):  # (H66)
        secret = pem(KEY).splitlines()[3]
        small = rsa.generate_private_key(65537, 1024)
        curve = ec.generate_private_key(ec.SECP256R1())
        encrypted = KEY.private_bytes(
            PEM, PKCS8, serialization.BestAvailableEncryption(b"password")
        ).decode()
        no_key = "The DKIM key is not a private key in PEM, without a password."
        for key, text in [
            (pem(KEY)[:500], no_key),
            (encrypted, no_key),
            (pem(curve), "The DKIM key must be an RSA key."),
            (secret * 9, "The DKIM key is neither PEM nor the path of a file."),
            (secret, "The file with the DKIM key cannot be read: No such file or directory."),
            (
                Path("/nowhere"),
                "The file with the DKIM key cannot be read: No such file or directory.",
            ),
        ]:
            with self.subTest(text):
                with self.assertRaises(DKIMError) as caught:
                    Signing({**OPTION, "key": key}).sign(render(message()))
                self.assertEqual(str(caught.exception), text)
                self.assertShowsNothing(caught.exception, secret)
        self.assertEqual(Signer("example.com", "s1", pem(small)).load().key_size, 1024)

    def assertShowsNothing(self, error, secret):
        while error is not None:
            self.assertNotIn(secret, repr(error))
            frame = error.__traceback__
            while frame is not None:
                if "/django_mailers/" in frame.tb_frame.f_code.co_filename:
                    self.assertNotIn(secret, repr(frame.tb_frame.f_locals))
                frame = frame.tb_next
            error = error.__cause__ or error.__context__


class BackendTests(DKIMTestCase):
    def mailer(self, server, **option):
        options = {
            "host": server.host,
            "port": server.port,
            "timeout": TIMEOUT,
            "dkim": {**OPTION, **option},
        }
        enter(self, override_settings(MAILERS={"default": {"BACKEND": OURS, "OPTIONS": options}}))

    def test_over_the_wire(self):
        """With DATA, PIPELINING and CHUNKING, in a batch; lines that begin with a dot."""
        for extensions in ([], ["PIPELINING"], ["PIPELINING", "CHUNKING", "8BITMIME"]):
            with self.subTest(extensions), SMTPServer(extensions=extensions) as server:
                self.mailer(server)
                bodies = ["a", ".", "..\n.a\n", "a\n\n\n", "ü\n.", " \t x \n"] * 3
                report = send_many([message(body=body) for body in bodies])
                self.assertEqual(report.counts["sent"], len(bodies))
                message(body=".\n").send()
                self.assertEqual(len(server.messages), len(bodies) + 1)
                for sent in server.messages:
                    self.assertSigned(sent.content)

    def test_djangos_way(self):
        """A subclass with its own _send() that calls ours."""
        server = enter(self, SMTPServer())
        self.mailer(server)
        with mailers.default as mailer:
            mailer._send(message())
        self.assertSigned(server.messages[0].content)

    def test_another_domain(self):
        server = enter(self, SMTPServer())
        self.mailer(server)
        others = [message(sender="a@other.example"), message(sender="b@other.example")]
        with self.assertLogs("django_mailers.dkim", logging.WARNING) as logs:
            self.assertEqual(send_many(others).counts["sent"], 2)
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            ["Mail from 'other.example' is not signed: the mailer signs for example.com."],
        )
        self.assertNotIn(b"DKIM-Signature", server.messages[0].content)

    def test_required(self):
        server = enter(self, SMTPServer())
        self.mailer(server, required=True)
        report = send_many([message(sender="a@other.example"), message()])
        self.assertEqual([result.status for result in report], ["failed", "sent"])
        text = "The mailer signs for example.com, and the message is from 'other.example'."
        with self.assertRaisesMessage(DKIMError, text):
            message(sender="a@other.example").send()

    def test_options(self):
        for option, text in [
            ([], "OPTIONS 'dkim' must be a dict with 'domain', 'selector' and 'key'."),
            ({}, "OPTIONS 'dkim' must define 'domain'."),
            ({"domain": "example.com"}, "OPTIONS 'dkim' must define 'selector'."),
            ({"domain": "example.com", "selector": "s"}, "OPTIONS 'dkim' must define 'key'."),
            ({**OPTION, "selector": 1}, "OPTIONS 'dkim' must have a name as 'selector'."),
            (
                {**OPTION, "keys": 1},
                "OPTIONS 'dkim' has an unknown key 'keys'. It may have 'domain', 'selector', "
                "'key', 'headers', 'required'.",
            ),
        ]:
            entry = {"BACKEND": OURS, "OPTIONS": {"host": "localhost", "dkim": option}}
            with self.subTest(text), override_settings(MAILERS={"bulk": entry}):
                with self.assertRaises(InvalidMailer) as caught:
                    mailers["bulk"]
                self.assertEqual(str(caught.exception), f"MAILERS['bulk']: {text}")


class CheckTests(DKIMTestCase):
    def check(self, option, sender="Shop <shop@news.example.com>", deploy=False):
        options = {"host": "localhost", "use_tls": True, "timeout": 5, "dkim": option}
        entry = {"BACKEND": OURS, "OPTIONS": options}
        with override_settings(MAILERS={"bulk": entry}, DEFAULT_FROM_EMAIL=sender):
            check = checks.check_deployment if deploy else checks.check_mailers
            return [(found.id, found.msg) for found in check(None)]

    def test_the_domain_of_the_sender(self):
        self.assertEqual(self.check(OPTION), [])
        self.assertEqual(self.check({**OPTION, "key": {"example.com": "a", "b.example": "b"}}), [])
        self.assertEqual(
            self.check(OPTION, "shop@example.org"),
            [
                (
                    "mailers.W070",
                    "MAILERS['bulk']: OPTIONS 'dkim' does not sign for 'example.org', the domain "
                    "of DEFAULT_FROM_EMAIL.",
                )
            ],
        )

    def test_the_key(self):
        self.assertEqual(self.check(OPTION, deploy=True), [])
        self.assertEqual(self.check({**OPTION, "key": lambda: "no key"}, deploy=True), [])
        self.assertEqual(
            self.check({**OPTION, "key": "/nowhere/key.pem"}, deploy=True),
            [
                (
                    "mailers.E070",
                    "MAILERS['bulk']: OPTIONS 'dkim': The file with the DKIM key cannot be read: "
                    "No such file or directory.",
                )
            ],
        )

    def test_an_option_that_is_not_one(self):
        self.assertEqual(
            self.check({"domain": "example.com"}),
            [("mailers.E016", "MAILERS['bulk']: OPTIONS 'dkim' must define 'selector'.")],
        )
        self.assertEqual(self.check({"domain": "example.com"}, deploy=True), [])
