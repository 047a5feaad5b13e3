"""Extra headers of odd names and values, and what is pasted into them."""

import datetime
import decimal
from email.header import Header
from email.headerregistry import Address

from django.core.mail import EmailMessage
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from .world import case

TO = ["to@example.com"]


def send(headers=None, **arguments):
    return EmailMessage(
        **{"subject": "Hi", "body": "Text.", "to": TO, "headers": headers, **arguments}
    ).send()


# --- Values


@case()
def header_int():
    return send({"X-Priority": 1})


@case()
def header_bool():
    return send({"X-Auto": True, "X-Not": False})


@case()
def header_float():
    return send({"X-Float": 1.5})


@case()
def header_decimal():
    return send({"X-Decimal": decimal.Decimal("1.50")})


@case()
def header_datetime():
    return send({"X-When": datetime.datetime(2026, 1, 2, 3, 4, 5)})


@case()
def header_date():
    return send({"X-Day": datetime.date(2026, 1, 2), "X-Time": datetime.time(3, 4)})


@case()
def header_none():
    return send({"X-None": None})


@case()
def header_list():
    return send({"X-List": ["a", "b"]})


@case()
def header_bytes():
    return send({"X-Bytes": b"bytes"})


@case()
def header_empty():
    return send({"X-Empty": ""})


@case()
def header_lazy():
    return send({"X-Lazy": lazystr("lazy"), "X-Safe": mark_safe("a & b")})


@case()
def header_object():
    return send({"X-Object": Address("Ann", "ann", "example.com")})


@case()
def header_of_email_header():
    return send({"X-Header": Header("Gr\xfc\xdfe", "utf-8")})


@case()
def header_non_ascii():
    return send({"X-Text": "Gr\xfc\xdfe aus K\xf6ln \u732b"})


@case()
def header_long():
    return send({"X-Long": "word " * 60, "X-Longer": "x" * 200})


@case()
def header_json():
    return send({"X-SMTPAPI": '{"category": ["a", "b"], "unique_args": {"id": 1}}'})


@case()
def header_long_json():
    return send({"X-SMTPAPI": '{"to": [' + ", ".join(['"someone@example.com"'] * 20) + "]}"})


@case()
def header_encoded_word():
    return send({"X-Encoded": "=?utf-8?q?Gr=C3=BC=C3=9Fe?="}, subject="=?utf-8?b?R3LDvMOfZQ==?=")


@case()
def header_surrounding_spaces():
    return send({"X-Spaces": "  a  b  "}, subject="  Hi  there ")


@case()
def header_tab():
    return send({"X-Tab": "a\tb"}, subject="Hi\tthere")


@case()
def header_nul():
    return send({"X-Nul": "a\x00b"})


@case()
def header_surrogate():
    return send({"X-Surrogate": "a\udcffb"})


@case()
def header_line_break():
    return send({"X-Break": "a\nBcc: b@example.com"})


@case()
def header_folded_by_hand():
    return send({"X-Folded": "a\r\n b"})


# --- Names


@case()
def header_content_type():
    return send({"Content-Type": "text/html"})


@case()
def header_content_transfer_encoding():
    return send({"Content-Transfer-Encoding": "7bit"})


@case()
def header_mime_version():
    return send({"MIME-Version": "1.0", "mime-version": "1.0"})


@case()
def header_content_disposition():
    return send({"Content-Disposition": "inline", "Content-Language": "de"})


@case()
def header_subject():
    return send({"Subject": "Other"})


@case()
def header_subject_lower():
    return send({"subject": "Other"})


@case()
def header_from():
    return send({"From": "Other <other@example.com>"})


@case()
def header_from_lower():
    return send({"from": "other@example.com"})


@case()
def header_to():
    return send({"To": "Members <list@example.com>"})


@case()
def header_to_list():
    return send({"To": ["a@example.com", "b@example.com"]})


@case()
def header_to_undisclosed():
    return send({"To": "undisclosed-recipients:;"}, to=[], bcc=["b@example.com"])


@case()
def header_cc():
    return send({"Cc": "list@example.com"}, cc=["c@example.com"])


@case()
def header_cc_lower():
    return send({"cc": "list@example.com"})


@case()
def header_reply_to():
    return send({"Reply-To": "reply@example.com"}, reply_to=["other@example.com"])


@case()
def header_reply_to_lower():
    return send({"reply-to": "reply@example.com"})


@case()
def header_bcc():
    return send({"Bcc": "hidden@example.com"})


@case()
def header_sender():
    return send({"Sender": "Ann <ann@example.com>"})


@case()
def header_sender_two():
    return send({"Sender": "ann@example.com, bob@example.com"})


@case()
def header_resent():
    return send({"Resent-To": "ann@example.com, bob@example.com", "Resent-From": "c@example.com"})


@case()
def header_message_id():
    return send({"Message-ID": "<own@example.com>"})


@case()
def header_message_id_lower():
    return send({"message-id": "<own@example.com>"})


@case()
def header_message_id_bare():
    return send({"Message-ID": "own"})


@case()
def header_message_id_twice():
    return send({"Message-ID": "<a@example.com>", "message-id": "<b@example.com>"})


@case()
def header_references():
    ids = " ".join(f"<{n}{'x' * 60}@example.com>" for n in range(10))
    return send({"References": ids, "In-Reply-To": "<a@example.com>"})


@case()
def header_date_str():
    return send({"Date": "Fri, 09 Nov 2001 01:08:47 -0000"})


@case()
def header_date_nonsense():
    return send({"date": "yesterday"})


@case()
def header_list_unsubscribe():
    return send(
        {
            "List-Unsubscribe": "<mailto:a@example.com>, <https://example.com/u?" + "x" * 80 + ">",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-ID": "News <news.example.com>",
            "Precedence": "bulk",
            "Auto-Submitted": "auto-generated",
            "Return-Path": "<bounce@example.com>",
            "Disposition-Notification-To": "ann@example.com",
            "Importance": "high",
        }
    )


@case()
def header_same_name_in_two_cases():
    return send({"X-A": "1", "x-a": "2"})


@case()
def header_name_with_underscore():
    return send({"X_Under": "1"})


@case()
def header_name_with_space():
    return send({"X Space": "1"})


@case()
def header_name_with_colon():
    return send({"X-Colon:": "1"})


@case()
def header_name_non_ascii():
    return send({"X-\xdc": "1"})


@case()
def header_name_empty():
    return send({"": "1"})


@case()
def header_name_line_break():
    return send({"X-A\nBcc": "b@example.com"})


@case()
def headers_from_another_mapping():
    from types import MappingProxyType

    return send(MappingProxyType({"X-A": "1"}))


@case()
def headers_from_django():
    from django.utils.datastructures import CaseInsensitiveMapping

    return send(CaseInsensitiveMapping({"X-A": "1", "From": "other@example.com"}))


# --- Pasted from elsewhere

PASTED = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@case()
def pasted_into_subject():
    return [send(subject=f"One{character}two three") for character in PASTED]


@case()
def pasted_into_non_ascii_subject():
    return [send(subject=f"Gr\xfc\xdfe{character}two three") for character in PASTED]


@case()
def pasted_into_header():
    return [send({"X-Pasted": f"One{character}two"}) for character in PASTED]


@case()
def pasted_into_long_subject():
    return send(subject="One\u2028two and some more words " * 8 + "\x0b" + "x" * 100)


@case()
def pasted_at_the_ends():
    return [send(subject="\u2028Hi\u2028"), send(subject="\x0bHi\x0c"), send(subject="\x85")]


@case()
def pasted_into_from_name():
    return [send(from_email=f"Ann{character}Lee <a@example.com>") for character in PASTED]


@case()
def pasted_into_recipient_name():
    return [send(to=[f"\xc4nn{character}Lee <a@example.com>"]) for character in PASTED]


@case()
def pasted_behind_recipient():
    return [send(to=[f"a@example.com{character}"]) for character in PASTED]


@case()
def pasted_into_file_name():
    return [
        send(attachments=[(f"a{character}b.txt", "File.", "text/plain")]) for character in PASTED
    ]


@case()
def non_breaking_and_zero_width():
    return send(subject="One\xa0two\u200bthree\ufeff", from_email="A\xa0B <a@example.com>")
