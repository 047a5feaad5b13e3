"""Sending messages that Django 5.2 sent and 6.0 refuses. (Django 5.2: this whole file.)

They are deprecated at the line that sends. All this is only done while the bridge is on, which it
is unless MAILERS_BRIDGE says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.charset import BASE64, QP, Charset
from email.headerregistry import Address, AddressHeader, BaseHeader, Group, UnstructuredHeader
from email.message import Message
from email.policy import EmailPolicy, Policy
from email.utils import encode_rfc2231, formataddr, parsedate_to_datetime
from typing import Any

from django.core.mail import message as django_message
from django.utils.encoding import punycode
from django.utils.functional import Promise

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import warn_about_use

# At what str.splitlines() breaks lines, and no mail server does: pasted from a word processor.
PASTED = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

# The form of an address that Django 6.0 calls invalid and that is sent to: it must not be able to
# end the command of which it becomes an argument.
_LOCAL_PART = r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+|"(?:[ !#-[\]-~]|\\[ -~])*")"""
_DOMAIN = r"(?:[A-Za-z0-9._-]+|\[[A-Za-z0-9.:-]+\])"
_ADDRESS = rf"{_LOCAL_PART}(?:@{_DOMAIN})?"
# Whatever the name is: it may be folded.
HARMLESS = re.compile(rf"(?:.* )?<(?P<named>{_ADDRESS})>|(?P<bare>{_ADDRESS})", re.DOTALL)

# The bytes in an encoded word, which has 75 characters at most (RFC 2047, section 2). Fewer, as the
# name of the header stands before the first.
WORD_BYTES = 30
LINE = 78

TRANSFER_ENCODINGS = {QP: "quoted-printable", BASE64: "base64"}
DATES = {"date", "resent-date", "orig-date"}

# In place of a header's value: there is to be no such header.
LEFT_OUT = object()


def is_on() -> bool:
    """Whether what Django 5.2 sent is to be sent; never on a Django from 6.0 on."""
    # The hook marks a Django that renders with the legacy email API.
    return hasattr(django_message.EmailMessage, "_create_message") and is_bridge_wanted()


# --- Addresses


def envelope_address(address: Any) -> str | None:
    """Return the addr-spec that Django 5.2 gave to the server for `address`, or None.

    `address` is one that Django 6.0 refuses: a text, or a (name, address) pair.
    """
    if not is_on():
        return None
    try:
        sanitized = django_message.sanitize_address(address, "utf-8")
    except Exception:
        # The parser raises all sorts of errors. Whatever it is, 5.2 did not send to this either.
        return None
    found = HARMLESS.fullmatch(sanitized)
    text = address[1] if isinstance(address, tuple) else str(address)
    local_part = (text.rpartition("@")[0] or text).rpartition("<")[2]
    if found is None or not local_part.isascii():
        return None
    # Without the address, as warnings are logged.
    warn_about_use(f"From Django 6.0 on this address is invalid: {'; '.join(_defects(address))}.")
    return found["named"] or found["bare"]


def _defects(address: Any) -> list[str]:
    if isinstance(address, tuple):
        return ["it is a tuple"]
    try:
        return list(dict.fromkeys(map(str, AddressHeader.value_parser(str(address)).all_defects)))
    except Exception as error:
        # As above.
        return [type(error).__name__]


# --- Text


def text(value: Any, charset: str) -> Any:
    """Return a text that Python can encode, for one that Django 5.2 could."""
    if isinstance(value, Promise) and is_on():
        warn_about_use("From Django 6.0 on, lazy text is refused in attachments and alternatives.")
        value = str(value)
    if not isinstance(value, str):
        return value
    try:
        value.encode(charset)
    except UnicodeEncodeError:
        if not is_on():
            raise
        encoded = value.encode(charset, "surrogateescape")
        warn_about_use("From Django 6.0 on, text with lone surrogates is refused.")
        return encoded.decode(charset, "replace")
    except LookupError:
        pass
    return value


def text_options(encoding: Any) -> dict[str, str]:
    """Return the charset, and perhaps a transfer encoding, for text of that `encoding`."""
    if not isinstance(encoding, Charset) or not is_on():
        return {"charset": encoding}
    warn_about_use(
        "From Django 6.0 on, EmailMessage.encoding must be a string, not an email.charset.Charset."
    )
    options = {"charset": str(encoding.get_output_charset())}
    if encoding.body_encoding in TRANSFER_ENCODINGS:
        options["cte"] = TRANSFER_ENCODINGS[encoding.body_encoding]
    return options


# --- Headers


def header(message: Message, name: str, value: Any, *, replace: bool = False) -> Any:
    """Return the value that `message` gets as the header `name`, for a `value` that is given.

    LEFT_OUT is to set nothing: there is such a header, and there may be only one.
    """
    is_plain = type(value) is str and not PASTED.search(value) and name.lower() not in DATES
    policy = message.policy
    if (
        (is_plain and (replace or name not in message))
        or not isinstance(policy, EmailPolicy)
        or not is_on()
    ):
        return value
    if not replace and name in message and policy.header_max_count(name):
        warn_about_use(
            f"From Django 6.0 on, a second {name} header is refused. It has been left out."
        )
        return LEFT_OUT
    return value if _is_structured(name, value) else _text_header(policy, name, value)


def _text_header(policy: EmailPolicy, name: str, value: Any) -> Any:
    if not isinstance(value, str | Promise):
        warn_about_use(
            f"From Django 6.0 on, the value of {name} must be a string, not {type(value).__name__}."
        )
    text = value if isinstance(value, str) else str(value)
    if name.lower() in DATES and _is_no_date(text):
        warn_about_use(f"From Django 6.0 on, the {name} header is left empty: it is not a date.")
        return type("TextHeader", (UnstructuredHeader, BaseHeader), {})(name, text)
    if "\n" in text or "\r" in text or not PASTED.search(text):
        return text
    codes = ", ".join(sorted({f"U+{ord(found):04X}" for found in PASTED.findall(text)}))
    warn_about_use(
        f"From Django 6.0 on, characters that separate lines are refused in {name}, {codes} among "
        "them."
    )
    return encoded_header(policy, name, text)


def _is_structured(name: str, value: Any) -> bool:
    """Whether Python makes that header of a `value` that is not text."""
    if name.lower() in DATES:
        return hasattr(value, "utcoffset")
    values = value if isinstance(value, list | tuple) else [value]
    return name.lower() in django_message.ADDRESS_HEADERS and all(
        isinstance(each, Address | Group) for each in values
    )


def _is_no_date(value: str) -> bool:
    try:
        parsedate_to_datetime(value)
    except ValueError:
        return True
    return False


def encoded_header(policy: EmailPolicy, name: str, value: str) -> Any:
    """Return a header that is written out in encoded words, as Python writes control characters
    as they are."""
    bases = type(policy.header_factory(name, value)).__bases__
    return type(bases[0].__name__, (EncodedHeader, *bases), {})(name, value)


class EncodedHeader:
    """Goes before the classes of a header; `email.policy` calls `fold()`."""

    name: str

    def fold(self, *, policy: Policy) -> str:
        if isinstance(self, AddressHeader):
            pieces = list(_addresses(self))
        elif getattr(self, "content_disposition", None):
            pieces = [f"{piece};" for piece in _parameters(self)]
            pieces[-1] = pieces[-1].removesuffix(";")
        else:
            pieces = list(_words(str(self)))
        lines = [f"{self.name}: {pieces[0]}"]
        for piece in pieces[1:]:
            if len(lines[-1]) + len(piece) >= LINE:
                lines.append("")
            lines[-1] += f" {piece}"
        return policy.linesep.join(lines) + policy.linesep


def _words(value: str) -> Iterator[str]:
    """Yield the encoded words that `value` is made of."""
    utf8 = Charset("utf-8")
    piece = ""
    for character in value:
        if len((piece + character).encode()) > WORD_BYTES:
            yield utf8.header_encode(piece)
            piece = ""
        piece += character
    yield utf8.header_encode(piece)


def _addresses(header: AddressHeader) -> Iterator[str]:
    """Yield the addresses of `header`, word by word."""
    for number, address in enumerate(header.addresses, 1):
        spec = Address("", address.username, punycode(address.domain)).addr_spec
        comma = "," if number < len(header.addresses) else ""
        if address.display_name.isascii() and not PASTED.search(address.display_name):
            yield formataddr((address.display_name, spec)) + comma
        else:
            yield from _words(address.display_name)
            yield f"<{spec}>{comma}"


def _parameters(header: Any) -> Iterator[str]:
    """Yield the disposition and the parameters, in the form of RFC 2231 where they need it."""
    yield header.content_disposition
    for name, value in header.params.items():
        if value.isascii() and value.isprintable() and not {'"', "\\"} & {*value}:
            yield f'{name}="{value}"'
        else:
            yield f"{name}*={encode_rfc2231(value, 'utf-8')}"
