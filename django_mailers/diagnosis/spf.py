"""The SPF record of a domain, as receivers read it (RFC 7208)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .dns import Records

# 4.6.4: how many terms may make a receiver look something up, and how many of these may find
# nothing; and how many names an MX record may have.
MAX_LOOKUPS = 10
MAX_VOID = 2
MAX_HOSTS = 10
LOOKUPS = ("include", "a", "mx", "ptr", "exists", "redirect")

VERSION = re.compile(r"v=spf1( |$)", re.IGNORECASE)
MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
MECHANISM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=$|[:/])(.*)", re.I)
# The lengths of prefixes behind a and mx, for IPv4 and IPv6.
PREFIXES = re.compile(r"(/\d{1,2})?(//\d{1,3})?$")
MACRO = r"%\{[slodiphcrtv]\d*r?[.+,/_=-]*\}"
DOMAIN = re.compile(rf"(?:[!-$&-~]|{MACRO}|%[%_-])+", re.IGNORECASE)
# It ends in a macro, or in a dot and a label.
DOMAIN_END = re.compile(rf"(?:{MACRO}|\.[a-z0-9-]*[a-z0-9]\.?)$", re.IGNORECASE)


class SPFError(Exception):
    """A receiver takes the record for an error, and so as if there were none."""


class Missing(Exception):
    """The record does not exist."""


class Term(NamedTuple):
    """A mechanism or a modifier. `value` is a domain, or addresses; "" for a term without one."""

    qualifier: str
    name: str
    value: str


def parse(record: str) -> list[Term]:
    """Return the terms of a record that count, in their order.

    Those behind "all" do not, nor does "redirect" with it (5.1 and 6.1). Raises SPFError for what
    is not as section 12 has it.
    """
    terms = [_term(text) for text in record.split(" ")[1:] if text]
    names = [term.name for term in terms]
    for name in ("redirect", "exp"):
        if names.count(name) > 1:
            raise SPFError(f"it has {name!r} twice")
    if "all" not in names:
        # Whatever its place is, it comes last.
        return sorted(terms, key=lambda term: term.name == "redirect")
    end = names.index("all") + 1
    return [term for term in terms[:end] if term.name != "redirect"]


def _term(text: str) -> Term:
    problem = SPFError(f"{text!r} is not a term of SPF")
    found = MECHANISM.fullmatch(text)
    if found is None:
        found = MODIFIER.fullmatch(text)
        if found is None:
            raise problem
        if found[1].lower() not in {"redirect", "exp"}:
            # Another modifier means nothing (6), not even if it is called "all".
            return Term("", "", "")
        if not _is_domain(found[2]):
            raise problem
        return Term("", found[1].lower(), found[2])
    qualifier, name, rest = found[1] or "+", found[2].lower(), found[3]
    value = rest[1:] if rest[:1] == ":" else ""
    if name in {"ip4", "ip6"}:
        is_good = _is_network(value, 4 if name == "ip4" else 6)
    elif name == "all":
        is_good = not rest
    else:
        prefixes = PREFIXES.search(rest) if name in {"a", "mx"} else None
        if prefixes is not None:
            rest = rest[: prefixes.start()]
            value = rest[1:]
        is_optional = name in {"a", "mx", "ptr"}
        is_good = (is_optional and not rest) or (rest[:1] == ":" and _is_domain(value))
    if not is_good:
        raise problem
    return Term(qualifier, name, value)


def _is_domain(value: str) -> bool:
    return bool(DOMAIN.fullmatch(value) and DOMAIN_END.search(value))


def _is_network(value: str, version: int) -> bool:
    address, slash, prefix = value.partition("/")
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    # Python takes masks, too.
    return network.version == version and "%" not in address and (not slash or prefix.isdecimal())


class Walk:
    """What a receiver may have to do for a record, and for those that it names.

    lookups   the look-ups, at most one more than may be.
    voids     how many of these find nothing.
    has_macro whether there are more look-ups, at names that only a receiver knows.
    allows_all  whether every server may send.
    last_all  the qualifier of the "all" at the end; None without.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self.lookups = 0
        self.voids = 0
        self.has_macro = False
        self.allows_all = False
        self.last_all: str | None = None

    @property
    def is_too_long(self) -> bool:
        return self.lookups > MAX_LOOKUPS

    def follow(self, domain: str, record: str, *, is_last: bool = True, may: bool = True) -> None:
        """Follow the terms of a record, until there are too many look-ups.

        `is_last` says that nothing comes after it, `may` that who matches it may send.

        Raises SPFError, and what `Records.find()` does.
        """
        for term in parse(record):
            allows = may and term.qualifier == "+"
            if term.name == "all":
                self.allows_all |= allows
                if is_last:
                    self.last_all = term.qualifier
            elif term.name in {"ip4", "ip6"}:
                self.allows_all |= allows and term.value.endswith("/0")
            elif term.name in LOOKUPS:
                self.lookups += 1
                # Records that name each other have no end.
                if self.is_too_long:
                    return
                self._look(domain, term, is_last=is_last, may=may)
                if self.is_too_long:
                    return

    def _look(self, domain: str, term: Term, *, is_last: bool, may: bool) -> None:
        name = term.value or domain
        if "%" in name:
            self.has_macro = True
        elif term.name in {"include", "redirect"}:
            is_redirect = term.name == "redirect"
            try:
                record = record_of(name, self._records)
            except Missing as error:
                raise SPFError(str(error)) from None
            self.follow(
                name,
                record,
                is_last=is_last and is_redirect,
                may=may and (is_redirect or term.qualifier == "+"),
            )
        elif term.name == "mx":
            hosts = self._found(name, ["MX"])
            if hosts > MAX_HOSTS:
                raise SPFError(f"{name} has {hosts} mail servers, and {MAX_HOSTS} may be")
        elif term.name in {"a", "exists"}:
            self._found(name, ["A", "AAAA"] if term.name == "a" else ["A"])

    def _found(self, name: str, kinds: Sequence[str]) -> int:
        """Return how many records a name has. One that finds nothing is counted as void."""
        for kind in kinds:
            try:
                return len(self._records.find(name, kind))
            except Missing:
                continue
        self.voids += 1
        return 0


def record_of(domain: str, records: Records) -> str:
    """Return the SPF record of a domain. Raises Missing, also if there are several."""
    found = [text for text in records.texts(domain) if VERSION.match(text)]
    if not found:
        raise Missing(f"{domain} has no SPF record.")
    if len(found) > 1:
        raise Missing(f"{domain} has {len(found)} SPF records, and receivers accept only one.")
    return found[0]


def judge(domain: str, records: Records) -> tuple[bool, str, str]:
    """Return whether the record of `domain` is good, the record with what it costs, and a hint."""
    record = record_of(domain, records)
    walk = Walk(records)
    try:
        walk.follow(domain, record)
    except SPFError as error:
        text = str(error).rstrip(".")
        return False, f"{record} ({text})", "Receivers treat this as an error: correct the term."
    if walk.is_too_long:
        detail = f"{record} (more than {MAX_LOOKUPS} look-ups)"
        return False, detail, "Receivers stop there: remove what you do not use."
    if walk.voids > MAX_VOID:
        detail = f"{record} ({walk.voids} look-ups find nothing, and {MAX_VOID} may)"
        return (
            False,
            detail,
            "Receivers treat this as an error: remove unknown names.",
        )
    count = f"{walk.lookups} look-up{'' if walk.lookups == 1 else 's'}"
    ok, hint = _judge_all(walk)
    return ok, f"{record} ({'at least ' if walk.has_macro else ''}{count})", hint


def _judge_all(walk: Walk) -> tuple[bool, str]:
    if walk.allows_all:
        return False, "It allows every server in the world: end it with -all or ~all."
    if walk.last_all in {"-", "~"} or (walk.last_all is None and walk.has_macro):
        return True, ""
    return True, "It says nothing about other servers: end it with -all or ~all."
