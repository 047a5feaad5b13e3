"""EmailMessage and EmailMultiAlternatives: arguments, attributes, copies."""

import copy
import datetime
import pickle
from email import charset
from email.mime.text import MIMEText

from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.message import (
    SafeMIMEMultipart,
    SafeMIMEText,
    utf8_charset,
    utf8_charset_qp,
)
from django.test import override_settings
from django.utils import timezone, translation
from django.utils.functional import lazystr

from .meaning import meaning
from .world import case

TO = ["to@example.com"]


def message(**arguments):
    return EmailMessage(**{"subject": "Hi", "body": "Text.", "to": TO, **arguments})


@case()
def message_all_positional():
    return EmailMessage(
        "Hi",
        "Text.",
        "a@example.com",
        TO,
        ["bcc@example.com"],
        None,
        [("a.txt", "File.", "text/plain")],
        {"X-Shop": "1"},
        ["cc@example.com"],
        ["reply@example.com"],
    ).send()


@case()
def message_all_keywords():
    return EmailMessage(
        subject="Hi",
        body="Text.",
        from_email="a@example.com",
        to=TO,
        bcc=["bcc@example.com"],
        connection=get_connection(),
        attachments=[("a.txt", "File.", "text/plain")],
        headers={"X-Shop": "1"},
        cc=["cc@example.com"],
        reply_to=["reply@example.com"],
    ).send()


@case()
def alternatives_all_positional():
    return EmailMultiAlternatives(
        "Hi",
        "Text.",
        "a@example.com",
        TO,
        ["bcc@example.com"],
        None,
        [("a.txt", "File.", "text/plain")],
        {"X-Shop": "1"},
        [("<p>Text.</p>", "text/html")],
        ["cc@example.com"],
        ["reply@example.com"],
    ).send()


@case()
def message_of_nothing():
    return EmailMessage().send()


@case()
def message_only_bcc():
    return message(to=None, bcc=["bcc@example.com"]).send()


@case()
def message_only_cc():
    return message(to=(), cc=("cc@example.com",)).send()


@case()
def message_same_recipient_twice():
    return message(to=["a@example.com"], cc=["a@example.com"], bcc=["a@example.com"]).send()


@case()
def message_to_str():
    return message(to="to@example.com")


@case()
def message_reply_to_str():
    return message(reply_to="to@example.com")


@case()
def message_generators():
    addresses = (f"{n}@example.com" for n in "ab")
    return message(to=addresses, cc=(x for x in ["c@example.com"])).send()


@case()
def message_attributes_set_later():
    email = EmailMessage()
    email.subject = "Hi"
    email.body = "Text."
    email.from_email = "Ann <ann@example.com>"
    email.to = TO
    email.cc = ["cc@example.com"]
    email.bcc = ["bcc@example.com"]
    email.reply_to = ["reply@example.com"]
    email.extra_headers["X-Shop"] = "1"
    email.content_subtype = "html"
    return email.send()


@case()
def message_to_set_to_tuple():
    email = message()
    email.to = ("a@example.com", "b@example.com")
    return email.send()


@case()
def message_from_none_later():
    email = message()
    email.from_email = None
    return email.send()


@case()
def message_body_none_later():
    email = message()
    email.body = None
    return email.send()


@case()
def message_attachments_none_later():
    email = message()
    email.attachments = None
    return email.send()


@case()
def message_alternatives_none_later():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.alternatives = None
    return email.send()


@case()
def message_html():
    email = message(body="<p>Text.</p>")
    email.content_subtype = "html"
    return email.send()


@case()
def message_sent_twice():
    email = message()
    return email.send(), email.send()


@case()
def message_send_positional_fail_silently():
    return message().send(True)


@case()
def message_send_keyword_fail_silently():
    return message().send(fail_silently=True)


@case()
def message_connection_and_fail_silently():
    return message(connection=get_connection()).send(fail_silently=True)


@case()
def message_connection_set_later():
    email = message()
    email.connection = get_connection(username="site", password="site's password")
    return email.send(), email.connection.username


@case()
def message_connection_none_at_first():
    return message().connection


@case()
def message_get_connection():
    email = message()
    connection = email.get_connection()
    return connection.send_messages([email])


@case()
def message_get_connection_fail_silently():
    email = message()
    return email.get_connection(fail_silently=True).fail_silently, email.send()


@case()
def message_get_connection_of_its_own():
    connection = get_connection()
    return message(connection=connection).get_connection() is connection


@case()
def message_recipients():
    return message(cc=["c@example.com"], bcc=["b@example.com", ""]).recipients()


@case()
def message_body_contains():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>Text.</p>", "text/html")
    return email.body_contains("Text"), email.body_contains("p>")


@case()
def message_lazy_addresses():
    return message(
        to=[lazystr("a@example.com")],
        cc=[lazystr("Carl <c@example.com>")],
        bcc=[lazystr("b@example.com")],
        reply_to=[lazystr("r@example.com")],
        from_email=lazystr("Ann <ann@example.com>"),
    ).send()


# --- Encodings


@case()
def encoding_latin_1():
    email = message(subject="Gr\xfc\xdfe", body="Gr\xfc\xdfe", from_email="\xc4nn <a@example.com>")
    email.encoding = "iso-8859-1"
    return email.send()


@case()
def encoding_latin_1_multipart():
    email = EmailMultiAlternatives("Gr\xfc\xdfe", "Gr\xfc\xdfe", None, TO)
    email.encoding = "latin-1"
    email.attach_alternative("<p>Gr\xfc\xdfe", "text/html")
    email.attach("a.txt", "Gr\xfc\xdfe", "text/plain")
    return email.send()


@case()
def encoding_latin_1_that_is_not_enough():
    email = message(body="\u732b")
    email.encoding = "iso-8859-1"
    return email.send()


@case()
def encoding_japanese():
    email = message(subject="\u732b", body="\u732b\u304c\u3044\u308b")
    email.encoding = "iso-2022-jp"
    return email.send()


@case()
def encoding_unknown():
    email = message()
    email.encoding = "no-such-charset"
    return email.send()


@case()
def encoding_ascii():
    email = message()
    email.encoding = "us-ascii"
    return email.send()


@case()
def encoding_charset_utf8_qp():
    email = message(subject="Gr\xfc\xdfe", body="Gr\xfc\xdfe")
    email.encoding = utf8_charset_qp
    return email.send()


@case()
def encoding_charset_utf8():
    email = message(body="Gr\xfc\xdfe")
    email.encoding = utf8_charset
    return email.send()


@case()
def encoding_charset_base64():
    email = message(body="Gr\xfc\xdfe")
    email.encoding = charset.Charset("utf-8")
    return email.send()


@case()
def encoding_charset_latin_1():
    email = message(subject="Gr\xfc\xdfe", body="Gr\xfc\xdfe")
    email.encoding = charset.Charset("iso-8859-1")
    return email.send()


@case()
def encoding_charset_multipart():
    email = EmailMultiAlternatives("Gr\xfc\xdfe", "Gr\xfc\xdfe", None, TO)
    email.encoding = utf8_charset_qp
    email.attach_alternative("<p>Gr\xfc\xdfe", "text/html")
    email.attach("a.txt", "Gr\xfc\xdfe", "text/plain")
    email.attach("a.bin", b"\x00\xff", "application/x-bin")
    return email.send()


class QuotedPrintable(EmailMessage):
    encoding = utf8_charset_qp


@case()
def encoding_charset_of_a_class():
    return QuotedPrintable("Hi", "Gr\xfc\xdfe = x", None, TO).send()


@case()
def default_charset_latin_1():
    with override_settings(DEFAULT_CHARSET="iso-8859-1"):
        return message(subject="Gr\xfc\xdfe", body="Gr\xfc\xdfe").send()


@case()
def use_localtime():
    with override_settings(EMAIL_USE_LOCALTIME=True), timezone.override("America/Chicago"):
        return message().send()


@case()
def in_another_language():
    with translation.override("ar"):
        return message().send()


# --- What is done with a message but sending it


@case()
def pickled():
    email = EmailMultiAlternatives(
        "Hi", "Text.", None, TO, attachments=[("a.txt", "File.", "text/plain")]
    )
    email.attach_alternative("<p>", "text/html")
    return pickle.loads(pickle.dumps(email)).send()


@case()
def pickled_after_locmem():
    connection = get_connection("django.core.mail.backends.locmem.EmailBackend")
    email = message(connection=connection)
    email.send()
    return pickle.loads(pickle.dumps(email)).send(), len(mail.outbox)


@case()
def deep_copied():
    return copy.deepcopy(message(headers={"X-A": "1"})).send()


@case()
def copied():
    email = message()
    other = copy.copy(email)
    other.to = ["other@example.com"]
    return other.send(), email.send()


@case()
def as_bytes_linesep():
    return meaning(message().message().as_bytes(linesep="\r\n"))


@case()
def as_string():
    return meaning(message(subject="Gr\xfc\xdfe").message().as_string().encode())


@case()
def as_string_keywords():
    return meaning(message().message().as_string(unixfrom=False, linesep="\n").encode())


@case()
def as_bytes_unixfrom():
    return message().message().as_bytes(unixfrom=True).startswith(b"From nobody ")


@case()
def str_of_message():
    return meaning(str(message().message()).encode())


@case()
def headers_of_message():
    made = message(subject="Gr\xfc\xdfe", cc=["c@example.com"], headers={"X-A": "1"}).message()
    return [
        made["To"],
        made["cc"],
        made["X-A"],
        made.get("X-B", "no"),
        "subject" in made,
        made.get_content_type(),
        made.get_content_subtype(),
        made.get_charset() is None or str(made.get_charset()),
        made.is_multipart(),
    ]


@case()
def payload_of_message():
    made = message().message()
    return made.get_payload().rstrip("\n"), made.get_payload(decode=True).rstrip(b"\n")


@case()
def payloads_of_multipart():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    made = email.message()
    return made.get_content_subtype(), [part.get_content_type() for part in made.get_payload()]


@case()
def legacy_parts_by_isinstance():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    email.attach("a.bin", b"x", "application/x-bin")
    return [
        [part.get_content_type(), isinstance(part, SafeMIMEText)] for part in email.message().walk()
    ]


@case()
def legacy_multiparts_by_isinstance():
    email = EmailMultiAlternatives("Hi", "Text.", None, TO)
    email.attach_alternative("<p>", "text/html")
    return [isinstance(part, SafeMIMEMultipart) for part in email.message().walk()]


@case()
def legacy_text_attached():
    part = SafeMIMEText("Gr\xfc\xdfe", "plain", "utf-8")
    part["X-Part"] = "Gr\xfc\xdfe"
    return message(attachments=[part]).send()


@case()
def legacy_text_into_message():
    email = message(body="")
    email.attach(MIMEText("Text.", "plain"))
    return email.send()


@case()
def date_of_message():
    made = message(headers={"Date": "Fri, 09 Nov 2001 01:08:47 -0000"}).message()
    return made["Date"]


@case()
def date_from_datetime():
    when = datetime.datetime(2001, 11, 9, 1, 8, 47, tzinfo=datetime.timezone.utc)
    return message(headers={"Date": when}).send()
