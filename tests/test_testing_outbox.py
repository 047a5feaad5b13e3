"""The backend `maildir`, and `outbox_from()`: the mail of other processes."""

import mailbox
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from email.message import MIMEPart
from pathlib import Path
from unittest import skipUnless

from django.core import mail
from django.core.mail import EmailMultiAlternatives, InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many
from django_mailers.backends import maildir
from django_mailers.testing import assertMailSent, outbox_from, override_mailers

from .backend_contract import ALIAS, BackendContract
from .support.corpus import CORPUS
from .support.messages import ADA, BOB, message
from .support.processes import ProcessTestCase, in_child
from .support.servers import TIMEOUT, enter
from .support.utils import ignore_deprecations

BACKEND = "django_mailers.backends.maildir.EmailBackend"


class MaildirContractTests(BackendContract, SimpleTestCase):
    backend = BACKEND
    opens = False

    def options(self):
        self.path = Path(enter(self, tempfile.TemporaryDirectory()), "mail")
        return {"path": str(self.path)}

    def arrived(self):
        return [email.subject for email in outbox_from(self.path)]

    @skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_fork_while_a_thread_writes(self):
        """The child has no thread that would unlock the folder."""
        with ThreadPoolExecutor(1) as threads:
            threads.submit(maildir._writer.lock.acquire).result(TIMEOUT)
            self.addCleanup(maildir._writer.renew_lock)
            self.assertEqual(in_child(lambda: message("child").send(using=ALIAS)), 1)
        self.assertArrived("child")

    def test_path(self):
        with (
            self.assertRaisesExactly(
                InvalidMailer, f"MAILERS[{ALIAS!r}]: OPTIONS must define 'path'."
            ),
            override_settings(MAILERS={ALIAS: {"BACKEND": BACKEND}}),
        ):
            mailers[ALIAS]
        for path in (self.path, os.fsencode(self.path)):
            with self.mailer(path=path):
                message("a").send(using=ALIAS)
        self.assertArrived("a", "a")

    def test_a_path_that_is_a_file(self):
        self.path.write_text("")
        (result,) = send_many([message()], using=ALIAS)
        self.assertEqual((result.status, type(result.error)), ("failed", NotADirectoryError))
        with self.assertRaises(NotADirectoryError):
            message().send(using=ALIAS)
        with self.mailer(fail_silently=True):
            self.assertEqual(message().send(using=ALIAS), 0)

    def test_a_message_that_fails(self):
        report = send_many([message("a"), message("b\nc"), message("d")], using=ALIAS)
        self.assertEqual([result.status for result in report], ["sent", "failed", "sent"])
        self.assertEqual(report[0].via, ALIAS)
        self.assertArrived("a", "d")

    def test_other_programs_read_it(self):
        message("Grüße").send(using=ALIAS)
        (kept,) = mailbox.Maildir(self.path, create=False)
        self.assertEqual(kept["To"], BOB)
        self.assertEqual(kept.get_subdir(), "new")
        self.assertEqual(kept.get_payload(decode=True), b"Text\n")


class OutboxTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.path = Path(enter(self, tempfile.TemporaryDirectory()), "mail")
        enter(self, override_mailers(bulk={"BACKEND": BACKEND, "OPTIONS": {"path": self.path}}))

    def send(self, email):
        email.send(using="bulk")
        return outbox_from(self.path)[-1]

    def test_a_folder_that_is_not_there(self):
        self.assertEqual(outbox_from(self.path), [])
        self.assertIs(self.path.exists(), False)

    def test_everything_of_a_message(self):
        email = EmailMultiAlternatives(
            "Grüße an alle, " + "lang " * 30,
            "Text\n\nmit Ünïcode",
            "Ada Löwe <ada@example.com>",
            ["Bob <bob@example.com>", "jürgen <j@bücher.example>"],
            cc=["cc@example.com"],
            bcc=["Secret <bcc@example.com>"],
            reply_to=["desk@example.com", "Desk <desk2@example.com>"],
            headers={"X-Campaign": "may", "List-Id": "<news.example.com>"},
        )
        email.attach_alternative("<p>Ü</p>", "text/html")
        email.attach("may.pdf", b"%PDF\r\n\x00\xff", "application/pdf")
        email.attach("ä.txt", "Anhang\n", "text/plain")
        inline = MIMEPart()
        inline.set_content(b"png", "image", "png", disposition="inline", cid="<logo>")
        email.attach(inline)
        email.attach("forwarded.eml", message("inner").message())
        read = self.send(email)
        for name in ("subject", "body", "from_email", "to", "cc", "bcc", "reply_to"):
            self.assertEqual(getattr(read, name), getattr(email, name), name)
        self.assertEqual(read.sent_using, "bulk")
        self.assertEqual(
            [(a.content, a.mimetype) for a in read.alternatives], [("<p>Ü</p>", "text/html")]
        )
        self.assertEqual(read.extra_headers["X-Campaign"], "may")
        self.assertEqual(
            sorted(read.extra_headers), ["Date", "List-Id", "Message-ID", "X-Campaign"]
        )
        pdf, text, image, forwarded = read.attachments
        self.assertEqual(tuple(pdf), ("may.pdf", b"%PDF\r\n\x00\xff", "application/pdf"))
        self.assertEqual(tuple(text), ("ä.txt", "Anhang\n", "text/plain"))
        self.assertEqual((image["Content-ID"], image.get_content()), ("<logo>", b"png"))
        self.assertEqual(forwarded.get_content()["Subject"], "inner")
        # As in mail.outbox: it can be asserted about, and sent again.
        mail.outbox.append(read)
        assertMailSent(
            using="bulk",
            recipients=[BOB, "j@bücher.example", "cc@example.com", "bcc@example.com"],
            html="<p>Ü</p>",
            attachments=["may.pdf", "ä.txt", "forwarded.eml", (None, b"png")],
        )
        self.assertEqual(read.send(), 1)

    def test_bodies(self):
        for body in ("", "Text", "Text\n", "Text\n\n", "\nText", "From here\n.\n", "x" * 1200):
            with self.subTest(body):
                self.assertEqual(self.send(message(body=body)).body, body)
        email = message(body="<p>Hello</p>")
        email.content_subtype = "html"
        read = self.send(email)
        self.assertEqual((read.body, read.content_subtype), ("<p>Hello</p>", "html"))
        email.attach("a.txt", "A", "text/plain")
        read = self.send(email)
        self.assertEqual((read.body, read.content_subtype), ("<p>Hello</p>", "html"))
        self.assertEqual([one[0] for one in read.attachments], ["a.txt"])
        read = self.send(message(body="", attachments=[("a.txt", "A", "text/plain")]))
        self.assertEqual((read.body, [one[0] for one in read.attachments]), ("", ["a.txt"]))

    def test_headers_that_replace_others(self):
        read = self.send(
            message(headers={"From": "Shop <s@example.com>", "To": "All <a@b.example>"})
        )
        self.assertEqual((read.from_email, read.to), (ADA, [BOB]))
        self.assertEqual(read.extra_headers["From"], "Shop <s@example.com>")
        self.assertEqual(read.extra_headers["To"], "All <a@b.example>")

    def test_line_breaks_in_an_envelope(self):
        """No line of ours may become a header of the message."""
        email = message(bcc=["eve@example.com\nX-Evil: 1"])
        read = self.send(email)
        self.assertEqual(read.bcc, ["eve@example.com\nX-Evil: 1"])
        self.assertNotIn("X-Evil", read.extra_headers)

    @tag("slow")
    def test_the_corpus(self):
        """Whatever Django renders can be read again, with the same bodies and addresses."""
        for name, make in CORPUS.items():
            with self.subTest(name), ignore_deprecations():
                email = make()
                if send_many([email], using="bulk")[0].status != "sent":
                    continue  # Not every one can be rendered, or is for anybody.
                (read,) = outbox_from(self.path)
                shutil.rmtree(self.path)
                self.assertEqual(read.subject, str(email.subject))
                if not isinstance(email.body, bytes):
                    self.assertEqual(read.body, str(email.body))
                self.assertEqual(read.recipients(), [str(one) for one in email.recipients()])
                self.assertEqual(len(read.attachments), len(email.attachments))

    def test_the_order(self):
        """Of files whose names sort otherwise, as they have microseconds without zeros."""
        self.send(message("made"))
        (file,) = (self.path / "new").iterdir()
        content = file.read_bytes()
        file.unlink()
        for subject, name in [
            (b"4", "1700000001.M5P1Q1.host"),
            (b"1", "1700000000.M9P2Q1.host"),
            (b"3", "1700000000.M10P1Q11.host"),
            (b"2", "1700000000.M10P1Q9.host"),
        ]:
            (self.path / "new" / name).write_bytes(content.replace(b"made", subject))
        self.assertEqual([email.subject for email in outbox_from(self.path)], [*"1234"])

    def test_waiting(self):
        thread = threading.Thread(target=lambda: [message(s).send(using="bulk") for s in "ab"])
        thread.start()
        self.addCleanup(thread.join, TIMEOUT)
        emails = outbox_from(self.path, count=2, timeout=TIMEOUT)
        self.assertEqual([email.subject for email in emails], ["a", "b"])
        with self.assertRaisesMessage(TimeoutError, "2 of 3 messages have arrived."):
            outbox_from(self.path, count=3, timeout=0.01)

    def test_other_files(self):
        self.send(message())
        (self.path / "new" / "1.M1P1Q1.host").write_text("Subject: from elsewhere\n\nText\n")
        with self.assertRaisesMessage(ValueError, "a message that the backend has not written."):
            outbox_from(self.path)


class ProcessTests(ProcessTestCase):
    def setUp(self):
        super().setUp()
        self.path = str(Path(enter(self, tempfile.TemporaryDirectory()), "mail"))

    def test_another_program(self):
        """Such as a worker of Celery, which has settings of its own."""
        self.assertRuns(
            f"""
            entry = {{"BACKEND": {BACKEND!r}, "OPTIONS": {{"path": {self.path!r}}}}}
            configure(MAILERS={{"news": entry}})
            from django.core import mail
            mail.send_mail("Hello", "Text", "ada@example.com", ["bob@example.com"], using="news")
            """
        )
        (email,) = outbox_from(self.path)
        self.assertEqual((email.subject, email.to, email.sent_using), ("Hello", [BOB], "news"))

    @tag("slow")
    def test_processes_at_the_same_time(self):
        """Into a folder that is not there yet."""

        def run(number):
            self.assertRuns(
                f"""
                entry = {{"BACKEND": {BACKEND!r}, "OPTIONS": {{"path": {self.path!r}}}}}
                configure(MAILERS={{"it": entry}})
                from django.core.mail import EmailMessage
                for each in range(20):
                    EmailMessage(f"{number}-{{each}}", to=["bob@example.com"]).send(using="it")
                """
            )

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(run, range(3)))
        subjects = [email.subject for email in outbox_from(self.path, count=60)]
        for number in range(3):
            own = [subject for subject in subjects if subject.startswith(f"{number}-")]
            self.assertEqual(own, [f"{number}-{each}" for each in range(20)])
