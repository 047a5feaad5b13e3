"""The parts of a message: text as `email.contentmanager` encodes it, files, and what holds them.

A part is a list of chunks of bytes, each of whole lines: its headers and its content.
"""

from __future__ import annotations

import random
import re
import struct
import sys
from binascii import b2a_base64
from email import quoprimime
from email.message import EmailMessage, MIMEPart
from functools import lru_cache
from typing import Any, Literal

from .headers import LIMIT, SMTP, NotProved, of_part

Role = Literal["message", "body", "alternative", "attachment"]
Part = list[bytes]

CHARSET = "utf-8"
# The lines by which Python chooses between quoted-printable and base64.
SNIFFED = 10
# Of a line in base64: the characters in it, and the bytes that they are.
WIDTH = LIMIT // 4 * 4
BYTES = LIMIT // 4 * 3
_BLOCK = struct.Struct(f"{WIDTH}s" * 1000)

# What quoted-printable leaves as it is. "=" is dealt with first.
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n"
_SPACES = (b" ", b"\t")
_ESCAPE = ord("=")
_BREAK = LIMIT - 1
# File names that are folded by their length alone, as any letters are.
_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")

_BOUNDARY_DIGITS = len(repr(sys.maxsize - 1))


def text(content: str, subtype: str, role: Role, filename: str | None = None) -> Part:
    """Return a part of type text.

    Raises `UnicodeEncodeError` if there are lone surrogates in `content`.
    """
    encoding, encoded = encode_text(content.encode(CHARSET))
    return [headers("text", subtype, encoding, role, filename), encoded]


def file(content: bytes, maintype: str, subtype: str, role: Role, filename: str | None) -> Part:
    """Return a part of any other type."""
    if not content:
        # Nothing at all, or an empty line since Python 3.15.
        raise NotProved
    return [headers(maintype, subtype, "base64", role, filename), *base64(content)]


def multipart(
    subtype: str, parts: list[Part], lines: bytes = b"", *, version: bool = False
) -> Part:
    """Return a multipart of `parts`.

    Arguments: `lines`, further headers; `version`, whether there is a `MIME-Version` before all.
    """
    boundary = _boundary()
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
        return "base64", b"".join(base64(b"\r\n".join(lines) + b"\r\n"))
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


def base64(data: bytes) -> list[bytes]:
    """Return `data` in base64, in chunks: at no time is all of it there as single lines."""
    chunks = []
    view = memoryview(data)
    size = BYTES * 1000
    whole = len(data) // size * size
    for start in range(0, whole, size):
        block = b2a_base64(view[start : start + size], newline=False)
        chunks.append(b"\r\n".join(_BLOCK.unpack(block)) + b"\r\n")
    rest = b2a_base64(view[whole:], newline=False)
    if rest:
        lines = [rest[start : start + WIDTH] for start in range(0, len(rest), WIDTH)]
        chunks.append(b"\r\n".join(lines) + b"\r\n")
    return chunks


def headers(maintype: str, subtype: str, encoding: str, role: Role, filename: str | None) -> bytes:
    """Return the header lines of a part, and the empty line after them."""
    if filename is None:
        return _headers(maintype, subtype, encoding, role, None)
    if "\n" in filename or "\r" in filename:
        raise NotProved
    if not _PLAIN_FILENAME.fullmatch(filename):
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
