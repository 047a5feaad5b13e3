"""Whether a text or an address is the one that a test expects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from email.utils import getaddresses
from typing import Any, NamedTuple, TypeAlias, TypeVar

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
    return (wanted if isinstance(wanted, str) else str(wanted)) == str(found)


def is_part(wanted: Text, found: str) -> bool:
    """Whether the text `found` contains a str, or a pattern is found in it.

    The ends of lines do not matter: a template may have those of Windows.
    """
    found = with_newlines(found)
    if isinstance(wanted, re.Pattern):
        return wanted.search(found) is not None
    return with_newlines(wanted) in found


def with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _Address(NamedTuple):
    """An address without its name: as it is written, in an envelope, and as it is compared.

    A domain is the same in upper and lower case, and in Unicode and ASCII. A local part is not:
    what its case means is the server's affair (RFC 5321, 2.4).
    """

    written: str
    envelope: str
    compared: str


def _parsed(address: Any) -> _Address:
    written = str(address).strip()
    found = getaddresses([written])
    # What is not exactly one address stays as it is: nothing of it may look like another one.
    if len(found) == 1 and found[0][1]:
        written = found[0][1]
    local, at, domain = written.rpartition("@")
    if not at:
        return _Address(written, written, written)
    # What is not a domain may still be compared.
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return _Address(written, f"{local}@{domain}", f"{local}@{domain.lower()}")


def bare_address(address: Any) -> str:
    """Return an address without its name, and with its domain as it is compared."""
    return _parsed(address).compared


def envelope_address(address: Any) -> str:
    """Return an address without its name, as SMTP has it: with its domain in ASCII."""
    return _parsed(address).envelope


def is_address(wanted: Text, found: Any) -> bool:
    parsed = _parsed(found)
    if isinstance(wanted, re.Pattern):
        return _is_found(wanted, parsed)
    return bare_address(wanted) == parsed.compared


def _is_found(pattern: re.Pattern[str], address: _Address) -> bool:
    # Either way of writing the domain may be meant.
    return any(pattern.search(one) is not None for one in (address.written, address.compared))


def as_list(wanted: Any) -> list[Any]:
    """Return what is wanted as a list, if it is one thing alone."""
    if isinstance(wanted, str | re.Pattern) or not isinstance(wanted, Iterable):
        return [wanted]
    return list(wanted)


def are_addresses(wanted: Addresses, found: Iterable[Any]) -> bool:
    """Whether these are all addresses that are wanted, in any order."""
    listed = as_list(wanted)
    patterns = [one for one in listed if isinstance(one, re.Pattern)]
    # Those that are equal are counted, as there may be thousands; the others are for the patterns.
    missing = Counter(bare_address(one) for one in listed if not isinstance(one, re.Pattern))
    others = []
    for one in map(_parsed, found):
        if missing[one.compared]:
            missing[one.compared] -= 1
        else:
            others.append(one)
    return not any(missing.values()) and pair_up(patterns, others, _is_found)


def pair_up(wanted: Sequence[W], found: Sequence[F], fits: Callable[[W, F], bool]) -> bool:
    """Whether each of `wanted` fits another one of `found`, and nothing is left."""
    if len(wanted) != len(found):
        return False
    # Which of `wanted` each of `found` is for. It may have to make room for another one, as a
    # pattern may fit several (the augmenting paths of bipartite matching).
    takers: dict[int, int] = {}

    def place(number: int, seen: set[int]) -> bool:
        # First one that nobody has, so that equal patterns do not push each other on and on.
        for is_taken in (False, True):
            for other, one in enumerate(found):
                if (other in takers) is not is_taken or other in seen:
                    continue
                if not fits(wanted[number], one):
                    continue
                seen.add(other)
                if not is_taken or place(takers[other], seen):
                    takers[other] = number
                    return True
        return False

    return all(place(number, set()) for number in range(len(wanted)))
