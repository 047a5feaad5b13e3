"""Commands and contents as the bytes that are written."""

from __future__ import annotations

import re
import smtplib
import string
from collections.abc import Iterator

WRITE_SIZE = 64 * 1024

# The characters of an address that needs no quoting, so that smtplib.quoteaddr() need not parse it.
# No pattern: to compile one takes as long as to connect. The others are compiled when they are
# needed, which is rare.
ALPHANUMERIC = (string.ascii_letters + string.digits).encode("ascii")
PLAIN_LOCAL, PLAIN_DOMAIN = ALPHANUMERIC + b"_.+=-", ALPHANUMERIC + b".-"
# A local part in quotes, and the characters that must not stand between "<" and ">" outside of one:
# they end an address there, or a command.
QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"(?=@|\Z)'
FORBIDDEN = r"[<> \x00-\x1f\x7f]"
BARE_LINE_END = rb"\r\n|\r|\n"


def normalize(content: bytes) -> bytes:
    """Return `content` with CRLF as its only line end, and at its end.

    Some server on the way takes a bare CR or LF before a dot for the end of a message: the rest
    would be commands ("SMTP smuggling").
    """
    pairs = content.count(b"\r\n")
    if content.count(b"\n") != pairs or content.count(b"\r") != pairs:
        content = re.sub(BARE_LINE_END, b"\r\n", content)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stuff_dots(content: bytes) -> bytes:
    """Return normalized `content` as it stands between DATA and its end."""
    content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content


def command(text: str) -> bytes:
    """Return a command as bytes. Raises `ValueError` if it could be more than one."""
    if not text.isprintable() and not {"\r", "\n", "\0"}.isdisjoint(text):
        raise ValueError(f"A command must not contain CR, LF or NUL: {text!r}")
    return f"{text}\r\n".encode()


def envelope_command(verb: str, address: str, parameters: str = "") -> bytes:
    """Return MAIL FROM or RCPT TO as bytes. Raises `ValueError` as `command()` does."""
    local, _, domain = address.encode("utf-8", "replace").partition(b"@")
    is_plain = (
        local != b""
        and domain != b""
        and not local.translate(None, PLAIN_LOCAL)
        and not domain.translate(None, PLAIN_DOMAIN)
    )
    if is_plain:
        return f"{verb}:<{address}>{parameters}\r\n".encode()
    # smtplib looks for the address in the string, and would not find one behind a line end.
    command(address)
    path = smtplib.quoteaddr(address)
    # It ignores the rest of the string, too; but a name may come before the address.
    found = path[1:-1] if address.rstrip().endswith(path) else address
    return command(f"{verb}:<{checked(found)}>{parameters}")


def checked(address: str) -> str:
    """Return `address`, which has no name, if a server cannot take it for anything else.

    IDNA turns some other characters into ">" and a space: the rest of the domain would be a
    parameter of the command.

    Raises `ValueError`.
    """
    quoted = re.match(QUOTED, address)
    wrong = re.search(FORBIDDEN, address[quoted.end() :] if quoted else address)
    if wrong is not None:
        raise ValueError(f"Invalid address {address!r}: it must not contain {wrong[0]!r}")
    return address


def split(pieces: list[bytes]) -> Iterator[bytes | memoryview]:
    """Join small pieces and cut large ones, so that each is worth a write and none is too large."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) <= WRITE_SIZE:
            small.append(piece)
            size += len(piece)
            continue
        if small:
            yield b"".join(small)
            small, size = [], 0
        view = memoryview(piece)
        whole = len(piece) - len(piece) % WRITE_SIZE
        for start in range(0, whole, WRITE_SIZE):
            yield view[start : start + WRITE_SIZE]
        if whole < len(piece):
            small, size = [bytes(view[whole:])], len(piece) - whole
    if small:
        yield b"".join(small)
