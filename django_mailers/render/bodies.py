"""The parts of a message: text as `email.contentmanager` encodes it, files, and what holds them.

A part is a list of chunks of bytes, each of whole lines: its headers and its content.
"""

from __future__ import annotations

import random
import string
import struct
import sys
from binascii import b2a_base64
from email import quoprimime
from email.generator import BytesGenerator
from email.message import EmailMessage, MIMEPart
from functools import lru_cache, partial
from io import BytesIO
from typing import Any, Literal

from . import selftest
from .addresses import consists_of
from .headers import LIMIT, SMTP, of_part
from .selftest import NotProved, Rule

Role = Literal["message", "body", "alternative", "attachment"]
Part = list[bytes]

CHARSET = "utf-8"
# The lines by which Python chooses between quoted-printable and base64.
SNIFFED = 10
# Of a line in base64: the characters in it, and the bytes that they are.
WIDTH = LIMIT // 4 * 4
BYTES = LIMIT // 4 * 3
LINES = 1000

# What quoted-printable leaves as it is. "=" is dealt with first.
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n"
_SPACES = (b" ", b"\t")
_ESCAPE = ord("=")
_BREAK = LIMIT - 1
# File names of these, up to this length, are folded by their length alone, as any letters are.
_FILENAME = (string.ascii_letters + string.digits + "_.-").encode("ascii")
_FILENAME_LENGTH = 200

_BOUNDARY_DIGITS = len(repr(sys.maxsize - 1))


def text_part(content: str, subtype: str, role: Role, filename: str | None = None) -> Part:
    """Return a part of type text.

    Raises `UnicodeEncodeError` if there are lone surrogates in `content`.
    """
    encoding, encoded = encode_text(content.encode(CHARSET))
    rule = TEXT[encoding]
    if not rule.is_proved:
        rule.prove()
    return [part_headers("text", subtype, encoding, role, filename), encoded]


def file_part(
    content: bytes, maintype: str, subtype: str, role: Role, filename: str | None
) -> Part:
    """Return a part of any other type."""
    if not content:
        # Nothing at all, or an empty line since Python 3.15.
        raise NotProved
    if not FILE.is_proved:
        FILE.prove()
    return [part_headers(maintype, subtype, "base64", role, filename), *base64_lines(content)]


def ready_part(part: MIMEPart) -> bytes:
    """Return a part that somebody made with Python's email package, written by that."""
    buffer = BytesIO()
    generator: Any = BytesGenerator(buffer, mangle_from_=False, policy=SMTP)
    generator.flatten(part)
    return buffer.getvalue()


def multipart(
    subtype: str, parts: list[Part], lines: bytes = b"", *, version: bool = False
) -> Part:
    """Return a multipart of `parts`.

    Arguments: `lines`, further headers; `version`, whether there is a `MIME-Version` before all.
    """
    if not MULTIPART.is_proved:
        MULTIPART.prove()
    return _multipart(subtype, parts, lines, version, _boundary())


def _multipart(
    subtype: str, parts: list[Part], lines: bytes, version: bool, boundary: bytes
) -> Part:
    delimiter = b"--" + boundary
    if any(delimiter in chunk for part in parts for chunk in part):
        raise NotProved
    before, after = _multipart_headers(subtype, version)
    chunks = [before + boundary + after + lines + b"\r\n"]
    for part in parts:
        chunks += [delimiter + b"\r\n", *part, b"\r\n"]
    chunks.append(delimiter + b"--\r\n")
    return chunks


def _boundary() -> bytes:
    """Return a boundary as `email.generator` makes one, of the same random number."""
    return b"=" * 15 + b"%0*d==" % (_BOUNDARY_DIGITS, random.randrange(sys.maxsize))  # noqa: S311


def encode_text(data: bytes) -> tuple[str, bytes]:
    """Return the transfer encoding that Python chooses for a text, and the text in it."""
    lines = data.splitlines()
    if max(map(len, lines), default=0) <= LIMIT:
        encoding = "7bit" if data.isascii() else "8bit"
        return encoding, b"\r\n".join(lines) + b"\r\n"
    head = lines[:SNIFFED]
    sniffed = quoted_printable(head)
    # Python counts line ends of one character here, and of two on the other side.
    size = len(sniffed) - sniffed.count(b"\r\n")
    if size > len(b2a_base64(b"\r\n".join(head) + b"\r\n")):
        return "base64", b"".join(base64_lines(b"\r\n".join(lines) + b"\r\n"))
    return "quoted-printable", sniffed + quoted_printable(lines[SNIFFED:])


def quoted_printable(lines: list[bytes]) -> bytes:
    """Do what `email.quoprimime.body_encode()` does, many times faster."""
    if not lines:
        return b""
    data = b"\n".join(lines).replace(b"=", b"=3D")
    others = data.translate(None, _PRINTABLE)
    while others:
        # By kind: there are few, and each costs one search, however often it occurs.
        other = others[:1]
        others = others.replace(other, b"")
        data = data.replace(other, b"=%02X" % ord(other))
    encoded = [
        line if len(line) <= LIMIT and not line.endswith(_SPACES) else _broken(line, lines[number])
        for number, line in enumerate(data.split(b"\n"))
    ]
    return b"\r\n".join(encoded) + b"\r\n"


def _broken(line: bytes, plain: bytes) -> bytes:
    """Return a line in quoted-printable with soft breaks.

    Arguments: `plain`, the line before it was encoded.
    """
    if line.endswith(_SPACES):
        # What becomes of that space depends on where the line is broken before it.
        encoded = quoprimime.body_encode(plain.decode("latin-1"), LIMIT)
        return encoded.encode("ascii").replace(b"\n", b"\r\n")
    pieces = []
    start, last = 0, len(line) - LIMIT
    while start < last:
        # One less than fits, for the "=" of the soft break, and never inside an escape.
        stop = start + _BREAK
        if line[stop - 2] == _ESCAPE:
            stop -= 2
        elif line[stop - 1] == _ESCAPE:
            stop -= 1
        pieces.append(line[start:stop])
        start = stop
    pieces.append(line[start:])
    return b"=\r\n".join(pieces)


def base64_lines(data: bytes) -> list[bytes]:
    """Return `data` in base64, in chunks: at no time is all of it there as single lines."""
    chunks = []
    view = memoryview(data)
    size = BYTES * LINES
    whole = len(data) // size * size
    for start in range(0, whole, size):
        block = b2a_base64(view[start : start + size], newline=False)
        chunks.append(b"\r\n".join(_block().unpack(block)) + b"\r\n")
    rest = b2a_base64(view[whole:], newline=False)
    if rest:
        lines = [rest[start : start + WIDTH] for start in range(0, len(rest), WIDTH)]
        chunks.append(b"\r\n".join(lines) + b"\r\n")
    return chunks


@lru_cache(maxsize=1)
def _block() -> struct.Struct:
    return struct.Struct(f"{WIDTH}s" * LINES)


def part_headers(
    maintype: str, subtype: str, encoding: str, role: Role, filename: str | None
) -> bytes:
    """Return the header lines of a part, and the empty line after them."""
    if filename is None:
        return _headers(maintype, subtype, encoding, role, None)
    if "\n" in filename or "\r" in filename:
        raise NotProved
    if not consists_of(filename, _FILENAME) or len(filename) > _FILENAME_LENGTH:
        return _made_headers(maintype, subtype, encoding, role, filename)
    stand_in = "x" * len(filename)
    before, found, after = _headers(maintype, subtype, encoding, role, stand_in).partition(
        b'"%b"' % stand_in.encode("ascii")
    )
    if not found:
        # Too long for a line: cut in pieces.
        return _made_headers(maintype, subtype, encoding, role, filename)
    return b'%b"%b"%b' % (before, filename.encode("ascii"), after)


def _made_headers(
    maintype: str, subtype: str, encoding: str, role: Role, filename: str | None
) -> bytes:
    """Let Python make an empty part of that kind, and return its headers."""
    how: dict[str, Any] = {"subtype": subtype}
    content: str | bytes = b""
    if maintype == "text":
        content = ""
        how |= {"charset": CHARSET, "cte": encoding}
    else:
        how["maintype"] = maintype
    if filename is not None:
        how["filename"] = filename
    message = EmailMessage(policy=SMTP)
    if role == "message":
        message.set_content(content, **how)
        return of_part(message).removesuffix(b"\r\n")
    if role == "body":
        message.set_content(content, **how)
        message.make_mixed()
    elif role == "alternative":
        message.add_alternative(content, **how)
    else:
        message.add_attachment(content, **how)
    part: MIMEPart
    (part,) = message.iter_parts()
    return of_part(part)


_headers = lru_cache(maxsize=256)(_made_headers)


@lru_cache(maxsize=8)
def _multipart_headers(subtype: str, version: bool) -> tuple[bytes, bytes]:
    """Return the header lines of a multipart, without the last one, around its boundary."""
    message = EmailMessage(policy=SMTP)
    if version:
        message["MIME-Version"] = "1.0"
    if subtype == "mixed":
        message.make_mixed()
    else:
        message.make_alternative()
    stand_in = "=" * 15 + "0" * _BOUNDARY_DIGITS + "=="
    message.set_boundary(stand_in)
    before, _, after = of_part(message).partition(stand_in.encode("ascii"))
    return before, after.removesuffix(b"\r\n")


def _text_agrees(encoding: str) -> bool:
    content = selftest.TEXTS[encoding]
    message = EmailMessage(policy=SMTP)
    message.set_content(content, charset=CHARSET)
    lines = _headers("text", "plain", encoding, "message", None)
    found, encoded = encode_text(content.encode(CHARSET))
    return found == encoding and lines + b"\r\n" + encoded == message.as_bytes()


def _file_agrees() -> bool:
    message = EmailMessage(policy=SMTP)
    message.set_content(selftest.FILE, maintype="image", subtype="png")
    lines = _headers("image", "png", "base64", "message", None)
    return b"".join([lines, b"\r\n", *base64_lines(selftest.FILE)]) == message.as_bytes()


def _multipart_agrees() -> bool:
    # Of the usual length, on which the folding of its header depends.
    boundary = "=" * 15 + "1" * _BOUNDARY_DIGITS + "=="
    message = EmailMessage(policy=SMTP)
    message.set_content("One\n")
    message.add_alternative("Two\n", subtype="html")
    message.set_boundary(boundary)
    parts = [
        [_headers("text", "plain", "7bit", "body", None), b"One\r\n"],
        [_headers("text", "html", "7bit", "alternative", None), b"Two\r\n"],
    ]
    # What has a body has its MIME-Version before the rest.
    chunks = _multipart("alternative", parts, b"", True, boundary.encode("ascii"))
    return b"".join(chunks) == message.as_bytes()


TEXT = {encoding: Rule(partial(_text_agrees, encoding)) for encoding in selftest.TEXTS}
FILE = Rule(_file_agrees)
MULTIPART = Rule(_multipart_agrees)
