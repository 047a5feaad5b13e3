"""What Django 5.2 sent and 6.0 refuses, as long as the bridge is on; and full stops in names."""

import datetime
import decimal
import email
import email.policy
import pickle
import warnings
from contextlib import contextmanager
from email.charset import Charset
from email.headerregistry import Address
from pathlib import Path
from unittest import skipUnless

from django.core import mail
from django.core.mail import message as django_message
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr

from django_mailers import RemovedInDjango2028Warning
from django_mailers.backends.smtp import EmailBackend
from django_mailers.render import normally, render

from .support.messages import message
from .support.servers import SMTPServer, enter
from .support.utils import OURS, SMTP

# The hook is there on Django 5.2 alone.
IS_52 = hasattr(mail.EmailMessage, "_create_message")
PASTED = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


class ServerTestCase(SimpleTestCase):
    def setUp(self):
        super().setUp()
        self.server = enter(self, SMTPServer())

    @contextmanager
    def mailers(self, backend, **settings):
        options = {"host": "127.0.0.1", "port": self.server.port}
        entry = {"BACKEND": backend, "OPTIONS": options}
        with override_settings(MAILERS={"default": entry}, **settings):
            yield

    def envelopes(self):
        return [(each.mail_from, each.rcpt_tos) for each in self.server.messages]


class FullStopTests(ServerTestCase):
    """Our own backend takes a full stop in a name, on every Django and without the bridge."""

    NAMES = {
        "Acme Inc. <noreply@example.com>": "noreply@example.com",
        "Sales Dept. EU <b@example.com>": "b@example.com",
        "J.R.R. Tolkien <b@example.com>": "b@example.com",
        "Dr. M\xfcller <b@example.com>": "b@example.com",
        "K\xf6ln Inc. <a@k\xf6ln.example>": "a@xn--kln-sna.example",
        'St. John <"a b"@example.com>': '"a b"@example.com',
        "Acme Inc. <root>": "root",
    }

    def test_names(self):
        backend = EmailBackend(alias="x", host="127.0.0.1")
        self.assertEqual({name: backend.prep_address(name) for name in self.NAMES}, self.NAMES)

    def test_sent(self):
        with self.mailers(OURS):
            for name in self.NAMES:
                sent = message(from_email=name, to=[name], reply_to=[name]).send()
                self.assertEqual(sent, 1)
        self.assertEqual(
            self.envelopes(), [(address, [address]) for address in self.NAMES.values()]
        )
        first = email.message_from_bytes(self.server.messages[0].content)
        self.assertEqual(
            [first["From"], first["To"], first["Reply-To"]], ["Acme Inc. <noreply@example.com>"] * 3
        )

    def test_other_defects_are_errors(self):
        backend = EmailBackend(alias="x", host="127.0.0.1")
        for address in (
            "Acme Inc. <a..b@example.com>",
            "Acme Inc. <a@example.com>, b@example.com",
            "Acme Inc. <j\xfcrgen@example.com>",
            "Acme Inc. <a@example.com> SIZE=1",
            "Acme Inc. <a@example.com",
            "Acme Inc. <a@example.com\n>",
            "Acme Inc. (x <a@example.com>",
            "Acme Inc.",
        ):
            with self.subTest(address=address), self.assertRaises(ValueError):
                backend.prep_address(address)

    def test_rendered_as_by_django(self):
        for name in self.NAMES:
            made = message(
                from_email=name,
                to=[name, "other@example.com"],
                headers={"Date": "x", "Message-ID": "<a@b>"},
            )
            render(made)
            with self.subTest(name=name):
                self.assertEqual(render(made), normally(made))


@skipUnless(IS_52, "Django 6.0 refuses them without the app, too.")
@override_settings(MAILERS_BRIDGE=True)
class LeniencyTests(ServerTestCase):
    maxDiff = None

    @contextmanager
    def deprecated(self, *texts):
        """These deprecations, each at a line of this file, and no other."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        self.assertEqual([str(warning.message) for warning in caught], list(texts))
        self.assertEqual({warning.category for warning in caught}, {RemovedInDjango2028Warning})
        self.assertEqual({Path(warning.filename) for warning in caught}, {Path(__file__)})

    def assertSent(self, addresses, text):
        for backend in (SMTP, OURS):
            self.server.messages.clear()
            with self.subTest(backend=backend), self.mailers(backend):
                for address in addresses:
                    with self.deprecated(text):
                        self.assertEqual(message(to=[address]).send(), 1)
                self.assertEqual(
                    self.envelopes(), [("ada@example.com", [to]) for to in addresses.values()]
                )

    def test_dots_in_local_part(self):
        self.assertSent(
            {
                "b..c@docomo.example.com": "b..c@docomo.example.com",
                "Bob <b..c@docomo.example.com>": "b..c@docomo.example.com",
            },
            "From Django 6.0 on this address is invalid: local-part is not dot-atom, "
            "quoted-string, or obs-local-part; invalid repeated '.'.",
        )
        self.assertSent(
            {"b.@docomo.example.com": "b.@docomo.example.com"},
            "From Django 6.0 on this address is invalid: local-part is not dot-atom, "
            "quoted-string, or obs-local-part; Invalid trailing '.' in local part.",
        )

    def test_full_stop_in_name(self):
        with (
            self.mailers(SMTP),
            self.deprecated(
                "From Django 6.0 on this address is invalid: period in 'phrase'; comment found "
                "without atom."
            ),
        ):
            self.assertEqual(message(to=["Acme Inc. <a@example.com>"]).send(), 1)
        self.assertEqual(self.envelopes(), [("ada@example.com", ["a@example.com"])])

    def test_pair(self):
        self.assertSent(
            {("Ann", "a@example.com"): "a@example.com"},
            "From Django 6.0 on this address is invalid: it is a tuple.",
        )

    def test_pasted_into_name(self):
        for character in PASTED:
            with self.subTest(character=character), self.mailers(SMTP):
                self.server.messages.clear()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    message(to=[f"Ann{character}Lee <a@example.com>"]).send()
                self.assertEqual(self.envelopes(), [("ada@example.com", ["a@example.com"])])

    def test_what_is_never_sent(self):
        for address in (
            "j\xfcrgen@example.com",
            "J\xfcrgen",
            "a@example.com\nRCPT TO:<b@example.com>",
            "a@example.com> NOTIFY=NEVER",
            "Ann <>",
            ("Ann", "j\xfcrgen@example.com"),
            ("Ann", "a@example.com> NOTIFY=NEVER"),
            ("Ann", "a@x.org\ufe65\xa8NOTIFY=NEVER"),
        ):
            for backend in (SMTP, OURS):
                with (
                    self.subTest(address=address, backend=backend),
                    self.mailers(backend),
                    self.assertRaises(ValueError),
                ):
                    message(to=[address]).send()
        self.assertEqual(self.server.messages, [])

    def test_off(self):
        with override_settings(MAILERS_BRIDGE=False), self.mailers(SMTP):
            for made, error in (
                (message(to=["Acme Inc. <a@example.com>"]), ValueError),
                (message(to=["b..c@example.com"]), ValueError),
                (message(headers={"X-Priority": 1}), TypeError),
                (message(headers={"Content-Type": "text/html"}), ValueError),
                (message(subject="a\u2028b"), ValueError),
            ):
                with self.assertRaises(error):
                    made.send()
        self.assertEqual(self.server.messages, [])

    def rendered(self, made):
        """The message as it is sent, by Django's backend and by ours: the same bytes."""
        made.extra_headers.setdefault("Date", "Fri, 09 Nov 2001 01:08:47 -0000")
        made.extra_headers.setdefault("Message-ID", "<a@example.com>")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = normally(made)
            render(made)
            if not made.attachments:
                self.assertEqual(render(made), data)
        return data

    def test_values_of_headers(self):
        headers = {
            "X-Int": 1,
            "X-Bool": True,
            "X-Float": 1.5,
            "X-Decimal": decimal.Decimal("1.50"),
            "X-When": datetime.datetime(2026, 1, 2, 3, 4),
            "X-None": None,
        }
        made = message(headers=headers)
        with self.deprecated(
            *(
                f"From Django 6.0 on, the value of {name} must be a string, not {kind}."
                for name, kind in (
                    ("X-Int", "int"),
                    ("X-Bool", "bool"),
                    ("X-Float", "float"),
                    ("X-Decimal", "Decimal"),
                    ("X-When", "datetime"),
                    ("X-None", "NoneType"),
                )
            )
        ):
            parsed = made.message()
        self.assertEqual(
            {name: parsed[name] for name in headers}, {k: str(v) for k, v in headers.items()}
        )
        self.assertIn(b"\r\nX-Int: 1\r\nX-Bool: True\r\n", self.rendered(made))

    def test_structured_values_are_no_text(self):
        when = datetime.datetime(2001, 11, 9, 1, 8, 47, tzinfo=datetime.timezone.utc)
        made = message().message()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for name, value in (
                ("Sender", Address("Ann", "ann", "example.com")),
                ("Resent-To", [Address("Ann", "ann", "example.com")]),
                ("Resent-Date", when),
                ("X-Lazy", lazystr("lazy")),
            ):
                made[name] = value
        self.assertEqual(
            [made[name] for name in ("Sender", "Resent-To", "Resent-Date", "X-Lazy")],
            [
                "Ann <ann@example.com>",
                "Ann <ann@example.com>",
                "Fri, 09 Nov 2001 01:08:47 +0000",
                "lazy",
            ],
        )

    def test_headers_that_are_there(self):
        for name, value in (
            ("Content-Type", "text/html"),
            ("content-transfer-encoding", "base64"),
            ("MIME-Version", "1.1"),
            ("Subject", "Other"),
        ):
            with self.subTest(name=name):
                made = message(headers={name: value})
                with self.deprecated(
                    f"From Django 6.0 on, a second {name} header is refused. It has been left out."
                ):
                    parsed = made.message()
                self.assertEqual(len(parsed.get_all(name)), 1)
                self.assertNotEqual(parsed[name], value)
                self.rendered(made)

    def test_pasted_into_subject(self):
        for character in PASTED:
            with self.subTest(character=character):
                made = message(subject=f"One{character}two")
                code = f"U+{ord(character):04X}"
                with self.deprecated(
                    "From Django 6.0 on, characters that separate lines are refused in Subject, "
                    f"{code} among them."
                ):
                    parsed = made.message()
                self.assertEqual(parsed["Subject"], f"One{character}two")
                data = self.rendered(made)
                self.assertEqual(
                    email.message_from_bytes(data, policy=email.policy.default)["Subject"],
                    f"One{character}two",
                )
        self.assertIn(
            b"Subject: =?utf-8?q?One=0Btwo?=\r\n", self.rendered(message(subject="One\x0btwo"))
        )

    def test_pasted_into_long_subject(self):
        subject = "Gr\xfc\xdfe\x0bund \u2028 mehr " * 20
        data = self.rendered(message(subject=subject))
        head = data.partition(b"\r\n\r\n")[0]
        self.assertLessEqual(max(map(len, head.split(b"\r\n"))), 78)
        self.assertTrue(head.isascii())
        parsed = email.message_from_bytes(data, policy=email.policy.default)
        self.assertEqual(parsed["Subject"], subject)

    def test_pasted_into_names(self):
        names = ["Ann\x0bLee <a@k\xf6ln.example>", "Bob <b@example.com>", "\u732b\u2028 <c@d.com>"]
        data = self.rendered(message(to=names, from_email=names[0]))
        parsed = email.message_from_bytes(data, policy=email.policy.default)
        self.assertEqual(
            [(each.display_name, each.addr_spec) for each in parsed["To"].addresses],
            [
                ("Ann\x0bLee", "a@xn--kln-sna.example"),
                ("Bob", "b@example.com"),
                ("\u732b\u2028", "c@d.com"),
            ],
        )
        self.assertEqual(parsed["From"].addresses[0].addr_spec, "a@xn--kln-sna.example")

    def test_pasted_into_file_name(self):
        made = message(attachments=[('a\x0bb "c".txt', "File.", "text/plain")])
        data = self.rendered(made)
        self.assertIn(
            b"Content-Disposition: attachment; filename*=utf-8''a%0Bb%20%22c%22.txt\r\n", data
        )
        parsed = email.message_from_bytes(data, policy=email.policy.default)
        (part,) = parsed.iter_attachments()
        self.assertEqual(part.get_filename(), 'a\x0bb "c".txt')

    def test_line_breaks_are_errors(self):
        for made in (
            message(subject="a\x0b\nBcc: b@example.com"),
            message(headers={"X-A": "a\u2028\r\nBcc: b@example.com"}),
            message(from_email="A\x0b\nB <a@example.com>"),
            message(attachments=[("a\x0b\n.txt", "", "text/plain")]),
        ):
            with self.assertRaises(ValueError):
                made.message().as_bytes()
            part = mail.EmailMessage().message()
            with self.assertRaises(ValueError):
                part["X-A"] = "a\x0b\nb"

    def test_messages_can_be_copied(self):
        with self.deprecated(
            "From Django 6.0 on, characters that separate lines are refused in Subject, U+000B "
            "among them."
        ):
            made = message(subject="One\x0btwo").message()
        self.assertEqual(pickle.loads(pickle.dumps(made)).as_bytes(), made.as_bytes())

    def test_charsets(self):
        qp = django_message.utf8_charset_qp
        for encoding, name, transfer in (
            (qp, "utf-8", "quoted-printable"),
            (django_message.utf8_charset, "utf-8", "8bit"),
            (Charset("utf-8"), "utf-8", "base64"),
            (Charset("iso-8859-1"), "iso-8859-1", "quoted-printable"),
        ):
            with self.subTest(encoding=encoding, transfer=transfer):
                made = message(body="Gr\xfc\xdfe")
                made.encoding = encoding
                with self.deprecated(
                    "From Django 6.0 on, EmailMessage.encoding must be a string, not an "
                    "email.charset.Charset."
                ):
                    parsed = made.message()
                self.assertEqual(
                    [parsed.get_content_charset(), parsed["Content-Transfer-Encoding"]],
                    [name, transfer],
                )
                self.assertEqual(parsed.get_content(), "Gr\xfc\xdfe\n")
                self.rendered(made)

    def test_classes_of_parts(self):
        made = mail.EmailMultiAlternatives("Hi", "Text.", None, ["to@example.com"])
        made.attach_alternative("<p>", "text/html")
        made.attach("a.bin", b"x", "application/x-bin")
        made.attach("a.eml", message(), "message/rfc822")
        legacy = (
            django_message.SafeMIMEMultipart,
            django_message.SafeMIMEText,
            django_message.SafeMIMEMessage,
        )

        def kinds():
            return [
                [part.get_content_type(), [isinstance(part, cls) for cls in legacy]]
                for part in made.message().walk()
            ]

        multipart, text = [True, False, False], [False, True, False]
        nothing = [False, False, False]
        self.assertEqual(
            kinds(),
            [
                ["multipart/mixed", multipart],
                ["multipart/alternative", multipart],
                ["text/plain", text],
                ["text/html", text],
                ["application/x-bin", nothing],
                ["message/rfc822", [False, False, True]],
                ["text/plain", text],
            ],
        )
        with override_settings(MAILERS_BRIDGE=False):
            self.assertEqual({tuple(flags) for _, flags in kinds()}, {tuple(nothing)})

    def test_parts_are_of_the_modern_api(self):
        part = message(body="Gr\xfc\xdfe").message()
        self.assertIsInstance(part, email.message.EmailMessage)
        self.assertEqual(part.get_content(), "Gr\xfc\xdfe\n")
        with self.deprecated(
            "From Django 6.0 on, a message has no 'linesep' argument. Use policy=email.policy.SMTP."
        ):
            data = part.as_bytes(linesep="\r\n")
        self.assertEqual(data.count(b"\r\n"), part.as_bytes().count(b"\n"))
        part["X-More"] = "Gr\xfc\xdfe"
        part.make_mixed()
        part.add_attachment(b"x", maintype="image", subtype="png")
        self.assertEqual(part.get_content_type(), "multipart/mixed")
