"""What a message means to whoever receives it, as JSON: from its bytes, as they were sent.

Left out is what makes no difference there: the order of headers, how they are folded, boundaries,
transfer encodings, how a line ends and whether the last one does; and `MIME-Version`, which parts
repeat in Django 5.2, and which from Django 6.0 on a multipart without a body lacks.
"""

from __future__ import annotations

import email
import hashlib
import re
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime

ADDRESSES = {"from", "to", "cc", "bcc", "reply-to", "sender", "resent-from", "resent-to"}
# Of parts, too: what get_content() and the like make of them is compared.
MIME = {"content-type", "content-transfer-encoding", "content-disposition"}
# As email.utils.make_msgid() writes them.
GENERATED = re.compile(r"<\d+\.\d+\.\d+@([^>]*)>")


def meaning(content):
    """Return what the message `content` means."""
    # By the API that parses no header unless it is asked: this takes most of the time.
    return _entity(email.message_from_bytes(content), is_part=False)


def _entity(part, *, is_part=True):
    headers = sorted(
        [name.lower(), _value(name.lower(), value)]
        for name, value in part.raw_items()
        if not (name.lower() == "mime-version" and (is_part or len(part.get_all(name)) == 1))
        and (name.lower() not in MIME or len(part.get_all(name)) > 1)
    )
    result = {
        "type": part.get_content_type(),
        "headers": headers,
        "disposition": part.get_content_disposition(),
        "filename": part.get_filename(),
    }
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        result["parts"] = [_entity(each) for each in part.get_payload()]
    elif part.get_content_maintype() == "message" and part.is_multipart():
        result["message"] = _entity(part.get_payload(0), is_part=False)
    elif part.get_content_maintype() == "text":
        data = part.get_payload(decode=True)
        charset = part.get_content_charset("ascii")
        try:
            text = data.decode(charset)
        except (LookupError, UnicodeDecodeError):
            text = repr(data)
        result["text"] = re.sub(r"\r\n?", "\n", text).rstrip("\n")
    else:
        data = part.get_payload(decode=True)
        result["data"] = data.decode("latin-1") if len(data) < 100 else _digest(data)
    return result


def _digest(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


def _value(name, value):
    text = re.sub(r"\r?\n(?=[ \t])", "", str(value)).strip(" \t")
    if name == "date":
        # When it was made, no two processes agree on; but on the zone, if there is one.
        try:
            return f"in {parsedate_to_datetime(text).strftime('%z') or '+0000'}"
        except ValueError:
            return text
    if name == "message-id":
        return GENERATED.sub(r"<generated@\1>", text)
    if name in ADDRESSES:
        pairs = getaddresses([text])
        if all("@" in address for _, address in pairs):
            return [[_decoded(display_name), address] for display_name, address in pairs]
    return _decoded(text)


def _decoded(text):
    try:
        return str(make_header(decode_header(text))).strip(" \t")
    except (LookupError, UnicodeDecodeError, ValueError):
        return text
