"""Whether a text or an address is the one that a test expects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from email.utils import parseaddr
from typing import Any, TypeAlias, TypeVar

# A str is compared, a pattern is searched.
Text: TypeAlias = "str | re.Pattern[str]"
# One address, or several in any order.
Addresses: TypeAlias = "Text | Iterable[Text]"

W = TypeVar("W")
F = TypeVar("F")


def is_text(wanted: Text, found: Any) -> bool:
    """Whether the text `found` equals a str, or a pattern is found in it."""
    if isinstance(wanted, re.Pattern):
        return wanted.search(str(found)) is not None
    return str(wanted) == str(found)


def is_part(wanted: Text, found: str) -> bool:
    """Whether the text `found` contains a str, or a pattern is found in it.

    The ends of lines do not matter: a template may have those of Windows.
    """
    found = with_newlines(found)
    if isinstance(wanted, re.Pattern):
        return wanted.search(found) is not None
    return with_newlines(str(wanted)) in found


def with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def bare_address(address: Any) -> str:
    """Return an address without its name, and with its domain as it is compared.

    A domain is the same in upper and lower case, and in Unicode and ASCII. A local part is not:
    what its case means is the server's affair (RFC 5321, 2.4).
    """
    text = str(address).strip()
    found = parseaddr(text)[1] or text
    local, at, domain = found.rpartition("@")
    try:
        domain = domain.lower().encode("idna").decode()
    except UnicodeError:
        domain = domain.lower()
    return f"{local}{at}{domain}"


def is_address(wanted: Text, found: Any) -> bool:
    address = bare_address(found)
    if isinstance(wanted, re.Pattern):
        return wanted.search(address) is not None
    return bare_address(wanted) == address


def as_list(wanted: Any) -> list[Any]:
    """Return what is wanted as a list, if it is one thing alone."""
    if isinstance(wanted, str | re.Pattern) or not isinstance(wanted, Iterable):
        return [wanted]
    return list(wanted)


def are_addresses(wanted: Addresses, found: Sequence[Any]) -> bool:
    return pair_up(as_list(wanted), found, is_address)


def pair_up(wanted: Sequence[W], found: Sequence[F], fits: Callable[[W, F], bool]) -> bool:
    """Whether each of `wanted` fits another one of `found`, and nothing is left."""
    if len(wanted) != len(found):
        return False
    # Which of `wanted` each of `found` is for. It may have to make room for another one, as a
    # pattern may fit several (the augmenting paths of bipartite matching).
    takers: dict[int, int] = {}

    def place(number: int, seen: set[int]) -> bool:
        for other, one in enumerate(found):
            if other in seen or not fits(wanted[number], one):
                continue
            seen.add(other)
            if other not in takers or place(takers[other], seen):
                takers[other] = number
                return True
        return False

    return all(place(number, set()) for number in range(len(wanted)))
