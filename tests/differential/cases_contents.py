"""Attachments and alternatives of every shape."""

import email
import email.message
import tempfile
from collections import namedtuple
from email.mime.application import MIMEApplication
from email.mime.audio import MIMEAudio
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

from django.core.mail import EmailAlternative, EmailAttachment, EmailMessage, EmailMultiAlternatives
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from .world import case

TO = ["to@example.com"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def send(*attachments, body="Text."):
    return EmailMessage("Hi", body, None, TO, attachments=list(attachments)).send()


def attach(*arguments, **keywords):
    message = EmailMessage("Hi", "Text.", None, TO)
    message.attach(*arguments, **keywords)
    return message.send()


@case()
def attachment_tuple():
    return send(("a.txt", "File.", "text/plain"))


@case()
def attachment_list():
    return send(["a.txt", "File.", "text/plain"])


@case()
def attachment_named_tuple():
    return send(EmailAttachment("a.txt", "File.", "text/plain"))


@case()
def attachment_pair():
    return send(("a.txt", "File."))


@case()
def attachment_mimetype_none():
    return send(("a.txt", "File.", None))


@case()
def attachment_guessed_pdf():
    return attach("a.pdf", b"%PDF")


@case()
def attachment_guessed_unknown():
    return attach("a.nosuchtype", b"abc")


@case()
def attachment_guessed_gz():
    return attach("a.tar.gz", b"abc")


@case()
def attachment_str_as_binary():
    return attach("a.bin", "text \xfc", "application/octet-stream")


@case()
def attachment_str_as_pdf():
    return attach("a.pdf", "text", "application/pdf")


@case()
def attachment_bytes_as_text():
    return attach("a.txt", "Gr\xfc\xdfe".encode(), "text/plain")


@case()
def attachment_latin_1_as_text():
    return attach("a.txt", b"Gr\xfc\xdfe", "text/plain")


@case()
def attachment_bytearray():
    return attach("a.bin", bytearray(b"abc"), "application/x-bin")


@case()
def attachment_memoryview():
    return attach("a.bin", memoryview(b"abc"), "application/x-bin")


@case()
def attachment_no_filename():
    return attach(None, b"abc", "application/x-bin")


@case()
def attachment_no_filename_text():
    return attach(content="File.", mimetype="text/plain")


@case()
def attachment_no_filename_no_type():
    return attach(None, b"abc")


@case()
def attachment_filename_empty():
    return attach("", b"abc", "application/x-bin")


@case()
def attachment_no_content():
    return attach("a.txt")


@case()
def attachment_empty_content():
    return attach("a.txt", ""), attach("b.bin", b"")


@case()
def attachment_non_ascii_filename():
    return attach("\xdcbersicht \u732b.txt", "File.", "text/plain")


@case()
def attachment_long_filename():
    return attach("a" * 120 + ".bin", b"abc", "application/x-bin")


@case()
def attachment_long_non_ascii_filename():
    return attach("\xfc" * 60 + ".bin", b"abc", "application/x-bin")


@case()
def attachment_filename_quotes_and_spaces():
    return attach('my "best" file; v=1.bin', b"abc", "application/x-bin")


@case()
def attachment_filename_backslash():
    return attach("C:\\temp\\a.bin", b"abc", "application/x-bin")


@case()
def attachment_filename_lazy():
    return attach(lazystr("a.bin"), b"abc", "application/x-bin")


@case()
def attachment_filename_safe():
    return attach(mark_safe("a.bin"), b"abc", "application/x-bin")


@case()
def attachment_filename_path():
    return attach(Path("a.bin"), b"abc", "application/x-bin")


@case()
def attachment_filename_line_break():
    return attach("a\nX-Injected: 1.bin", b"abc", "application/x-bin")


@case()
def attachment_type_upper_case():
    return attach("a.txt", "File.", "TEXT/Plain")


@case()
def attachment_type_with_charset():
    return attach("a.txt", "File.", "text/plain; charset=utf-8")


@case()
def attachment_type_with_name():
    return attach("a.ics", "BEGIN:VCALENDAR", "text/calendar; method=REQUEST")


@case()
def attachment_type_with_parameter():
    return attach("a.bin", b"abc", "application/x-bin; version=1")


@case()
def attachment_type_without_slash():
    return attach("a.bin", b"abc", "binary")


@case()
def attachment_type_empty():
    return attach("a.bin", b"abc", "")


@case()
def attachment_type_multipart():
    return attach("a.bin", b"--x\n\na\n--x--\n", "multipart/mixed")


@case()
def attachment_calendar():
    return attach("a.ics", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "text/calendar")


@case()
def attachment_text_long_lines():
    return attach("a.csv", "x;" * 1000 + "\r\n\xfc", "text/csv")


@case()
def attachment_text_exact():
    return attach("a.csv", "no line end", "text/csv"), attach("b.csv", "a\n\n\n", "text/csv")


@case()
def attachment_text_lazy():
    return attach("a.txt", lazystr("File."), "text/plain")


@case()
def attachment_text_safe():
    return attach("a.html", mark_safe("<p>"), "text/html")


@case()
def attachment_text_none_ascii():
    return attach("a.txt", "Gr\xfc\xdfe \u732b", "text/plain")


@case()
def attachment_object_with_str():
    return attach("a.txt", 42, "text/plain")


@case()
def attachment_number_as_binary():
    return attach("a.bin", 42, "application/x-bin")


@case()
def attachment_large():
    return attach("a.bin", PNG * 2000, "application/x-bin")


@case()
def attachment_message_str():
    return attach("a.eml", "Subject: Inner\n\nInner text.\n", "message/rfc822")


@case()
def attachment_message_bytes():
    return attach(None, b"Subject: Inner\n\nInner text.\n", "message/rfc822")


@case()
def attachment_message_django():
    return attach("a.eml", EmailMessage("Inner", "Inner text.", None, TO), "message/rfc822")


@case()
def attachment_message_django_non_ascii():
    inner = EmailMessage("Gr\xfc\xdfe", "Gr\xfc\xdfe", None, TO)
    return attach(None, inner, "message/rfc822")


@case()
def attachment_message_legacy():
    inner = email.message_from_string("Subject: Inner\n\nInner text.\n")
    return attach(None, inner, "message/rfc822")


@case()
def attachment_message_modern():
    inner = email.message.EmailMessage()
    inner["Subject"] = "Inner"
    inner.set_content("Inner text.\n")
    return attach(None, inner, "message/rfc822")


@case()
def attachment_message_delivery_status():
    return attach(None, "Reporting-MTA: dns; example.com\n\n", "message/delivery-status")


@case()
def attachment_message_partial():
    return attach(None, "Subject: x\n\ny", "message/external-body")


@case()
def attachment_file():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a file.txt")
        path.write_text("Gr\xfc\xdfe\n", encoding="utf-8")
        message = EmailMessage("Hi", "Text.", None, TO)
        message.attach_file(path)
        message.attach_file(str(path), "application/x-bin")
        message.attach_file(path, mimetype="text/x-own")
        return message.send()


@case()
def attachment_file_png():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "\xfc.png")
        path.write_bytes(PNG)
        message = EmailMessage("Hi", "Text.", None, TO)
        message.attach_file(path)
        return message.send()


@case()
def attachment_file_latin_1():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.html")
        path.write_bytes(b"\xfc")
        message = EmailMessage("Hi", "Text.", None, TO)
        message.attach_file(path)
        return message.send()


@case()
def attachment_file_missing():
    return EmailMessage("Hi", "Text.", None, TO).attach_file("/no/such/file")


@case()
def attachments_only():
    return send(("a.txt", "File.", "text/plain"), body="")


@case()
def attachments_many():
    return send(*[(f"{n}.txt", f"File {n}.", "text/plain") for n in range(20)])


@case()
def attachments_tuple():
    return EmailMessage(
        "Hi", "Text.", None, TO, attachments=(("a.txt", "File.", "text/plain"),)
    ).send()


@case()
def attachments_generator():
    return EmailMessage(
        "Hi", "Text.", None, TO, attachments=(("a.txt", f"{n}", "text/plain") for n in range(2))
    ).send()


@case()
def attachments_put_in_directly():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.attachments.append(("a.txt", "File.", "text/plain"))
    message.attachments.append(["a.bin", b"abc", "application/x-bin"])
    message.attachments.append(MIMEImage(PNG, "png"))
    return message.send()


@case()
def attachments_put_in_directly_bytes_as_text():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.attachments.append(("a.txt", b"File.", "text/plain"))
    return message.send()


@case()
def attachments_put_in_directly_without_type():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.attachments.append(("a.txt", "File.", None))
    return message.send()


@case()
def attachments_put_in_directly_pair():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.attachments.append(("a.txt", "File."))
    return message.send()


@case()
def mime_image():
    image = MIMEImage(PNG, "png")
    image.add_header("Content-ID", "<logo>")
    image.add_header("Content-Disposition", "inline", filename="logo.png")
    message = EmailMultiAlternatives("Hi", "Text.", None, TO)
    message.attach_alternative('<img src="cid:logo">', "text/html")
    message.attach(image)
    return message.send()


@case()
def mime_image_related():
    image = MIMEImage(PNG, "png")
    image["Content-ID"] = "<logo>"
    message = EmailMultiAlternatives("Hi", "Text.", None, TO)
    message.mixed_subtype = "related"
    message.attach_alternative('<img src="cid:logo">', "text/html")
    message.attach(image)
    return message.send()


@case()
def mime_application():
    return send(MIMEApplication(b"abc", "pdf", name="a.pdf"))


@case()
def mime_text():
    return send(MIMEText("Gr\xfc\xdfe", "html", "utf-8"))


@case()
def mime_text_ascii():
    part = MIMEText("File.")
    part.add_header("Content-Disposition", "attachment", filename="a.txt")
    return send(part)


@case()
def mime_audio():
    return send(MIMEAudio(b"abc", "ogg"))


@case()
def mime_base():
    part = MIMEBase("application", "x-bin")
    part.set_payload(b"abc")
    email.encoders.encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "\xfc.bin"))
    return send(part)


@case()
def mime_message():
    inner = email.message_from_string("Subject: Inner\n\nInner text.\n")
    return send(MIMEMessage(inner))


@case()
def mime_multipart():
    part = MIMEMultipart("related")
    part.attach(MIMEText("<p>", "html"))
    part.attach(MIMEImage(PNG, "png"))
    return send(part)


@case()
def mime_and_body_empty():
    return send(MIMEImage(PNG, "png"), body="")


@case()
def mime_with_content():
    return attach(MIMEImage(PNG, "png"), b"abc")


@case()
def mime_same_part_twice():
    part = MIMEImage(PNG, "png")
    return send(part), send(part)


def alternatives(*pairs, body="Text.", attachments=()):
    message = EmailMultiAlternatives("Hi", body, None, TO, attachments=attachments)
    for content, mimetype in pairs:
        message.attach_alternative(content, mimetype)
    return message.send()


@case()
def alternative_html():
    return alternatives(("<p>Gr\xfc\xdfe", "text/html"))


@case()
def alternative_two():
    return alternatives(("<p>", "text/html"), ("<amp>", "text/x-amp-html"))


@case()
def alternative_calendar():
    return alternatives(("BEGIN:VCALENDAR", "text/calendar; method=REQUEST"))


@case()
def alternative_calendar_charset():
    return alternatives(("BEGIN:VCALENDAR", "text/calendar; method=REQUEST; charset=utf-8"))


@case()
def alternative_binary():
    return alternatives((b"\x00\xff", "application/x-bin"))


@case()
def alternative_bytes_as_text():
    return alternatives((b"<p>", "text/html"))


@case()
def alternative_str_as_binary():
    return alternatives(("{}", "application/json"))


@case()
def alternative_lazy():
    return alternatives((lazystr("<p>"), "text/html"))


@case()
def alternative_safe():
    return alternatives((mark_safe("<p>"), "text/html"))


@case()
def alternative_empty():
    return alternatives(("", "text/html"))


@case()
def alternative_none():
    return alternatives((None, "text/html"))


@case()
def alternative_without_body():
    return alternatives(("<p>", "text/html"), body="")


@case()
def alternative_and_attachment():
    return alternatives(("<p>", "text/html"), attachments=[("a.txt", "File.", "text/plain")])


@case()
def alternative_and_attachment_without_body():
    return alternatives(
        ("<p>", "text/html"), body="", attachments=[("a.txt", "File.", "text/plain")]
    )


@case()
def alternative_long_lines():
    return alternatives(("<p>" + "x" * 2000 + "\xfc", "text/html"))


@case()
def alternative_message():
    return alternatives(("Subject: Inner\n\nInner text.\n", "message/rfc822"))


@case()
def alternatives_argument():
    return EmailMultiAlternatives(
        "Hi", "Text.", None, TO, alternatives=[("<p>", "text/html")]
    ).send()


@case()
def alternatives_argument_named():
    return EmailMultiAlternatives(
        "Hi", "Text.", None, TO, alternatives=[EmailAlternative("<p>", "text/html")]
    ).send()


@case()
def alternatives_put_in_directly():
    message = EmailMultiAlternatives("Hi", "Text.", None, TO)
    message.alternatives.append(EmailAlternative("<p>", "text/html"))
    return message.send()


@case()
def alternatives_put_in_directly_tuple():
    message = EmailMultiAlternatives("Hi", "Text.", None, TO)
    message.alternatives.append(("<p>", "text/html"))
    return message.send()


@case()
def alternatives_put_in_directly_own_type():
    own = namedtuple("own", ["content", "mimetype", "more"])
    message = EmailMultiAlternatives("Hi", "Text.", None, TO)
    message.alternatives.append(own("<p>", "text/html", 1))
    return message.send()


@case()
def alternatives_html_subtype():
    message = EmailMultiAlternatives("Hi", "<p>", None, TO)
    message.content_subtype = "html"
    message.attach_alternative("Text.", "text/plain")
    return message.send()


@case()
def content_subtype_odd():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.content_subtype = "x-own"
    return message.send()


@case()
def content_subtype_with_parameter():
    message = EmailMessage("Hi", "Text.", None, TO)
    message.content_subtype = "plain; format=flowed"
    return message.send()
