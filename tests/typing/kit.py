"""The tests of a project."""

import re
from email.message import EmailMessage as ParsedMessage

from django.core.mail import EmailMessage
from django.test import SimpleTestCase
from typing_extensions import assert_type

from django_mailers.testing import (
    Fault,
    MailersTestMixin,
    SMTPServer,
    assertMailRenders,
    assertMailSent,
    assertNoMail,
    captureMail,
    failing,
    links,
    message_text,
    outbox_from,
    override_mailers,
)

LOCMEM = {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}


class NewsTests(MailersTestMixin, SimpleTestCase):
    def test_sent(self) -> None:
        assert_type(self.assertMailSent(to="ann@example.com"), EmailMessage)
        assert_type(self.assertMailSent(count=2, subject=re.compile("May")), list[EmailMessage])
        assert_type(self.assertMailSent(count=None, using="bulk"), list[EmailMessage])
        self.assertNoMail(recipients=["eve@example.com", re.compile("@example.org$")])
        self.assertMailCount(2, using="bulk")
        with self.captureMail() as sent:
            pass
        assert_type(sent[0], EmailMessage)

    @override_mailers(real="bulk", default=LOCMEM)
    def test_decorated(self) -> None:
        message = assertMailSent(
            headers={"List-Id": None, "X-Campaign": "may"},
            attachments=["a.pdf", ("b.txt", None, "text/plain")],
            where=lambda email: bool(email.bcc),
        )
        assert_type(message, EmailMessage)
        assert_type(links(message), list[str])
        assert_type(message_text(message), str)
        assert_type(assertMailRenders(message), ParsedMessage)

    async def test_coroutine(self) -> None:
        async with captureMail(on_commit=True) as sent:
            assertNoMail()
        assert_type(len(sent), int)

    def test_faults(self) -> None:
        with failing("bulk", "timeout", "end", times=1) as fault:
            pass
        assert_type(fault.struck, int)
        assert_type(fault, Fault)

    def test_server(self) -> None:
        with SMTPServer(tls="starttls", max_size=1000) as server:
            entry = {"OPTIONS": server.mailer_options}
            with override_mailers(bulk=entry):
                pass
        assert_type(outbox_from("/tmp/mail", count=1)[0].content_subtype, str)
