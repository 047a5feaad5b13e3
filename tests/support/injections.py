"""Messages with line breaks wherever user input gets into a header."""

from contextlib import contextmanager

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import SimpleTestCase, override_settings

from .corpus import python_message, simple
from .utils import SMTP

LINE_BREAKS = {"LF": "\n", "CR": "\r", "CRLF": "\r\n"}
IN_VALUE = "Header values may not contain linefeed or carriage return characters"


class InjectionTestCase(SimpleTestCase):
    @contextmanager
    def assertRefused(self, text):
        """A ValueError with this text, or one of its subclasses, as 5.2's BadHeaderError is."""
        with self.assertRaises(ValueError) as caught:
            yield
        self.assertEqual(str(caught.exception), text)

    def mailer(self, host="127.0.0.1", port=25):
        options = {"host": host, "port": port, "timeout": 10}
        with override_settings(MAILERS={"default": {"BACKEND": SMTP, "OPTIONS": options}}):
            return mail.mailers.default


def cases(places):
    """Give each message of `places` with each kind of line break, and what to call it."""
    for place, make in places.items():
        for name, line_break in LINE_BREAKS.items():
            yield f"{place}: {name}", make(line_break)


def attached(*attachment):
    return simple(attach=lambda: [attachment])


# Where user input gets into a header: the message for a line break in the middle of the input.
MIDDLE = {
    "subject": lambda br: simple(subject=f"a{br}Bcc: b@example.com"),
    "subject, folded": lambda br: simple(subject=f"a{br} b"),
    "subject, at the start": lambda br: simple(subject=f"{br}a"),
    "subject, not ASCII": lambda br: simple(subject=f"é{br}Bcc: b@example.com"),
    "from_email": lambda br: simple(from_email=f"a@example.com{br}Bcc: b@example.com"),
    "from_email, at the start": lambda br: simple(from_email=f"{br}a@example.com"),
    "from_email, in the domain": lambda br: simple(from_email=f"a@example{br}.com"),
    "from_email, in the name": lambda br: simple(from_email=f"A{br}B <a@example.com>"),
    "from_email, quoted": lambda br: simple(from_email=f'"A{br}B" <a@example.com>'),
    "from_email, end of the name": lambda br: simple(from_email=f'"A{br}" <a@example.com>'),
    "to": lambda br: simple(to=[f"a@example.com{br}Bcc: b@example.com"]),
    "to, in the name": lambda br: simple(to=[f"A{br}B <a@example.com>"]),
    "to, end of the first": lambda br: simple(to=[f"a@example.com{br}", "b@example.com"]),
    "cc": lambda br: simple(cc=[f"a@example.com{br}Bcc: b@example.com"]),
    "cc, in the name": lambda br: simple(cc=[f"A{br}B <a@example.com>"]),
    "reply_to": lambda br: simple(reply_to=[f"a@example.com{br}Bcc: b@example.com"]),
    "reply_to, in the name": lambda br: simple(reply_to=[f"A{br}B <a@example.com>"]),
    **{
        f"header {name}": (lambda br, name=name: simple(headers={name: f"a@b{br}Bcc: b@b"}))
        for name in (
            "From",
            "To",
            "Cc",
            "Reply-To",
            "Sender",
            "Message-ID",
            "Date",
            "List-Unsubscribe",
            "X-Header",
        )
    },
    "filename of text": lambda br: attached(f"a{br}b.txt", "x", "text/plain"),
    "filename of bytes": lambda br: attached(f"a{br}b.bin", b"x", "application/octet-stream"),
    "filename of a message": lambda br: attached(f"a{br}b.eml", python_message(), "message/rfc822"),
    "filename, at the end": lambda br: attached(f"a.txt{br}", "x", "text/plain"),
    "type of text": lambda br: attached("a.txt", "x", f"text/x{br}Bcc: b@example.com"),
    "type of bytes": lambda br: attached("a.bin", b"x", f"application/x{br}Bcc: b@example.com"),
    "type of an alternative": lambda br: simple(
        EmailMultiAlternatives, alternatives=[("x", f"text/x{br}Bcc: b@example.com")]
    ),
    "content_subtype": lambda br: with_attributes(content_subtype=f"x{br}Bcc: b@example.com"),
    "type of text, at the end": lambda br: attached("a.txt", "x", f"text/x{br}"),
    "content_subtype, at the end": lambda br: with_attributes(content_subtype=f"x{br}"),
    "attached message": lambda br: attached(None, simple(subject=f"a{br}b"), "message/rfc822"),
}
# One line break at the very end of the input.
END = {
    "subject": lambda br: simple(subject=f"a{br}"),
    "from_email": lambda br: simple(from_email=f"a@example.com{br}"),
    "to": lambda br: simple(to=[f"a@example.com{br}"]),
    "cc": lambda br: simple(cc=[f"a@example.com{br}"]),
    "reply_to": lambda br: simple(reply_to=[f"a@example.com{br}"]),
    "header From": lambda br: simple(headers={"From": f"a@example.com{br}"}),
    "header Sender": lambda br: simple(headers={"Sender": f"a@example.com{br}"}),
    "header X-Header": lambda br: simple(headers={"X-Header": f"a{br}"}),
    "header of bytes": lambda br: simple(headers={"X-Header": f"a{br}".encode()}),
    "type of bytes in a list": lambda br: with_attributes(
        attachments=[["a.bin", b"x", f"application/x{br}"]]
    ),
    "type of bytes": lambda br: attached("a.bin", b"x", f"application/x{br}"),
    "type of an alternative": lambda br: simple(
        EmailMultiAlternatives, alternatives=[(b"x", f"application/x{br}")]
    ),
    "type of a message": lambda br: attached("a.eml", "Subject: x\n\nx", f"message/rfc822{br}"),
    "attached message": lambda br: attached(None, simple(subject=f"a{br}"), "message/rfc822"),
}
NAMES = {
    "in the middle": lambda br: f"X-A: b{br}Bcc",
    "at the end": lambda br: f"X-A{br}",
    "at the start": lambda br: f"{br}X-A",
}


def with_attributes(**attributes):
    message = simple(EmailMultiAlternatives)
    vars(message).update(attributes)
    return message
