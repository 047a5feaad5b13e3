"""Whether the email package of this Python does what `headers` and `bodies` take for granted.

The package changes in patch releases, and distributions and projects patch it. So the rules that
are written anew here are tried on samples, against the package itself, once in a process: some
milliseconds before its second message. One that sends a single mail goes without.
"""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from functools import lru_cache

from . import bodies, headers

SUBJECTS = (
    'a: b; "c" <d@example.com>, (e) [f] \\g @h \' * ? = _ % $',
    "y" * (headers.LIMIT - len("Subject: ")),
)
ADDRESSES = (
    "Web Master <web.master+tag@mail.example.com>, b=c@localhost",
    "a" * 30 + "@example.com, " + "b" * 20 + "@example.com",
    ", ".join("a" * size + "@example.com" for size in (20, 43, 5, 7, 12, 9, 30, 33, 63, 2)),
)
# One for each transfer encoding.
TEXTS = {
    "7bit": "Only ASCII,\r\nand short lines.\rFrom here\n.\n",
    "8bit": "Gr\xfc\xdfe\nFrom K\xf6ln\n",
    "quoted-printable": "a=b words " * 30
    + "\xe9\n"
    + '<p id="a">A\xdf and some more words</p>\t.\x00\x0b\x7f \n.\n' * 12,
    "base64": "\u732b" * 60 + "\n" + "\U0001f389" * 40,
}


_is_first = iter([True])


def is_known() -> bool:
    """Tell whether the rules are proved; the first call says no, and does not try."""
    return not next(_is_first, False) and agrees()


@lru_cache(maxsize=1)
def agrees() -> bool:
    """Tell whether all samples come out as the email package has them."""
    return (
        all(_agrees("Subject", value, headers.unstructured) for value in SUBJECTS)
        and all(_agrees("To", value, headers.addresses) for value in ADDRESSES)
        and all(_text_agrees(value) for value in TEXTS.values())
        and _file_agrees(bytes(range(256)))
    )


def _agrees(name: str, value: str, function: Callable[[str, str], bytes]) -> bool:
    try:
        return function(name, value) == headers.folded(name, value)
    except headers.NotProved:
        return False


def _text_agrees(content: str) -> bool:
    part = bodies.text(content, "html", "attachment", "a.html")
    message = EmailMessage(policy=headers.SMTP)
    message.add_attachment(content, subtype="html", charset=bodies.CHARSET, filename="a.html")
    return _is_only_part(part, message)


def _file_agrees(content: bytes) -> bool:
    part = bodies.file(content, "image", "png", "attachment", "a.png")
    message = EmailMessage(policy=headers.SMTP)
    message.add_attachment(content, maintype="image", subtype="png", filename="a.png")
    return _is_only_part(part, message)


def _is_only_part(part: bodies.Part, message: EmailMessage) -> bool:
    (only,) = message.iter_parts()
    return b"".join(part) == only.as_bytes()
