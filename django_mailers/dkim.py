"""DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, over the bytes that are sent.

The package `cryptography` makes the signature; it is in the extra "dkim".
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from email.utils import getaddresses, parseaddr
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# Signed if the message has them; From always is. RFC 6376, 5.4.1, and RFC 8058, 4.
HEADERS = (
    *("From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "In-Reply-To", "References"),
    *("List-Id", "List-Help", "List-Post", "List-Owner", "List-Archive"),
    *("List-Unsubscribe", "List-Unsubscribe-Post"),
)
# RFC 8301, 3.2: verifiers do not accept less.
MIN_BITS = 1024
# A line of the header, without its end.
WIDTH = 76
MAX_PATH = 255

FIELD_END = re.compile(rb"\r\n(?![ \t])")
# What stands in the tags d=, s= and h= (RFC 6376, 3.5).
DOMAIN = re.compile(r"[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*")
FIELD_NAME = re.compile("[!-9<-~]+")

Key = str | os.PathLike[str] | Callable[[], str]

logger = logging.getLogger("django_mailers.dkim")
# The domains for which nothing is signed, and which were logged.
_unsigned: set[str] = set()
MAX_UNSIGNED = 1000


class DKIMError(ValueError):
    """A key or an option cannot be used for signing."""


class OtherDomainError(DKIMError):
    """The message is of a domain that the mailer does not sign for, and `required` is on."""


class Signer:
    """Signs messages for one domain. Its repr() has no key; it may be used by several threads.

    domain    the domain that vouches for the message: that of its From, or a parent of it.
    selector  the name of the key below `_domainkey` of the domain.
    key       the private key: PEM, the path of a file with it, or a function that returns PEM.
    headers   the names of the headers to sign, besides From.
    """

    def __init__(
        self, domain: str, selector: str, key: Key, headers: Sequence[str] = HEADERS
    ) -> None:
        self.domain = _in_ascii(domain)
        self.selector = selector
        self._key = key
        self._headers = [*dict.fromkeys(["from", *(name.lower() for name in headers)])]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.selector}._domainkey.{self.domain}>"

    @property
    def is_computed(self) -> bool:
        """Whether the key comes from a function."""
        return callable(self._key)

    def sign(self, content: bytes) -> bytes:
        """Return `content`, a message with CRLF at the end of each line, with its signature.

        Raises DKIMError if the key cannot be used, and ImportError without `cryptography`.
        """
        head, _, body = content.partition(b"\r\n\r\n")
        return self.header(_fields(head), body) + content

    def header(self, fields: Sequence[tuple[str, bytes]], body: bytes) -> bytes:
        """Return the signature of a message as a header, for `fields` as `_fields()` makes them."""
        names = self._names(fields)
        line = self._unsigned_header(names, _body_hash(body))
        signed = b"".join([*_chosen(fields, names), _relaxed(line)])
        signature = _signature(self.load(), signed)
        return line + b"\r\n\t" + b"\r\n\t".join(_pieces(signature, WIDTH)) + b"\r\n"

    def load(self) -> RSAPrivateKey:
        """Return the key. Raises as `sign()` does."""
        return _loaded(_pem(self._key))

    def _names(self, fields: Sequence[tuple[str, bytes]]) -> list[str]:
        """Return the names for the tag h=, one for each field that is signed.

        From is there once more than in the message, so that nobody can add another one (8.15).
        """
        counts = Counter(name for name, _ in fields)
        names = [name for name in self._headers for _ in range(counts[name])]
        return ["from", *names]

    def _unsigned_header(self, names: Sequence[str], body_hash: str) -> bytes:
        """Return the header with an empty b=, without the end of its last line."""
        listed = ":\r\n\t".join(_filled(names))
        text = (
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={self.domain};\r\n"
            f"\ts={self.selector}; t={int(time.time())};\r\n"
            f"\th={listed};\r\n"
            f"\tbh={body_hash};\r\n"
            "\tb="
        )
        return text.encode("ascii")


class Signing:
    """The option `dkim` of a mailer: what is signed, and for which domains.

    {"domain": "example.com", "selector": "2026", "key": "/etc/dkim/example.pem"}, or with several
    domains {"selector": "2026", "key": {"example.com": …, "example.org": …}}. `headers` are those
    to sign besides From; with `required` a message of another domain is refused.
    """

    def __init__(self, option: Mapping[str, Any]) -> None:
        self._option = option
        key = option["key"]
        keys = key if isinstance(key, Mapping) else {option["domain"]: key}
        self._keys = {_in_ascii(domain): key for domain, key in keys.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {', '.join(self._keys)}>"

    def sign(self, content: bytes) -> bytes:
        """Return `content` with the signature of the domain in its From.

        If there is none, `content` is returned as it is, and the log says so once for a domain.
        With `required` that is an OtherDomainError. Raises as `Signer.sign()` does.
        """
        head, _, body = content.partition(b"\r\n\r\n")
        fields = _fields(head)
        domain = from_domain(fields)
        signer = self.signer(domain)
        if signer is not None:
            return signer.header(fields, body) + content
        signed = ", ".join(self._keys)
        if self._option.get("required"):
            text = f"The mailer signs for {signed}, and the message is from {domain!r}."
            raise OtherDomainError(text)
        if domain not in _unsigned and len(_unsigned) < MAX_UNSIGNED:
            _unsigned.add(domain)
            logger.warning("Mail from %r is not signed: the mailer signs for %s.", domain, signed)
        return content

    def signer(self, domain: str) -> Signer | None:
        """Return the signer for mail from `domain`; of several that fit, the longest domain's."""
        name = signing_domain(domain, self._keys)
        if name is None:
            return None
        headers = self._option.get("headers") or HEADERS
        return Signer(name, self._option["selector"], self._keys[name], headers)

    def signers(self) -> Iterator[Signer]:
        """Yield the signers of all domains."""
        for domain in self._keys:
            signer = self.signer(domain)
            if signer is not None:
                yield signer


def complaint(option: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the option `dkim`; None if nothing is."""
    unknown = [name for name in option if name not in KINDS]
    if unknown:
        known = ", ".join(map(repr, KINDS))
        return f"OPTIONS 'dkim' has an unknown key {unknown[0]!r}. It may have {known}."
    for name, value in option.items():
        fits, expected = KINDS[name]
        if value not in (None, "") and not fits(value):
            return f"OPTIONS 'dkim' must have {expected} as {name!r}."
    needed = ["selector", "key"]
    if not isinstance(option.get("key"), Mapping):
        needed.insert(0, "domain")
    missing = [name for name in needed if not option.get(name)]
    return f"OPTIONS 'dkim' must define {missing[0]!r}." if missing else None


def _is_domain(value: Any) -> bool:
    return isinstance(value, str) and DOMAIN.fullmatch(_in_ascii(value)) is not None


def _is_key(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_domain, value)) and not any(
            isinstance(key, Mapping) or not key or not _is_key(key) for key in value.values()
        )
    return isinstance(value, (str, os.PathLike)) or callable(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(name, str) and FIELD_NAME.fullmatch(name) for name in value
    )


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "domain": (_is_domain, "a domain, such as 'example.com',"),
    "selector": (
        lambda value: isinstance(value, str) and DOMAIN.fullmatch(value) is not None,
        "a name, such as '2026',",
    ),
    "key": (_is_key, "PEM, a path, a function or a dict of these by domain"),
    "headers": (_are_names, "a list of names"),
    "required": (lambda value: isinstance(value, bool), "a bool"),
}


def from_domain(fields: Sequence[tuple[str, bytes]]) -> str:
    """Return the domain in the first From among `fields`, in lower case; "" without a From."""
    for name, field in fields:
        if name == "from":
            return _domain(field.partition(b":")[2])
    return ""


# The sender is mostly the same.
@lru_cache(maxsize=64)
def _domain(value: bytes) -> str:
    return domain_of(value.decode("utf-8", "replace").strip())


def domain_of(mailbox: str) -> str:
    """Return the domain in `mailbox`, an address with or without a name, in lower case.

    Of several addresses it is that of the first.
    """
    address = parseaddr(mailbox)[1]
    if not address:
        # Newer Pythons do not take the first of several.
        address = next((found for _, found in getaddresses([mailbox]) if found), "")
    return _in_ascii(address.rpartition("@")[2])


@lru_cache(maxsize=64)
def _in_ascii(domain: str) -> str:
    """Return `domain` as it stands in the DNS, in lower case."""
    domain = domain.lower()
    try:
        # In an option, and with SMTPUTF8, it may be in Unicode.
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def signing_domain(domain: str, names: Iterable[str]) -> str | None:
    """Return which of `names` signs for mail from `domain`: the longest one that is aligned."""
    return max((name for name in names if is_aligned(domain, name)), key=len, default=None)


def is_aligned(domain: str, signing: str) -> bool:
    """Whether `signing` is `domain`, or a parent of it (relaxed alignment, RFC 7489, 3.1.1)."""
    signing = signing.lower()
    return domain == signing or domain.endswith(f".{signing}")


# --- What is signed ------------------------------------------------------------------------------


def _fields(head: bytes) -> list[tuple[str, bytes]]:
    """Return the name, in lower case, and the canonical form of each header field."""
    fields: list[tuple[str, bytes]] = []
    for field in FIELD_END.split(head):
        name = field.partition(b":")[0].strip().lower().decode("ascii", "replace")
        fields.append((name, _relaxed(field) + b"\r\n"))
    return fields


def _relaxed(field: bytes) -> bytes:
    """Return a header field in the form of RFC 6376, 3.4.2, without an end of line."""
    name, _, value = field.partition(b":")
    value = _single_spaced(value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip().lower() + b":" + value


def _single_spaced(text: bytes) -> bytes:
    """Return `text` with one space in the place of each run of spaces and tabs."""
    # A pattern takes a hundred times as long: templates indent their HTML.
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _chosen(fields: Sequence[tuple[str, bytes]], names: Sequence[str]) -> list[bytes]:
    """Return the fields that `names` stand for: of a name that occurs again, the last one first."""
    left: dict[str, list[bytes]] = {}
    for name, field in fields:
        left.setdefault(name, []).append(field)
    return [left[name].pop() for name in names if left.get(name)]


def _body_hash(body: bytes) -> str:
    """Return the hash of a body in the form of RFC 6376, 3.4.4."""
    body = _single_spaced(body).replace(b" \r\n", b"\r\n").rstrip(b" \r\n")
    if body:
        body += b"\r\n"
    return base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")


# --- The header ----------------------------------------------------------------------------------


def _filled(names: Sequence[str]) -> list[str]:
    """Return `names` with colons in between, in lines."""
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) > WIDTH:
            lines.append("")
        lines[-1] += f":{name}" if lines[-1] else name
    return lines


def _pieces(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


# --- The key -------------------------------------------------------------------------------------


def _pem(key: Key) -> bytes:
    """Return the PEM that `key` stands for. A file is read again when it has changed."""
    if callable(key):
        key = key()
    if isinstance(key, str) and "-----BEGIN" in key:
        return key.encode()
    problem = "The DKIM key is neither PEM nor the path of a file."
    if not isinstance(key, (str, os.PathLike)):
        found = type(key).__name__
        problem = f"The function for the DKIM key must return PEM in a str, not {found}."
    elif not isinstance(key, str) or (key.isprintable() and len(key) <= MAX_PATH):
        try:
            status = os.stat(key)
            return _file(os.fspath(key), status.st_mtime_ns, status.st_size)
        except OSError as error:
            # Without the name of the file: it may be a key without its first line.
            problem = f"The file with the DKIM key cannot be read: {error.strerror}."
        except ValueError:
            pass  # The path has a null byte.
    # Outside of the handler: no error behind it has the name either.
    del key
    raise DKIMError(problem)


@lru_cache(maxsize=16)
def _file(path: str, changed: int, size: int) -> bytes:
    with open(path, "rb") as file:
        return file.read()


# Parsing a key takes longer than signing with it.
@lru_cache(maxsize=64)
def _loaded(pem: bytes) -> RSAPrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise ImportError(
            "DKIM signatures need cryptography, which is not installed. "
            'Install it with: pip install "django-mailers[dkim]"'
        ) from error
    problem = None
    key: Any = None
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError):
        problem = "The DKIM key is not a private key in PEM, without a password."
    except UnsupportedAlgorithm:
        problem = "The DKIM key must be an RSA key, without a password."
    if problem is None and not isinstance(key, RSAPrivateKey):
        problem = "The DKIM key must be an RSA key."
    elif problem is None and key.key_size < MIN_BITS:
        problem = f"The DKIM key must have {MIN_BITS} bits at least, and better 2048."
    if problem is not None:
        # Not from the other error, and without the locals of this frame: they have the key (H66).
        del pem, key
        raise DKIMError(problem)
    return key


def _signature(key: RSAPrivateKey, signed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(key.sign(signed, PKCS1v15(), SHA256()))
