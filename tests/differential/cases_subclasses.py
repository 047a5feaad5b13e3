"""Subclasses of EmailMessage and EmailMultiAlternatives."""

from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart

from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.message import (
    SafeMIMEMultipart,
    SafeMIMEText,
)

from .world import case

TO = ["to@example.com"]


def message(**arguments):
    return EmailMessage(**{"subject": "Hi", "body": "Text.", "to": TO, **arguments})


class OwnSend(EmailMessage):
    def send(self, fail_silently=False):
        self.body += " More."
        return super().send(fail_silently)


@case()
def subclass_send():
    return OwnSend("Hi", "Text.", None, TO).send(), OwnSend("Hi", "", None, TO).send(True)


class OwnSendKeywords(EmailMessage):
    def send(self, *args, **kwargs):
        return super().send(*args, **kwargs)


@case()
def subclass_send_keywords():
    return OwnSendKeywords("Hi", "Text.", None, TO).send(fail_silently=False)


class OwnConnection(EmailMessage):
    def get_connection(self, fail_silently=False):
        return get_connection(
            fail_silently=fail_silently, username="other", password="other's password"
        )


@case()
def subclass_get_connection():
    return OwnConnection("Hi", "Text.", None, TO).send()


class OwnConnectionKept(EmailMessage):
    def get_connection(self, fail_silently=False):
        if not self.connection:
            self.connection = mail.get_connection(
                "django.core.mail.backends.smtp.EmailBackend", fail_silently=fail_silently
            )
        return self.connection


@case()
def subclass_get_connection_kept():
    email = OwnConnectionKept("Hi", "Text.", None, TO)
    return email.send(fail_silently=True), email.send(), email.connection.fail_silently


class ConnectionOfSuper(EmailMessage):
    def get_connection(self, fail_silently=False):
        self.body += " Seen."
        return super().get_connection(fail_silently)


@case()
def subclass_get_connection_of_super():
    return ConnectionOfSuper("Hi", "Text.", None, TO).send()


class OwnMessage(EmailMessage):
    def message(self):
        made = super().message()
        made["X-Made"] = "yes"
        return made


@case()
def subclass_message():
    return OwnMessage("Hi", "Text.", None, TO).send()


class OwnMessageNumbers(EmailMessage):
    def message(self, *args, **kwargs):
        made = super().message(*args, **kwargs)
        made["X-Number"] = 5
        made["X-Word"] = "from \u2028 Word"
        made.add_header("X-Added", "value", parameter="x")
        del made["Message-ID"]
        made["Message-ID"] = "<own@example.com>"
        made.replace_header("Subject", "Replaced")
        made.preamble = "Before"
        return made


@case()
def subclass_message_headers():
    return OwnMessageNumbers("Hi", "Text.", None, TO).send()


class SubjectTwice(EmailMessage):
    def message(self):
        made = super().message()
        made["Subject"] = "Again"
        return made


@case()
def subclass_message_subject_twice():
    return SubjectTwice("Hi", "Text.", None, TO).send()


class Wrapped(EmailMessage):
    """As packages for PGP do it: the message into one of their own."""

    def message(self):
        inner = super().message()
        outer = MIMEMultipart("signed", protocol="application/x")
        for name in ("Subject", "From", "To", "Message-ID", "Date"):
            outer[name] = inner[name]
            del inner[name]
        outer.attach(inner)
        outer.attach(MIMEApplication(b"signature", "x"))
        return outer


@case()
def subclass_message_wrapped():
    return Wrapped("Hi", "Text.", None, TO).send()


class FromBytes(EmailMessage):
    """As signers do it: over the bytes, with what they made in front."""

    def message(self):
        import email

        content = super().message().as_bytes()
        return email.message_from_bytes(b"X-Signature: %d\n" % len(content.split()) + content)


@case()
def subclass_message_from_bytes():
    return FromBytes("Hi", "Text.", None, TO).send()


class OldWay(EmailMessage):
    """A message() written for Django before 6.0, which makes it all."""

    def message(self):
        made = SafeMIMEText(self.body, "plain", "utf-8")
        made["Subject"] = self.subject
        made["From"] = self.from_email
        made["To"] = ", ".join(self.to)
        return made


@case()
def subclass_message_of_legacy_classes():
    return OldWay("Gr\xfc\xdfe", "Gr\xfc\xdfe", "\xc4nn <a@example.com>", TO).send()


class OldMultipart(EmailMultiAlternatives):
    def _create_message(self, msg):
        made = SafeMIMEMultipart(_subtype="related", encoding=self.encoding)
        made.attach(super()._create_message(msg))
        return made


@case()
def subclass_create_message():
    email = OldMultipart("Gr\xfc\xdfe", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    email.attach("a.txt", "File.", "text/plain")
    return email.send()


class OldAttachments(EmailMessage):
    def _create_attachments(self, msg):
        made = super()._create_attachments(msg)
        made["X-Attachments"] = str(len(self.attachments))
        return made


@case()
def subclass_create_attachments():
    return OldAttachments("Hi", "Text.", None, TO, attachments=[("a", "b", "text/plain")]).send()


class OldAttachment(EmailMessage):
    def _create_attachment(self, filename, content, mimetype=None):
        made = super()._create_attachment(filename, content, mimetype)
        made["Content-ID"] = f"<{filename}>"
        return made


@case()
def subclass_create_attachment():
    return OldAttachment("Hi", "Text.", None, TO, attachments=[("a", b"b", "image/png")]).send()


class OldMimeAttachment(EmailMessage):
    def _create_mime_attachment(self, content, mimetype):
        return super()._create_mime_attachment(content, "application/x-own")


@case()
def subclass_create_mime_attachment():
    email = OldMimeAttachment("Hi", "Text.", None, TO)
    email.attach("a", b"b", "image/png")
    return email.send()


class OldAlternatives(EmailMultiAlternatives):
    def _create_alternatives(self, msg):
        made = super()._create_alternatives(msg)
        made["X-Alternatives"] = "yes"
        return made


@case()
def subclass_create_alternatives():
    email = OldAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    return email.send()


class Related(EmailMultiAlternatives):
    mixed_subtype = "related"


@case()
def subclass_mixed_subtype():
    email = Related("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    email.attach("a.png", b"x", "image/png")
    return email.send()


@case()
def subclass_mixed_subtype_without_attachments():
    return Related("Hi", "Text.", None, TO).send()


@case()
def instance_mixed_subtype():
    email = message(attachments=[("a.png", b"x", "image/png")])
    email.mixed_subtype = "related"
    return email.send(), email.mixed_subtype


@case()
def instance_mixed_subtype_as_it_was():
    email = message(attachments=[("a.png", b"x", "image/png")])
    email.mixed_subtype = "mixed"
    return email.send()


class AlternativeAsItWas(EmailMultiAlternatives):
    alternative_subtype = "alternative"
    mixed_subtype = "mixed"


@case()
def subclass_subtypes_as_they_were():
    email = AlternativeAsItWas("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    email.attach("a.png", b"x", "image/png")
    return email.send()


@case()
def instance_alternative_subtype():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    email.alternative_subtype = "related"
    return email.send()


@case()
def subtypes_read():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    return email.mixed_subtype, email.alternative_subtype


class OwnInit(EmailMultiAlternatives):
    def __init__(self, template, *args, **kwargs):
        self.template = template
        super().__init__(*args, **kwargs)


@case()
def subclass_init():
    return OwnInit("t", "Hi", "Text.", None, TO, ["b@example.com"], None, None).send()


class PositionalSuper(EmailMessage):
    def __init__(self, subject, body, from_email=None, to=None, bcc=None, connection=None):
        super().__init__(subject, body, from_email, to, bcc, connection)


@case()
def subclass_positional_super():
    return PositionalSuper("Hi", "Text.", None, TO, ["b@example.com"]).send()


class OwnRecipients(EmailMessage):
    def recipients(self):
        return ["only@example.com"]


@case()
def subclass_recipients():
    return OwnRecipients("Hi", "Text.", None, TO).send()


class NoSuper(EmailMessage):
    def __init__(self, to):
        self.subject = "Hi"
        self.body = "Text."
        self.from_email = "a@example.com"
        self.to = to
        self.cc = self.bcc = self.reply_to = self.attachments = []
        self.extra_headers = {}
        self.connection = None


@case()
def subclass_without_super():
    return NoSuper(TO).send()


class ConnectionProperty(EmailMessage):
    @property
    def connection(self):
        return get_connection(username="other", password="other's password")

    @connection.setter
    def connection(self, value):
        pass


@case()
def subclass_connection_property():
    return ConnectionProperty("Hi", "Text.", None, TO).send()
