"""Messages of subclasses, and of a Django without the app."""

import base64
import email.message
import email.policy
import io
import pickle
import tempfile
from pathlib import Path
from unittest import skipUnless

from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail import message as message_module
from django.test import SimpleTestCase, override_settings

from .support.corpus import PNG, simple
from .support.messages import LEGACY
from .support.processes import run_python
from .support.servers import SMTPServer
from .support.utils import LOCMEM, ignore_deprecations


class Counting(EmailMessage):
    """Renders anew at each message(), as packages with templates do."""

    calls = 0

    def message(self, *, policy=email.policy.default):
        self.calls += 1
        self.body = f"Rendered {self.calls}\n"
        return super().message(policy=policy)


class OldCounting(EmailMessage):
    """The same, as it was written before message() had an argument."""

    calls = 0

    def message(self):
        self.calls += 1
        self.body = f"Rendered {self.calls} é\nFrom here\n.\n"
        message = super().message()
        message["X-Rendered"] = "é" * 50
        return message


@ignore_deprecations()
class OverriddenTests(SimpleTestCase):
    """H27: message() of a subclass is called, and once per message."""

    def sent(self, kind):
        """Send one message of `kind` through each backend: {backend: calls}, {backend: bytes}."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        stream = io.StringIO()
        backends = "django.core.mail.backends"
        calls, content = {}, {}
        with SMTPServer() as server:
            options = {
                "smtp": {"host": server.host, "port": server.port, "timeout": 10},
                "locmem": {},
                "console": {"stream": stream},
                "filebased": {"file_path": folder.name},
            }
            mailers = {
                name: {"BACKEND": f"{backends}.{name}.EmailBackend", "OPTIONS": options[name]}
                for name in options
            }
            with override_settings(MAILERS=mailers):
                for name in options:
                    message = simple(kind)
                    self.assertEqual(message.send(using=name), 1)
                    calls[name] = message.calls
        (arrived,) = server.messages
        (path,) = Path(folder.name).iterdir()
        content = {
            "smtp": arrived.content,
            "console": stream.getvalue().encode(),
            "filebased": path.read_bytes(),
        }
        return calls, content

    def test_called_once(self):
        calls, content = self.sent(Counting)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual([name for name in content if b"Rendered 1" in content[name]], [*content])

    @skipUnless(LEGACY, "Django 6.0 and 6.1 want the argument.")
    def test_without_policy(self):
        calls, content = self.sent(OldCounting)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual([name for name in content if b"Rendered 1" in content[name]], [*content])
        # SMTP knows no other end of a line, and a bare LF or CR may smuggle a second message.
        self.assertEqual(content["smtp"].replace(b"\r\n", b"").count(b"\n"), 0)
        self.assertEqual(content["smtp"].replace(b"\r\n", b"").count(b"\r"), 0)
        arrived = email.message_from_bytes(content["smtp"], policy=email.policy.default)
        self.assertEqual(arrived["X-Rendered"], "é" * 50)
        self.assertEqual(
            arrived.get_content().replace("\r\n", "\n"), "Rendered 1 é\nFrom here\n.\n"
        )

    @skipUnless(LEGACY, "Django 6.0 and 6.1 know nothing of these classes.")
    def test_message_of_the_legacy_classes(self):
        class Old(EmailMessage):
            calls = 0

            def message(self):
                self.calls += 1
                message = message_module.SafeMIMEText("From é\n", "plain", "utf-8")
                message["Subject"] = "é"
                return message

        calls, content = self.sent(Old)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual(
            content["smtp"],
            b'Content-Type: text/plain; charset="utf-8"\r\nMIME-Version: 1.0\r\n'
            b"Content-Transfer-Encoding: 8bit\r\nSubject: =?utf-8?b?w6k=?=\r\n\r\n"
            b"From \xc3\xa9\r\n",
        )

    @skipUnless(LEGACY, "Django 6.0 and 6.1 do not call this.")
    def test_creation_hook_of_5_2(self):
        """Signing packages override it: what they add must not get lost."""

        class Signed(EmailMessage):
            calls = 0

            def _create_message(self, msg):
                self.calls += 1
                message = super()._create_message(msg)
                message["X-Signature"] = "signed"
                return message

        calls, content = self.sent(Signed)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual(
            [name for name in content if b"X-Signature: signed" in content[name]], [*content]
        )


@skipUnless(LEGACY, "Only Django 5.2's own messages take linesep.")
@ignore_deprecations()
class LineSeparatorTests(SimpleTestCase):
    """H26: django-ses, told by `django.VERSION`, calls `message().as_bytes(linesep="\\r\\n")`."""

    def rendered(self):
        return simple(
            EmailMultiAlternatives,
            subject="é" * 60,
            body="é\nFrom here\n",
            alternatives=[("<p>é</p>", "text/html")],
            attach=lambda: [
                ("a.txt", "a\nb", "text/plain"),
                ("a.png", PNG, "image/png"),
                ("a.eml", simple(subject="é"), "message/rfc822"),
            ],
        ).message()

    def parts(self):
        parts = list(self.rendered().walk())
        self.assertEqual(len(parts), 8)
        return parts

    def test_linesep(self):
        for part in self.parts():
            crlf = part.policy.clone(linesep="\r\n")
            with self.subTest(part.get_content_type()):
                self.assertEqual(part.as_bytes(linesep="\r\n"), part.as_bytes(policy=crlf))
                self.assertEqual(part.as_string(linesep="\r\n"), part.as_string(policy=crlf))
                bare = part.as_bytes(linesep="\r\n").replace(b"\r\n", b"")
                self.assertEqual((bare.count(b"\n"), bare.count(b"\r")), (0, 0))
                self.assertEqual(part.as_bytes(linesep="\n"), part.as_bytes())
                self.assertEqual(part.as_string(linesep="\n"), part.as_string())

    def test_unixfrom(self):
        for part in self.parts():
            with self.subTest(part.get_content_type()):
                for line in (
                    part.as_bytes(unixfrom=True, linesep="\r\n").split(b"\r\n")[0].decode(),
                    part.as_string(True, linesep="\r\n").split("\r\n")[0],
                ):
                    self.assertRegex(line, r"\AFrom nobody \w{3} \w{3} ")

    def test_policy(self):
        """Python's own argument, alone and together with linesep."""
        message = self.rendered()
        self.assertIn(
            b"\nSubject: " + ("é" * 60).encode(), message.as_bytes(policy=email.policy.SMTPUTF8)
        )
        self.assertEqual(
            message.as_bytes(policy=email.policy.default, linesep="\r\n"),
            message.as_bytes(linesep="\r\n"),
        )
        self.assertEqual(message.as_string(maxheaderlen=0), message.as_string(False, 0))


@skipUnless(LEGACY, "Django 6.0 and 6.1 have nothing of 5.2 to remember.")
class FromBareDjangoTests(SimpleTestCase):
    """What was made or imported before the app was installed."""

    def test_pickles(self):
        """H24: django-mailer keeps pickles in its table."""
        process = run_python(
            """
            configure(INSTALLED_APPS=[])
            import base64, pickle, sys
            from email.mime.image import MIMEImage
            from django.core.mail import EmailMessage, EmailMultiAlternatives
            plain = EmailMessage("plain", "é", "from@example.com", ["to@example.com"])
            rich = EmailMultiAlternatives(
                "rich", "é", "from@example.com", ["to@example.com"],
                alternatives=[("<p>é</p>", "text/html")],
                attachments=[("a.txt", "a"), MIMEImage(b"image", "png")],
                headers={"X-Header": "1"},
                cc=["cc@example.com"],
            )
            assert not [name for name in sys.modules if name.startswith("django_mailers")]
            for message in (plain, rich):
                assert "connection" in vars(message) and "_connection" not in vars(message)
                print(base64.b64encode(pickle.dumps(message)).decode())
            """,
            with_app=False,
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        plain, rich = (pickle.loads(base64.b64decode(line)) for line in process.stdout.splitlines())
        for message in (plain, rich):
            for using in ("bulk", None):
                self.assertEqual(message.send(using=using), 1)
            with ignore_deprecations():
                self.assertIsNone(message.connection)
        self.assertEqual(
            [(sent.subject, sent.sent_using) for sent in mail.outbox],
            [("plain", "bulk"), ("plain", "default"), ("rich", "bulk"), ("rich", "default")],
        )
        self.assertEqual(
            [part.get_content_type() for part in rich.message().walk()],
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "text/plain",
                "image/png",
            ],
        )
        self.assertEqual(
            (rich.message()["X-Header"], rich.message()["Cc"]), ("1", "cc@example.com")
        )

    def test_pickle_with_a_connection(self):
        """5.2 stores the connection that send() made on the message (H22)."""
        process = run_python(
            f"""
            configure(INSTALLED_APPS=[], EMAIL_BACKEND="{LOCMEM}")
            import base64, pickle
            from django.core.mail import EmailMessage
            message = EmailMessage("sent", "", "from@example.com", ["to@example.com"])
            message.send()
            assert vars(message)["connection"] is not None
            print(base64.b64encode(pickle.dumps(message)).decode())
            """,
            with_app=False,
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        message = pickle.loads(base64.b64decode(process.stdout))
        with ignore_deprecations():
            self.assertEqual(message.send(), 1)
            message.connection = None
        self.assertEqual(message.send(using="bulk"), 1)
        self.assertEqual([sent.subject for sent in mail.outbox], ["sent", "sent"])

    def test_made_before_the_install(self):
        """H4: an app that is loaded first, or settings, may hold messages and connections."""
        process = run_python(
            f"""
            from django.conf import settings
            settings.configure(
                MAILERS={{"default": {{"BACKEND": "{LOCMEM}"}}}},
                INSTALLED_APPS=["django_mailers"],
                USE_TZ=True,
            )
            from django.core.mail import EmailMessage, EmailMultiAlternatives
            from django.core.mail.backends import locmem

            class Early(EmailMultiAlternatives):
                pass

            connection = locmem.EmailBackend()
            plain = EmailMessage("plain", "b", "from@example.com", ["to@example.com"])
            sent = EmailMessage("sent", "b", "from@example.com", ["to@example.com"])
            sent.connection = connection
            sent.send()
            early = Early("early", "b", "from@example.com", ["to@example.com"])
            early.attach_alternative("<p>", "text/html")
            import django
            django.setup()

            import email.message, warnings
            from django.core import mail
            mail.outbox.clear()
            for message in (plain, sent, early):
                assert isinstance(message.message(), email.message.EmailMessage)
                assert message.send() == 1
            assert connection.send_messages([plain]) == 1
            print([(message.subject, message.sent_using) for message in mail.outbox])
            """
        )
        self.assertEqual(
            (process.stdout, process.stderr),
            (
                "[('plain', 'default'), ('sent', None), ('early', 'default'), ('plain', None)]\n",
                "",
            ),
        )

    def test_bad_header_error(self):
        """The class that a module imported before the install catches what is raised after it."""
        process = run_python(
            """
            from django.core.mail import BadHeaderError as before, EmailMessage
            configure()
            import warnings
            warnings.simplefilter("ignore")
            from django.core.mail import BadHeaderError as after
            from django.core.mail.message import BadHeaderError as of_the_module

            places = {
                "subject": {"subject": "a\\nb"},
                "from_email": {"from_email": "a@example.com\\nb"},
                "to": {"to": ["a@example.com\\nb"]},
                "cc": {"cc": ["a@example.com\\nb"]},
                "reply_to": {"reply_to": ["a@example.com\\nb"]},
                "header": {"headers": {"X-Header": "a\\nb"}},
                "name of a header": {"headers": {"X-Header\\nb": "a"}},
                "text attachment": {"attachments": [("a\\nb.txt", "a", "text/plain")]},
                "attachment": {"attachments": [("a\\nb.bin", b"a", "application/x-a")]},
            }
            for error in (before, after, of_the_module, ValueError):
                for place, arguments in places.items():
                    message = EmailMessage(**{"to": ["to@example.com"], **arguments})
                    for act in (message.message, message.send):
                        try:
                            act()
                        except error:
                            continue
                        except Exception as other:
                            print(f"{place}: {other!r} is no {error!r}")
                        else:
                            print(f"{place}: no error")
            """
        )
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
