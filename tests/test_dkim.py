"""DKIM signatures, each verified by another implementation (dkimpy), where it arrives."""

import base64
import email
import logging
import tempfile
import traceback
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings, tag

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
# 512 bits, of which cryptography makes none any more: a key that has been published.
SHORT = """-----BEGIN RSA PRIVATE KEY-----
MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu
KUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQJAIJLixBy2qpFoS4DSmoEm
o3qGy0t6z09AIJtH+5OeRV1be+N4cDYJKffGzDa88vQENZiRm0GRq6a+HPGQMd2k
TQIhAKMSvzIBnni7ot/OSie2TmJLY4SwTQAevXysE2RbFDYdAiEBCUEaRQnMnbp7
9mxDXDf6AU0cN/RPBjb9qSHDcWZHGzUCIG2Es59z8ugGrDY+pxLQnwfotadxd+Uy
v/Ow5T0q5gIJAiEAyS4RaI9YG8EWx/2w0T67ZUVAw8eOMB6BIUg0Xcu+3okCIBOs
/5OiPgoTdSy7bcF9IGpSE8ZgGKzgYQVZeN97YE00
-----END RSA PRIVATE KEY-----
"""
RECORDS = {
    b"s1._domainkey.example.com.": record(KEY),
    b"s1._domainkey.example.org.": record(OTHER_KEY),
}
OPTION = {"domain": "example.com", "selector": "s1", "key": pem(KEY)}
SELECTOR = "OPTIONS 'dkim' must have a name, such as '2026', as 'selector'."
DOMAIN = "OPTIONS 'dkim' must have a domain, such as 'example.com', as 'domain'."
NAMES = "OPTIONS 'dkim' must have a list of names as 'headers'."
KEYS = "OPTIONS 'dkim' must have PEM, a path, a function or a dict of these by domain as 'key'."


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
    @tag("slow")
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
            b"".join(b"a%sb%s\r\n" % (b" " * n, b" \t" * n) for n in range(12)),
            b"\t" * 1000 + b"\r\n" + b" " * 1001 + b"a" + b" \r\n" * 1000,
        ]:
            with self.subTest(body[:20]):
                self.assertIs(self.verify(signer.sign(head + body)), True)

    def test_headers_that_are_repeated(self):
        """All are signed, the last one first, so that none can be added, dropped or moved."""
        head = b"Subject: 1\r\nFrom: a@example.com\r\nSUBJECT :2\r\nTo:\r\nSubject:\t3 \r\n"
        signed = Signer("example.com", "s1", pem(KEY)).sign(head + b"\r\nHello\r\n")
        tags = b"".join(signed.partition(b"\r\nSubject: 1")[0].split())
        self.assertIn(b";h=from:from:subject:subject:subject:to;", tags)
        self.assertIs(self.verify(signed.replace(b"SUBJECT :2", b"Subject: 2")), True)
        self.assertIs(self.verify(signed.replace(b"SUBJECT :2\r\n", b"")), False)
        moved = signed.replace(b"SUBJECT :2", b"Subject: 1").replace(
            b"Subject: 1", b"Subject: 2", 1
        )
        self.assertIs(self.verify(moved), False)

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

    def test_a_domain_in_letters(self):
        """In an option, and with SMTPUTF8 in From, it need not be as it is in the DNS."""
        for name in ("exämple.com", "EXÄMPLE.com", "xn--exmple-cua.com"):
            signing = Signing({"selector": "s1", "key": {name: pem(KEY)}})
            for domain in ("exämple.com", "xn--exmple-cua.com", "news.exämple.com"):
                with self.subTest(name, domain=domain):
                    content = f"From: ann@{domain}\r\n\r\nHello\r\n".encode()
                    signed = email.message_from_bytes(signing.sign(content))
                    self.assertIn(" d=xn--exmple-cua.com;", signed["DKIM-Signature"])

    def test_several_authors(self):
        """The domain of the first one signs, on every Python."""
        headers = {"From": "Ann <ann@example.com>, bob@b.example", "Sender": "bob@b.example"}
        self.assertSigned(Signing(OPTION).sign(render(message(headers=headers))))

    def test_a_function_that_fails(self):
        def unreachable():
            raise ConnectionError("The vault is sealed.")

        for key, error in [
            (unreachable, ConnectionError("The vault is sealed.")),
            (lambda: "", DKIMError("The file with the DKIM key cannot be read: No such file or ")),
            (
                pem(KEY).encode,
                DKIMError("The function for the DKIM key must return PEM in a str, not bytes."),
            ),
            (
                lambda: None,
                DKIMError("The function for the DKIM key must return PEM in a str, not NoneType."),
            ),
        ]:
            with self.subTest(key):
                raised = self.failure(key)
                self.assertIs(type(raised), type(error))
                self.assertIn(str(error), str(raised))
                self.assertShowsNothing(raised, pem(KEY).splitlines()[3])

    def test_keys_that_cannot_be_used(self):  # (H66)
        secret = pem(KEY).splitlines()[3]
        small = rsa.generate_private_key(65537, 1024)
        curve = ec.generate_private_key(ec.SECP256R1())
        encrypted = KEY.private_bytes(
            PEM, PKCS8, serialization.BestAvailableEncryption(b"password")
        ).decode()
        # Another algorithm than cryptography knows of; the rest is as it was.
        oid = bytes.fromhex("06092a864886f70d0101")
        der = KEY.private_bytes(serialization.Encoding.DER, PKCS8, serialization.NoEncryption())
        other = base64.encodebytes(der.replace(oid + b"\x01", oid + b"\x7f")).decode()
        unknown = f"-----BEGIN PRIVATE KEY-----\n{other}-----END PRIVATE KEY-----\n"
        no_key = "The DKIM key is not a private key in PEM, without a password."
        for key, text in [
            (pem(KEY)[:500], no_key),
            (encrypted, no_key),
            (pem(curve), "The DKIM key must be an RSA key."),
            (pem(ed25519.Ed25519PrivateKey.generate()), "The DKIM key must be an RSA key."),
            (unknown, "The DKIM key must be an RSA key, without a password."),
            (SHORT, "The DKIM key must have 1024 bits at least, and better 2048."),
            (Path("a\0b"), "The DKIM key is neither PEM nor the path of a file."),
            (secret * 9, "The DKIM key is neither PEM nor the path of a file."),
            (secret, "The file with the DKIM key cannot be read: No such file or directory."),
            (
                Path("/nowhere"),
                "The file with the DKIM key cannot be read: No such file or directory.",
            ),
        ]:
            with self.subTest(text):
                raised = self.failure(key)
                self.assertEqual(repr(raised), repr(DKIMError(text)))
                for line in [secret, other.splitlines()[3], SHORT.splitlines()[1]]:
                    self.assertShowsNothing(raised, line)
        self.assertEqual(Signer("example.com", "s1", pem(small)).load().key_size, 1024)

    def failure(self, key):
        """Return what is raised with this key, with its traceback: assertRaises() clears that."""
        try:
            Signing({**OPTION, "key": key}).sign(render(message()))
        except Exception as error:
            return error
        self.fail("Nothing was raised.")

    def assertShowsNothing(self, error, secret):
        while error is not None:
            self.assertNotIn(secret, repr(error))
            frames = [
                frame
                for frame, _ in traceback.walk_tb(error.__traceback__)
                if frame.f_code.co_filename == dkim.__file__
            ]
            self.assertIn("sign", [frame.f_code.co_name for frame in frames])
            for frame in frames:
                self.assertNotIn(secret, repr(frame.f_locals))
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

    def test_headers_in_utf8(self):
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "smtputf8": "auto", "dkim": OPTION}
            entry = {"BACKEND": OURS, "OPTIONS": options}
            with override_settings(MAILERS={"default": entry}):
                message("Grüße", reply_to=["Änne <änne@exämple.com>"]).send()
        [sent] = server.messages
        self.assertIn("Reply-To: Änne <änne@exämple.com>\r\n".encode(), sent.content)
        self.assertSigned(sent.content)

    def test_line_ends_are_those_of_the_wire(self):
        """What another message() returns may have others, of which a session makes CRLF."""
        entry = {"BACKEND": OURS, "OPTIONS": {"host": "localhost", "dkim": OPTION}}
        with override_settings(MAILERS={"default": entry}):
            signed = mailers.default.signed(b"From: ann@example.com\nSubject: a\n\nHello\r\rBob")
        self.assertTrue(signed.endswith(b"\r\n\r\nHello\r\n\r\nBob\r\n"))
        self.assertEqual(normalize(signed), signed)
        self.assertSigned(signed)

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

    def test_a_key_that_cannot_be_used(self):
        """The settings are wrong, and not the message, which a queue tries again."""
        server = enter(self, SMTPServer())

        def unreachable():
            raise ConnectionError("https://user:password@vault.example/")

        file = "The file with the DKIM key cannot be read: No such file or directory."
        for key, text in [
            ("/nowhere/key.pem", file),
            (unreachable, "The function for the key raised ConnectionError."),
        ]:
            with self.subTest(text):
                self.mailer(server, key=key)
                [result] = send_many([message()])
                self.assertEqual(
                    (result.status, result.fault.kind, result.is_retryable),
                    ("failed", "configuration", True),
                )
                with self.assertRaises(InvalidMailer) as caught:
                    message().send()
                self.assertEqual(
                    str(caught.exception), f"MAILERS['default']: OPTIONS 'dkim': {text}"
                )
        self.assertEqual(server.messages, [])

    def test_options(self):
        for option, text in [
            ([], "OPTIONS 'dkim' must be a dict with 'domain', 'selector' and 'key'."),
            ({}, "OPTIONS 'dkim' must define 'domain'."),
            ({"domain": "example.com"}, "OPTIONS 'dkim' must define 'selector'."),
            ({"domain": "example.com", "selector": "s"}, "OPTIONS 'dkim' must define 'key'."),
            ({**OPTION, "selector": 1}, SELECTOR),
            ({**OPTION, "selector": "s1; d=b.example"}, SELECTOR),
            ({**OPTION, "selector": "s1\r\nBcc: eve@example.com"}, SELECTOR),
            ({**OPTION, "selector": "schlüssel"}, SELECTOR),
            ({**OPTION, "domain": "@example.com"}, DOMAIN),
            ({**OPTION, "domain": "example.com\n"}, DOMAIN),
            ({**OPTION, "domain": "https://example.com/"}, DOMAIN),
            ({**OPTION, "headers": "Subject"}, NAMES),
            ({**OPTION, "headers": [1]}, NAMES),
            ({**OPTION, "headers": ["Subject:"]}, NAMES),
            ({**OPTION, "headers": ["a;b"]}, NAMES),
            ({**OPTION, "key": pem(KEY).encode()}, KEYS),
            ({**OPTION, "key": {"*.example.com": "a"}}, KEYS),
            ({**OPTION, "key": {None: "a"}}, KEYS),
            ({**OPTION, "key": {"example.com": None}}, KEYS),
            ({**OPTION, "key": {"example.com": {"s1": "a"}}}, KEYS),
            ({**OPTION, "key": {}}, "OPTIONS 'dkim' must define 'key'."),
            ({**OPTION, "required": 1}, "OPTIONS 'dkim' must have a bool as 'required'."),
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
