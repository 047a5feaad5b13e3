"""Messages, the ordinary and the nasty, that must have the same bytes on every Django.

`CORPUS` names them. In recordings.py `render()` turns one into lines that no clock and no random
number changes, and `Recordings` is what native Django 6.1 made of each (tests/data/corpus.json,
written by tests/record_corpus.py).

The recorder runs this module with Pythons that are too old for Django 6.1: nothing here may
import more of Django than a message needs, django.test least of all.
"""

import email
import email.message
import email.policy
import json
from datetime import datetime, timedelta, timezone
from email.charset import QP, Charset
from email.headerregistry import Address
from email.message import MIMEPart
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.text import MIMEText
from functools import partial

from django.core.mail import EmailAttachment, EmailMessage, EmailMultiAlternatives
from django.utils.translation import gettext_lazy

# Complete only with what follows.
from .recordings import CORPUS, SETTINGS, add, lazily, simple  # noqa: F401

LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt "
    "ut labore et dolore magna aliqua "
)
UMLAUTS = "Größenänderungsüberprüfung "
JAPANESE = "吾輩は猫である。名前はまだ無い。"
HEBREW = "שלום עולם"
ARABIC = "السلام عليكم"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\xff"

# Bodies. 7bit, 8bit, quoted-printable or base64: Python chooses by what is in them, by the
# longest line (RFC 5322 allows 998 characters) and by the policy.
BODIES = {
    "ascii": "Hello,\n\nworld.\n",
    "without_newline": "Hello",
    "empty": "",
    "none": None,
    "newlines_only": "\n\n\n",
    "one_space": " ",
    "int": 42,
    "bytes": "déjà vu\n".encode(),
    "lazy": lazily("A lazy body.\n"),
    "translated": gettext_lazy("A body that no catalogue translates: é.\n"),
    "utf8_short": "Où?\n",
    "utf8_mostly_ascii": LOREM + "é\n",
    "utf8_mostly_not_ascii": JAPANESE * 3 + "\n",
    "utf8_many_lines": (UMLAUTS + "\n") * 5,
    "emoji": f"Party \N{PARTY POPPER} {FAMILY} \N{REGIONAL INDICATOR SYMBOL LETTER N}\n",
    "right_to_left": f"{HEBREW} \N{RIGHT-TO-LEFT MARK}{ARABIC} \N{RIGHT-TO-LEFT OVERRIDE}abc\n",
    "combining": "e\N{COMBINING ACUTE ACCENT} is é\n",
    "byte_order_mark": "\N{ZERO WIDTH NO-BREAK SPACE}text\n",
    "crlf": "one\r\ntwo\r\n\r\nfour",
    "crlf_utf8": "één\r\ntwee\r\n",
    "cr_only": "one\rtwo\r",
    "mixed_line_ends": "a\nb\r\nc\rd\n\re",
    "unicode_line_ends": "a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i\n",
    "ascii_line_ends": "a\x0bb\x0cc\x1cd\x1de\x1ef\n",
    "from_lines": "From the start\nFrom again\n>From quoted\n From indented\n",
    "from_line_utf8": "From München\nFrom Köln\n",
    "dots": ".\n..\n.leading\n\n.\n",
    "boundary_like": "--===============0000000000000000001==--\n--\n-- \nsignature\n",
    "header_like": "Subject: not a header\nDate: Mon, 01 Jan 2001 00:00:00 +0000\n",
    "tabs_and_trailing_spaces": "\tindented\ntrailing \ntab\t\n   \n",
    "trailing_spaces_utf8": "é \né\t\n \n",
    "equals_signs": "a=b =C3=A9 =\nx=\n",
    "equals_signs_utf8": "a=b =C3=A9 = é\n",
    "line_of_76": "x" * 76 + "\n",
    "line_of_78": "x" * 78 + "\n",
    "line_of_79": "x" * 79 + "\n",
    "line_of_998": "x" * 998 + "\n",
    "line_of_999": "x" * 999 + "\n",
    "long_line_of_words": LOREM * 10 + "\n",
    "long_line_second": "short\n" + "y" * 1200 + "\nshort\n",
    "line_of_998_bytes_utf8": "é" + "x" * 996 + "\n",
    "line_of_999_bytes_utf8": "é" + "x" * 997 + "\n",
    "long_line_japanese": JAPANESE * 25 + "\n",
    "nul": "a\x00b\n",
    "control_characters": "bell \x07 escape \x1b[1m delete \x7f\n",
    "escaped_bytes": "caf\udce9\n",
    "lone_surrogate": "\ud800\n",
    "long_line_escaped_bytes": "\udce9" + "x" * 1000 + "\n",
}
for label, body in BODIES.items():
    add(f"body_{label}", partial(simple, body=body))

for label, encoding, body in [
    ("latin1", "iso-8859-1", "Façade à l'été.\n"),
    ("latin1_ascii_only", "iso-8859-1", "Plain.\n"),
    ("latin1_long_line", "iso-8859-1", "é" * 1000 + "\n"),
    ("latin1_cannot", "iso-8859-1", "Euro € and Łódź\n"),
    ("latin1_bytes", "iso-8859-1", "é".encode("iso-8859-1")),
    ("windows_1252", "windows-1252", "“Quoted” – €\n"),
    ("iso_2022_jp", "iso-2022-jp", JAPANESE + "\n"),
    ("euc_jp", "euc-jp", JAPANESE + "\n"),
    ("shift_jis", "shift_jis", JAPANESE + "\n"),
    ("gb18030", "gb18030", "你好\n"),
    ("koi8_r", "koi8-r", "Привет\n"),
    ("big5_long", "big5", "繁體中文" * 30 + "\n"),
    ("utf_16", "utf-16-le", "wide é\n"),
    ("utf_7", "utf-7", "seven é\n"),
    ("utf8_upper", "UTF-8", "é\n"),
    ("ascii", "us-ascii", "Plain.\n"),
    ("ascii_cannot", "us-ascii", "é\n"),
    ("unknown", "no-such-charset", "Plain.\n"),
    ("charset_object", Charset("utf-8"), "é\n"),
]:
    add(f"encoding_{label}", partial(simple, subject="Été", body=body, encoding=encoding))


def quoted_printable_charset():
    charset = Charset("utf-8")
    charset.body_encoding = QP
    return simple(body="é\n", encoding=charset)


add("encoding_charset_object_qp", quoted_printable_charset)
add(
    "encoding_of_the_settings",
    partial(simple, subject="Été", body="Été.\n"),
    DEFAULT_CHARSET="iso-8859-15",
)
add("subtype_html", partial(simple, body="<p>Hi</p>\n", content_subtype="html"))
add("subtype_html_utf8", partial(simple, body="<p>Où?</p>\n", content_subtype="html"))
add("subtype_markdown", partial(simple, body="# Hi\n", content_subtype="markdown"))

# Subjects. What is folded, and where; what becomes encoded words; what is refused.
SUBJECTS = {
    "empty": "",
    "one_space": " ",
    "int": 7,
    "lazy": lazily("Lazily"),
    "translated": gettext_lazy("Nowhere translated, ünübersetzt"),
    "line_of_77": "x " * 34,
    "line_of_78": "y" * 69,
    "line_of_79": "y" * 70,
    "words": LOREM.strip(),
    "words_twice": (LOREM * 2).strip(),
    "no_place_to_fold": "z" * 200,
    "line_of_998": "z" * 989,
    "over_998": "z" * 1100,
    "long_word_after_short_ones": "a b c " + "w" * 90 + " d",
    "utf8_short": "Überraschung",
    "utf8_long": UMLAUTS * 6,
    "utf8_last_word": LOREM + "fin é",
    "utf8_first_word": "À " + LOREM,
    "utf8_middle": LOREM + "naïve " + LOREM,
    "japanese": JAPANESE * 4,
    "right_to_left": f"{HEBREW} {ARABIC} " * 4,
    "emoji": "\N{PARTY POPPER}" * 30,
    "emoji_sequence": f"{FAMILY} {FAMILY} {FAMILY} {FAMILY}",
    "encoded_word": "=?utf-8?q?already_encoded=C3=A9?=",
    "encoded_word_broken": "=?utf-8?q?open",
    "question_marks": "What?= really=? é",
    "underscores": "snake_case_é_x",
    "tabs": "a\tb\t\tc",
    "spaces": "a  b   c    d",
    "spaces_around": "  padded  ",
    "spaces_many": "a" + " " * 100 + "b",
    "trailing_space_long": "x" * 75 + "   ",
    "specials": 'a: b; "c" <d@example.com>, (e) [f] \\g',
    "percent": "100 % %s {0}",
    "nul": "a\x00b",
    "control_characters": "a\x07\x1b\x7fb",
    "non_breaking_space": "a\xa0b",
    "soft_hyphen": "Donau\xaddampf",
    "zero_width": "a\u200bb",
    "escaped_bytes": "caf\udce9",
    "lone_surrogate": "\ud800",
    "newline": "one\ntwo",
    "carriage_return": "one\rtwo",
    "crlf_injection": "one\r\nBcc: other@example.com",
    "crlf_folded": "one\r\n two",
    "lazy_newline": lazily("one\ntwo"),
    "vertical_tab": "one\x0btwo",
    "form_feed": "one\x0ctwo",
    "record_separator": "one\x1etwo",
    "next_line": "one\x85two",
    "line_separator": "one\u2028two",
}
for label, subject in SUBJECTS.items():
    add(f"subject_{label}", partial(simple, subject=subject))

# Addresses. IDNA for domains, encoded words for names, nothing for a local part.
MANY = [f"person{number}@example.com" for number in range(40)]
MANY_NAMED = [f'"Person, Number {number}" <person{number}@example.com>' for number in range(12)]
MANY_ACCENTED = [f"Zoë Müller {number} <zoe{number}@example.com>" for number in range(12)]
ADDRESSES = {
    "from_default": {"from_email": None},
    "from_name": {"from_email": "From Name <from@example.com>"},
    "from_quoted_comma": {"from_email": '"Name, From" <from@example.com>'},
    "from_escaped_quotes": {"from_email": r'"The \"Boss\" \\ Co." <from@example.com>'},
    "from_needless_quotes": {"from_email": '"From Name" <from@example.com>'},
    "from_dots_unquoted": {"from_email": "J. R. Doe <from@example.com>"},
    "from_comment": {"from_email": "from@example.com (From Name)"},
    "from_accents": {"from_email": "Frøm Nåme <from@example.com>"},
    "from_accents_quoted_comma": {"from_email": '"Nåme, Frøm" <from@example.com>'},
    "from_accents_and_quotes": {"from_email": r'"Frøm \"x\"" <from@example.com>'},
    "from_emoji": {"from_email": "\N{ROCKET} Launch <from@example.com>"},
    "from_right_to_left": {"from_email": f"{HEBREW} <from@example.com>"},
    "from_long_name": {"from_email": f'"{LOREM.strip()}" <from@example.com>'},
    "from_long_accents": {"from_email": f'"{(UMLAUTS * 4).strip()}" <from@example.com>'},
    "from_encoded_word": {"from_email": "=?utf-8?q?Fr=C3=B8m?= <from@example.com>"},
    "from_local": {"from_email": "webmaster"},
    "from_local_angle": {"from_email": "Web Master <webmaster>"},
    "from_lazy": {"from_email": lazily("Lazy <from@example.com>")},
    "from_idna": {"from_email": "from@exämple.com"},
    "from_idna_name": {"from_email": '"Nåme, x" <from@exämple.com>'},
    "from_header": {"headers": {"From": "Header <header@example.com>"}},
    "from_header_accents": {"headers": {"From": "Héader <header@example.com>"}},
    "from_header_idna": {"headers": {"From": "header@exämple.com"}},
    "from_header_lazy": {"headers": {"From": lazily("Lazy <header@example.com>")}},
    "from_header_several": {
        "headers": {"From": "a@example.com, b@example.com", "Sender": "a@example.com"}
    },
    "from_header_lower": {"headers": {"from": "header@example.com"}},
    "to_none": {"to": None},
    "to_tuple": {"to": ("a@example.com", "b@example.com")},
    "to_two_in_one": {"to": ["a@example.com, B <b@example.com>"]},
    "to_with_empty": {"to": ["", "a@example.com", ""]},
    "to_only_empty": {"to": [""]},
    "to_with_none": {"to": ["a@example.com", None]},
    "to_trailing_comma": {"to": ["a@example.com,"]},
    "to_duplicates": {"to": ["a@example.com", "a@example.com"]},
    "to_lazy": {"to": [lazily("Lazy <to@example.com>"), gettext_lazy("b@example.com")]},
    "to_address_object": {"to": [Address("Jöe, Jr.", "joe", "example.com")]},
    "to_folds_exactly": {"to": ["a" * 62 + "@example.com", "b@example.com"]},
    "to_longer_than_a_line": {"to": ["a" * 64 + "@" + "b" * 60 + ".example.com"]},
    "to_many": {"to": MANY},
    "to_many_names": {"to": MANY_NAMED},
    "to_many_accents": {"to": MANY_ACCENTED},
    "to_many_mixed": {"to": [*MANY[:5], *MANY_ACCENTED[:3], *MANY_NAMED[:3], *MANY[5:10]]},
    "to_many_idna": {"to": [f"person{number}@exämple{number}.com" for number in range(12)]},
    "to_name_of_specials": {"to": [r'"a@b, <c>; (d) [e] \\ \"f\"" <to@example.com>']},
    "to_name_single_quotes": {"to": ["O'Neil 'Shaq' <to@example.com>"]},
    "to_name_like_address": {"to": ['"other@example.org" <to@example.com>']},
    "to_name_empty": {"to": ['"" <to@example.com>']},
    "to_name_spaces": {"to": ['"  two  spaces  " <to@example.com>']},
    "to_name_tab": {"to": ['"a\tb" <to@example.com>']},
    "to_name_long_word": {"to": ["N" * 90 + " <to@example.com>"]},
    "to_name_japanese": {"to": [f"{JAPANESE}{JAPANESE} <to@example.com>"]},
    "to_name_combining": {"to": ["e\N{COMBINING ACUTE ACCENT} <to@example.com>"]},
    "to_angle_only": {"to": ["<to@example.com>"]},
    "to_spaces_around": {"to": ["  to@example.com  "]},
    "to_local": {"to": ["root", "Post Master <postmaster>"]},
    "to_quoted_local_part": {"to": ['"john doe"@example.com', '"a@b"@example.com']},
    "to_plus_tag": {"to": ["to+tag=x/y@example.com", "it's.o'k@example.com"]},
    "to_domain_literal": {"to": ["root@[127.0.0.1]"]},
    "to_group": {"to": ["Friends: a@example.com, b@example.com;"]},
    "to_group_empty": {"to": ["undisclosed-recipients:;"], "bcc": ["bcc@example.com"]},
    "to_idna": {"to": ["to@exämple.com", "to@例え.jp", "to@пример.рф"]},
    "to_idna_name": {"to": ["Zoë <zoe@exämple.com>", '"Plain, A" <plain@exämple.com>']},
    "to_idna_upper": {"to": ["to@EXÄMPLE.com"]},
    "to_idna_done": {"to": ["to@xn--exmple-cua.com"]},
    "to_idna_sharp_s": {"to": ["to@straße.example"]},
    "to_idna_emoji": {"to": ["to@\N{PILE OF POO}.example"]},
    "to_idna_group": {"to": ["Friends: a@exämple.com, b@example.com;"]},
    "to_idna_quoted_local_part": {"to": ['"john doe"@exämple.com']},
    "to_unicode_local_part": {"to": ["jörg@example.com"]},
    "to_unicode_local_part_name": {"to": ["Jörg <jörg@exämple.com>"]},
    "to_unicode_without_domain": {"to": ["jörg"]},
    "to_newline": {"to": ["a@example.com\nBcc: other@example.com"]},
    "to_header": {"headers": {"To": "list@example.com, Other <other@example.com>"}},
    "to_header_empty": {"headers": {"To": ""}},
    "to_header_lower": {"headers": {"to": "list@example.com"}},
    "to_header_list": {"headers": {"To": ["a@example.com", "b@example.com"]}},
    "to_header_idna": {"headers": {"To": "list@exämple.com"}},
    "cc": {"cc": ["cc@example.com", "Çé <cc2@exämple.com>"]},
    "cc_only": {"to": [], "cc": ["cc@example.com"]},
    "cc_many": {"cc": MANY},
    "cc_header": {"cc": ["cc@example.com"], "headers": {"Cc": "other@exämple.com"}},
    "cc_header_upper": {"cc": ["cc@example.com"], "headers": {"CC": "other@example.com"}},
    "bcc": {"bcc": ["bcc@example.com"]},
    "bcc_only": {"to": [], "bcc": ["bcc@example.com"]},
    "reply_to": {"reply_to": ["reply@example.com"]},
    "reply_to_several": {"reply_to": ["Réply <a@example.com>", "b@exämple.com", "c"]},
    "reply_to_header": {
        "reply_to": ["reply@example.com"],
        "headers": {"Reply-To": "Other <other@exämple.com>"},
    },
    "everybody": {
        "from_email": "Frøm <from@exämple.com>",
        "to": ["Tö <to@exämple.com>", "to@example.com"],
        "cc": ['"Ç, c" <cc@exämple.com>'],
        "bcc": ["bcc@exämple.com"],
        "reply_to": ["Rëply <reply@exämple.com>"],
        "headers": {"Sender": "Sénder <sender@exämple.com>"},
    },
}
for label, arguments in ADDRESSES.items():
    add(label, partial(simple, **arguments))

# Extra headers.
WHEN = datetime(2001, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5, minutes=45)))
HEADERS = {
    "message_id": {"Message-ID": "<explicit@example.com>"},
    "message_id_any_case": {"meSSage-Id": "<explicit@example.com>"},
    "message_id_bare": {"Message-ID": "no-brackets"},
    "message_id_long": {"Message-ID": "<" + "m" * 90 + "@example.com>"},
    "date": {"Date": "Fri, 09 Nov 2001 01:08:47 -0000"},
    "date_any_case": {"daTE": "Fri, 09 Nov 2001 01:08:47 +0100"},
    "date_datetime": {"Date": WHEN},
    "date_naive": {"Date": WHEN.replace(tzinfo=None)},
    "date_invalid": {"Date": "yesterday"},
    "sender": {"Sender": "Sender <sender@example.com>"},
    "sender_two": {"Sender": "a@example.com, b@example.com"},
    "resent": {"Resent-From": "a@exämple.com", "Resent-To": "Ä <b@example.com>, c@exämple.com"},
    "return_path": {"Return-Path": "<bounce@example.com>"},
    "errors_to_accents": {"Errors-To": "Ërrors <errors@exämple.com>"},
    "list_unsubscribe": {
        "List-Unsubscribe": "<mailto:unsubscribe@example.com>, "
        "<https://example.com/unsubscribe?" + "token=0123456789abcdef" * 5 + ">",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    "list_id": {"List-Id": "Lïst <list.example.com>", "Precedence": "bulk"},
    "references": {
        "In-Reply-To": "<parent@example.com>",
        "References": " ".join(f"<message-{number}@mail.example.com>" for number in range(12)),
    },
    "int": {"X-Priority": 1},
    "float": {"X-Score": 1.5},
    "none": {"X-None": None},
    "bool": {"X-Flag": True},
    "bytes": {"X-Bytes": b"bytes"},
    "lazy": {"X-Lazy": lazily("lazy")},
    "empty": {"X-Empty": ""},
    "list": {"X-List": ["a", "b"]},
    "dict": {"X-Dict": {"a": 1}},
    "accents": {"X-Accents": "naïve " * 20},
    "long": {"X-Long": LOREM.strip()},
    "long_word": {"X-Long": "w" * 300},
    "over_998": {"X-Long": "w" * 1100},
    "json": {"X-SMTPAPI": json.dumps({"to": MANY[:6], "category": "wélcome", "unique": {"a": 1}})},
    "name_of_78": {"X-" + "N" * 76: "value"},
    "name_with_space": {"X Name": "value"},
    "name_with_colon": {"X:Name": "value"},
    "name_accents": {"X-Nämé": "value"},
    "name_empty": {"": "value"},
    "same_in_other_case": {"X-One": "1", "x-one": "2"},
    "subject": {"Subject": "a second one"},
    "subject_lower": {"subject": "a second one"},
    "content_type": {"Content-Type": "text/x-other"},
    "content_transfer_encoding": {"Content-Transfer-Encoding": "8bit"},
    "content_language": {"Content-Language": "de-CH, fr"},
    "mime_version": {"MIME-Version": "1.0"},
    "bcc": {"Bcc": "bcc@example.com"},
    "bcc_any_case": {"BCC": "bcc@example.com"},
    "newline": {"X-Header": "one\nBcc: other@example.com"},
    "auto_submitted": {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
    "many": {f"X-Header-{number}": "v" * number for number in range(20)},
}
for label, headers in HEADERS.items():
    add(f"header_{label}", partial(simple, headers=headers))

add("date_utc_in_another_zone", simple, TIME_ZONE="Asia/Kathmandu")
add("date_local", simple, TIME_ZONE="Asia/Kathmandu", EMAIL_USE_LOCALTIME=True)
add("date_local_west", simple, TIME_ZONE="Pacific/Honolulu", EMAIL_USE_LOCALTIME=True)
add("date_local_utc", simple, TIME_ZONE="UTC", EMAIL_USE_LOCALTIME=True)
add(
    "from_default_accents",
    partial(simple, from_email=None),
    DEFAULT_FROM_EMAIL="Wébmaster <webmaster@exämple.com>",
)

# Alternatives.
HTML = "<p>Hëllo, <b>world</b></p>\n"
ALTERNATIVES = {
    "none": {"alternatives": None},
    "html": {"alternatives": [("<p>Hi</p>\n", "text/html")]},
    "html_utf8": {"alternatives": [(HTML, "text/html")]},
    "html_latin1": {"alternatives": [(HTML, "text/html")], "encoding": "iso-8859-1"},
    "html_long_lines": {"alternatives": [("<td>" * 300, "text/html")]},
    "html_crlf": {"alternatives": [("<p>\r\n</p>\r\n", "text/html")]},
    "html_from_line": {"alternatives": [("From here\n<p>\n", "text/html")]},
    "html_empty": {"alternatives": [("", "text/html")]},
    "html_lazy": {"alternatives": [(lazily(HTML), "text/html")]},
    "html_bytes": {"alternatives": [(HTML.encode(), "text/html")]},
    "html_bytes_invalid": {"alternatives": [(b"\xff", "text/html")]},
    "html_escaped_bytes": {"alternatives": [("\udcff", "text/html")]},
    "html_without_body": {"body": "", "alternatives": [(HTML, "text/html")]},
    "lists": {"alternatives": [["<p>Hi</p>", "text/html"]]},
    "several": {
        "alternatives": [
            ("*Hi*\n", "text/markdown"),
            ("<!doctype html><html amp4email></html>\n", "text/x-amp-html"),
            (HTML, "text/html"),
        ]
    },
    "calendar": {"alternatives": [("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "text/calendar")]},
    "parameters": {"alternatives": [(HTML, "text/html; charset=us-ascii")]},
    "json": {"alternatives": [('{"a": "é"}', "application/json")]},
    "json_latin1": {"alternatives": [('{"a": "é"}', "application/json")], "encoding": "latin-1"},
    "image": {"alternatives": [(PNG, "image/png")]},
    "int": {"alternatives": [(42, "application/x-int")]},
    "rfc822": {"alternatives": [(b"Subject: x\n\nx", "message/rfc822")]},
    "without_slash": {"alternatives": [("x", "html")]},
    "body_is_html": {"content_subtype": "html", "alternatives": [("Hi", "text/plain")]},
    "with_attachments": {
        "alternatives": [(HTML, "text/html")],
        "attach": lambda: [("a.txt", "text", "text/plain"), ("b.png", PNG, "image/png")],
    },
    "attachments_without_body": {
        "body": "",
        "alternatives": [(HTML, "text/html")],
        "attach": lambda: [("a.txt", "text", "text/plain")],
    },
}
for label, arguments in ALTERNATIVES.items():
    add(f"alternative_{label}", partial(simple, EmailMultiAlternatives, **arguments))


# Attachments. Parts and messages are mutable, so each rendering gets its own.
def inline_image(subtype="png"):
    part = MIMEPart()
    part.set_content(PNG, "image", subtype, disposition="inline", cid="<logo@example.com>")
    return part


def related_html():
    part = MIMEPart()
    part.set_content('<img src="cid:logo@example.com">\n', subtype="html")
    part.add_related(PNG, "image", "png", cid="<logo@example.com>")
    return part


def legacy_base():
    part = MIMEBase("application", "x-legacy")
    part.set_payload("plain payload")
    part.add_header("Content-Disposition", "attachment", filename="legacy.bin")
    return part


def legacy_text():
    part = MIMEText("Légacy\n", "plain", "utf-8")
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "légacy.txt"))
    return part


def legacy_image():
    part = MIMEImage(PNG, "png")
    part.add_header("Content-ID", "<logo@example.com>")
    return part


def python_message(policy=email.policy.default):
    message = email.message.EmailMessage(policy=policy)
    message["Subject"] = "Ïnner"
    message["From"] = "inner@example.com"
    message.set_content("Ïnner body\nFrom a line\n")
    message.add_attachment(b"\x00\x01", "application", "octet-stream", filename="i.bin")
    return message


def legacy_message():
    message = email.message.Message()
    message["Subject"] = "Legacy inner"
    message["To"] = "to@example.com"
    message.set_payload("From a line\nlegacy\n")
    return message


def legacy_mime_message():
    message = MIMEText("Ïnner\n", "plain", "utf-8")
    message["Subject"] = "Legacy MIME inner"
    return message


def django_message():
    return simple(
        EmailMultiAlternatives,
        subject="Ïnner",
        body="Ïnner body\n",
        to=["Ä <inner@exämple.com>"],
        alternatives=[(HTML, "text/html")],
        attach=lambda: [("inner.bin", b"\x00", "application/octet-stream")],
    )


def nested_django_message():
    return simple(subject="Middle", attach=lambda: [(None, django_message(), "message/rfc822")])


RAW = (
    "Subject: Raw\nFrom: raw@example.com\nMIME-Version: 1.0\n"
    'Content-Type: multipart/mixed; boundary="raw-boundary"\n\n'
    "preamble\n--raw-boundary\nContent-Type: text/plain\n\nFrom a line\n"
    "--raw-boundary\nContent-Type: application/octet-stream\n"
    "Content-Transfer-Encoding: base64\n\nAAEC\n--raw-boundary--\nepilogue\n"
)
RAW_8BIT = (
    "Subject: Raw\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\nNaïve\n"
)
RAW_FOLDED = (
    "Subject: a subject that is\n folded over\n\tthree lines\n"
    "From: =?utf-8?q?Fr=C3=B8m?=\n <from@example.com>\n"
    "X-Weird:  spaces around  \n\nFolded\n"
)
CSV = "name;größe\r\nå;1\r\n"
ATTACHMENTS = {
    "tuple": lambda: [("a.txt", "Some text\n", "text/plain")],
    "list": lambda: [["a.txt", "Some text\n", "text/plain"]],
    "named": lambda: [EmailAttachment("a.txt", "Some text\n", "text/plain")],
    "type_guessed": lambda: [("a.html", "<p>"), ("b.png", PNG), ("c.no-such-type", b"c")],
    "type_guessed_not_text": lambda: [("a.txt", b"\xff\xfe")],
    "without_filename": lambda: [(None, "Some text\n", "text/plain")],
    "filename_empty": lambda: [("", "Some text\n", "text/plain")],
    "filename_spaces": lambda: [("two words.txt", "x", "text/plain")],
    "filename_quotes": lambda: [('a "b" \\c.txt', "x", "text/plain")],
    "filename_specials": lambda: [("a;b=c,d/e(f)'g'.txt", "x", "text/plain")],
    "filename_accents": lambda: [("résumé.txt", "x", "text/plain")],
    "filename_emoji": lambda: [("\N{PARTY POPPER}.png", PNG, "image/png")],
    "filename_right_to_left": lambda: [(f"{HEBREW}.txt", "x", "text/plain")],
    "filename_long": lambda: [("n" * 100 + ".txt", "x", "text/plain")],
    "filename_long_accents": lambda: [("Übergröße" * 10 + ".txt", "x", "text/plain")],
    "filename_tab": lambda: [("a\tb.txt", "x", "text/plain")],
    "filename_nul": lambda: [("a\x00b.txt", "x", "text/plain")],
    "filename_lazy": lambda: [(lazily("lazy.txt"), "x", "text/plain")],
    "filename_newline": lambda: [("a\nb.txt", "x", "text/plain")],
    "text_utf8": lambda: [("a.txt", "Größe\n", "text/plain")],
    "text_without_newline": lambda: [("a.txt", "x", "text/plain")],
    "text_empty": lambda: [("a.txt", "", "text/plain")],
    "text_crlf": lambda: [("a.csv", CSV, "text/csv")],
    "text_long_lines": lambda: [("a.txt", "x" * 1000, "text/plain")],
    "text_from_line": lambda: [("a.txt", "From here\n", "text/plain")],
    "text_lazy": lambda: [("a.txt", lazily("Lazy é\n"), "text/plain")],
    "text_bytes": lambda: [("a.txt", "Größe\n".encode(), "text/plain")],
    "text_bytes_latin1": lambda: [("a.txt", "Größe\n".encode("latin-1"), "text/plain")],
    "text_bytes_crlf": lambda: [("a.csv", CSV.encode(), "text/csv")],
    "text_escaped_bytes": lambda: [("a.txt", "\udcff", "text/plain")],
    "text_bytearray": lambda: [("a.txt", bytearray(b"x"), "text/plain")],
    "text_int": lambda: [("a.txt", 42, "text/plain")],
    "text_parameters": lambda: [("a.txt", "x", "text/plain; charset=us-ascii")],
    "calendar": lambda: [("a.ics", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "text/calendar")],
    "calendar_parameters": lambda: [("a.ics", "BEGIN:VCALENDAR", "text/calendar; method=REQUEST")],
    "bytes": lambda: [("a.bin", bytes(range(256)), "application/octet-stream")],
    "bytes_empty": lambda: [("a.bin", b"", "application/octet-stream")],
    "bytearray": lambda: [("a.bin", bytearray(b"\x00\xff"), "application/octet-stream")],
    "memoryview": lambda: [("a.bin", memoryview(b"\x00\xff"), "application/octet-stream")],
    "string_as_binary": lambda: [("a.json", '{"a": "é"}', "application/json")],
    "int_as_binary": lambda: [("a.bin", 42, "application/x-int")],
    "lazy_as_binary": lambda: [("a.bin", lazily("é"), "application/x-lazy")],
    "type_parameters": lambda: [("a.bin", b"x", 'application/x-a; name="a"')],
    "type_unknown": lambda: [("a", b"x", "x-made/up")],
    "type_upper": lambda: [("a.txt", "é", "TEXT/PLAIN")],
    "type_multipart": lambda: [("a", b"x", "multipart/mixed")],
    "image": lambda: [("a.png", PNG, "image/png")],
    "audio": lambda: [("a.mp3", b"ID3", "audio/mpeg")],
    "several": lambda: [("a.txt", "a", "text/plain"), (None, PNG, "image/png"), ("a.txt", "b")],
    "part_inline_image": lambda: [inline_image()],
    "part_related": lambda: [related_html()],
    "part_message": lambda: [python_message()],
    "part_parsed": lambda: [email.message_from_string(RAW_FOLDED, policy=email.policy.default)],
    "parts_and_tuples": lambda: [
        inline_image(),
        ("a.txt", "a", "text/plain"),
        inline_image("gif"),
    ],
    "legacy_base": lambda: [legacy_base()],
    "legacy_text": lambda: [legacy_text()],
    "legacy_image": lambda: [legacy_image()],
    "legacy_application": lambda: [MIMEApplication(b"\x00\x01", "zip")],
    "rfc822_django": lambda: [("m.eml", django_message(), "message/rfc822")],
    "rfc822_django_nested": lambda: [(None, nested_django_message(), "message/rfc822")],
    "rfc822_python": lambda: [("m.eml", python_message(), "message/rfc822")],
    "rfc822_python_smtp": lambda: [(None, python_message(email.policy.SMTP), "message/rfc822")],
    "rfc822_legacy": lambda: [(None, legacy_message(), "message/rfc822")],
    "rfc822_legacy_mime": lambda: [("m.eml", legacy_mime_message(), "message/rfc822")],
    "rfc822_str": lambda: [("m.eml", RAW, "message/rfc822")],
    "rfc822_bytes": lambda: [("m.eml", RAW.encode(), "message/rfc822")],
    "rfc822_bytes_crlf": lambda: [(None, RAW.replace("\n", "\r\n").encode(), "message/rfc822")],
    "rfc822_8bit": lambda: [("m.eml", RAW_8BIT, "message/rfc822")],
    "rfc822_folded": lambda: [("m.eml", RAW_FOLDED, "message/rfc822")],
    "rfc822_legacy_folded": lambda: [
        (None, email.message_from_string(RAW_FOLDED), "message/rfc822")
    ],
    "rfc822_not_a_message": lambda: [("m.eml", "just text", "message/rfc822")],
    "rfc822_empty": lambda: [("m.eml", "", "message/rfc822")],
    "rfc822_accented_filename": lambda: [("é.eml", RAW, "message/rfc822")],
    "delivery_status": lambda: [
        (None, "Reporting-MTA: dns; mx.example\n\nAction: failed\n", "message/delivery-status")
    ],
    "partial": lambda: [(None, "Subject: x\n\nx\n", "message/partial")],
    "external_body": lambda: [(None, "Content-Type: image/png\n\n", "message/external-body")],
}
for label, attachments in ATTACHMENTS.items():
    add(f"attachment_{label}", partial(simple, attach=attachments))

add(
    "attachment_without_body",
    partial(simple, body="", attach=lambda: [("a.txt", "Text\n", "text/plain")]),
)
add(
    "attachment_without_body_multi",
    partial(simple, EmailMultiAlternatives, body="", attach=lambda: [inline_image()]),
)
add(
    "attachment_latin1",
    partial(
        simple,
        body="Körper\n",
        encoding="iso-8859-1",
        attach=lambda: [("größe.txt", "Größe\n", "text/plain"), ("b.txt", b"\xc3\xa9")],
    ),
)
add(
    "attachment_latin1_cannot",
    partial(simple, encoding="iso-8859-1", attach=lambda: [("a.txt", "€\n", "text/plain")]),
)
add(
    "attachment_body_html",
    partial(simple, body=HTML, content_subtype="html", attach=ATTACHMENTS["image"]),
)


def attachments_set_behind_attach():
    """What queues do that restore a message from a table: attach() never saw these."""
    message = simple()
    message.attachments = [
        ("a.txt", b"valid: \xc3\xa9\n", "text/plain"),
        ("b.txt", b"invalid: \xe9\n", "text/plain"),
        EmailAttachment("c.bin", "text", "application/octet-stream"),
    ]
    return message


def alternatives_attached():
    message = simple(EmailMultiAlternatives)
    message.attach_alternative(HTML, "text/html")
    message.attach("a.txt", "x")
    message.attach(content=PNG, mimetype="image/png")
    return message


class Newsletter(EmailMultiAlternatives):
    """Renders late and adds a header: message() overridden as 6.1 documents it."""

    content_subtype = "markdown"

    def message(self, **kwargs):
        message = super().message(**kwargs)
        message["List-Id"] = "Néws <news.example.com>"
        return message


class Signed(EmailMessage):
    """Wraps the whole message, as S/MIME packages do."""

    def message(self, *, policy=email.policy.default):
        inner = super().message(policy=policy)
        outer = email.message.EmailMessage(policy=policy)
        for name in ("Subject", "From", "To", "Date", "Message-ID"):
            outer[name] = inner[name]
            del inner[name]
        outer.make_mixed()
        outer.attach(inner)
        return outer


class Latin1(EmailMessage):
    encoding = "iso-8859-1"


add("attachments_set_behind_attach", attachments_set_behind_attach)
add("alternatives_attached", alternatives_attached)
add(
    "subclass_newsletter",
    partial(simple, Newsletter, alternatives=[(HTML, "text/html")]),
)
add("subclass_signed", partial(simple, Signed, subject="Signé", body="Signé\n"))
add("subclass_encoding", partial(simple, Latin1, body="Été\n"))
