"""The records of a sender's domain: MX, SPF, DKIM and DMARC, as receivers read them.

It needs the package dnspython, which is in the extra "dns". No step claims more than the record
says: only a receiver can see whether SPF allows this server's address, and whether a message is
signed.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django_mailers.dkim import signing_domain

from . import spf
from .spf import Missing
from .steps import Step, Stopwatch

# How often a parent of a domain is looked up, at most (the DNS tree walk of DMARC).
MAX_WALK = 8


class Unreachable(Exception):
    """The name servers did not answer."""


class Records:
    """Looks up records by dnspython.

    nameservers  (address, port) of those to ask; None for those of this machine.
    timeout      seconds for each question.

    What was found is kept: records name the same ones again. Raises ImportError without dnspython,
    and ValueError for what is not an address, or if this machine names no server.
    """

    def __init__(
        self, nameservers: Sequence[tuple[str, int]] | None = None, timeout: float = 10
    ) -> None:
        try:
            import dns.resolver
        except ImportError as error:
            raise ImportError(
                "Looking up DNS records needs dnspython, which is not installed. "
                'Install it with: pip install "django-mailers[dns]"'
            ) from error
        try:
            resolver: Any = dns.resolver.Resolver(configure=nameservers is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise ValueError(f"This machine has no name servers: {error}") from None
        if nameservers is not None:
            resolver.nameservers = [
                dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host)), port)
                for host, port in nameservers
            ]
        resolver.lifetime = resolver.timeout = timeout
        self._resolver = resolver
        self._dns: Any = dns
        self._found: dict[tuple[str, str], list[Any] | Exception] = {}

    def find(self, name: str, kind: str) -> list[Any]:
        """Return the records of a name. Raises Missing and Unreachable."""
        key = name.lower().rstrip("."), kind
        if key not in self._found:
            try:
                self._found[key] = self._look_up(name, kind)
            except (Missing, Unreachable) as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return found

    def _look_up(self, name: str, kind: str) -> list[Any]:
        errors = self._dns.resolver
        try:
            return [*self._resolver.resolve(name, kind)]
        except (errors.NXDOMAIN, errors.NoAnswer):
            raise Missing(f"{name} has no {kind} record.") from None
        except (self._dns.exception.DNSException, UnicodeError) as error:
            raise Unreachable(f"{name}: {type(error).__name__}") from None

    def texts(self, name: str) -> list[str]:
        return [
            b"".join(record.strings).decode("utf-8", "replace") for record in self.find(name, "TXT")
        ]


def examine(domain: str, selectors: Sequence[tuple[str, str]], records: Records) -> Iterator[Step]:
    """Yield a step for each kind of record of `domain`, that of the sender.

    `selectors` are pairs of a selector and its domain, whose DKIM keys are looked up.
    """
    for name, look in (("mx", _mx), ("spf", spf.judge), ("dmarc", _dmarc)):
        yield _step(name, look, domain, records)
    for selector, signing in selectors:
        yield _step("dkim", _dkim, f"{selector}._domainkey.{signing}", records)
    if selectors:
        watch = Stopwatch()
        ok, detail, hint = _alignment(domain, [signing for _, signing in selectors], records)
        yield Step("alignment", ok, detail, hint, watch.ms)


def _step(name: str, look: Any, domain: str, records: Records) -> Step:
    watch = Stopwatch()
    try:
        ok, detail, hint = look(domain, records)
    except Missing as error:
        ok, detail, hint = False, str(error), HINTS[name]
    except Unreachable as error:
        ok, detail, hint = False, str(error), "Ask again, or look at the name servers."
    return Step(name, ok, detail, hint, watch.ms)


Found = tuple[bool, str, str]
HINTS = {
    "mx": "Without it, replies and bounces to the sender are lost.",
    "spf": "Publish one that names your provider: v=spf1 include:… -all",
    "dmarc": "Publish one, to begin with: v=DMARC1; p=none; rua=mailto:…",
    "dkim": "Publish the public key under this name, or correct the selector.",
}


def _mx(domain: str, records: Records) -> Found:
    try:
        found = records.find(domain, "MX")
    except Missing as error:
        return _implicit_mx(domain, str(error), records)
    hosts = [str(record.exchange).rstrip(".") for record in sorted(found, key=_preference)]
    if hosts == [""]:
        # RFC 7505
        return False, f"{domain} says that it takes no mail.", HINTS["mx"]
    return True, ", ".join(hosts), ""


def _implicit_mx(domain: str, text: str, records: Records) -> Found:
    """Judge a domain without MX: mail goes to its address, if it has one (RFC 5321, 5.1)."""
    for kind in ("A", "AAAA"):
        try:
            [address, *_] = records.find(domain, kind)
        except Missing:
            continue
        hint = "Publish one, if no mail server is there: replies and bounces would be lost."
        return True, f"{text} Mail goes to its address: {address}.", hint
    return False, text, HINTS["mx"]


def _preference(record: Any) -> int:
    return int(record.preference)


# --- DKIM (RFC 6376) -----------------------------------------------------------------------------


def _dkim(name: str, records: Records) -> Found:
    found = [tags for text in records.texts(name) if _is_key(tags := _tags(text))]
    if not found:
        raise Missing(f"{name} has no DKIM key.")
    if len(found) > 1:
        return False, f"{name} has {len(found)} keys.", "Keep only one of them."
    [tags] = found
    if not tags["p"]:
        return False, f"{name}: the key was withdrawn.", "Sign with another selector."
    problem = _problem_of_key(tags)
    if problem:
        return False, f"{name}: {problem}", HINTS["dkim"]
    note = " It says that the domain only tests DKIM." if "y" in _listed(tags, "t", "") else ""
    return True, f"{name} has a key (rsa).{note}", ""


def _is_key(tags: Mapping[str, str]) -> bool:
    # A wildcard may have answered, with a record of something else.
    return "p" in tags and ("v" not in tags or (next(iter(tags)) == "v" and tags["v"] == "DKIM1"))


def _problem_of_key(tags: Mapping[str, str]) -> str:
    """Return why no signature of ours, which are rsa-sha256, can be verified by a key."""
    if tags.get("k", "rsa").lower() != "rsa":
        return f"the key is for {tags['k']}, and mailers sign with rsa."
    if "sha256" not in _listed(tags, "h", "sha256"):
        return f"the key is for {tags['h']}, and mailers sign with sha256."
    if {"email", "*"}.isdisjoint(_listed(tags, "s", "*")):
        return f"the key is for {tags['s']}, not for mail."
    try:
        base64.b64decode(tags["p"], validate=True)
    except ValueError:
        return "the key is not in base64."
    return ""


def _listed(tags: Mapping[str, str], name: str, default: str) -> list[str]:
    return tags.get(name, default).lower().split(":")


def _tags(text: str) -> dict[str, str]:
    """Return the tags of a record of DKIM or DMARC, in their order."""
    pairs = (tag.partition("=") for tag in text.split(";") if "=" in tag)
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


# --- DMARC (RFC 7489, and its successor for domains above the sender's) ---------------------------


def _dmarc_record(domain: str, records: Records) -> tuple[str, dict[str, str]]:
    """Return the domain that has the record for `domain`, and its tags.

    It is the domain itself, or else its organizational domain. A list of public suffixes is not
    needed for that: of the domains above that have a record it is the highest, unless one says
    that it is (psd=n), or that it is a suffix (psd=y).
    """
    tags = _dmarc_tags(domain, records)
    if tags is not None:
        return domain, tags
    labels = domain.split(".")
    found: tuple[str, dict[str, str]] | None = None
    for start in range(max(1, len(labels) - MAX_WALK + 1), len(labels) - 1):
        name = ".".join(labels[start:])
        tags = _dmarc_tags(name, records)
        if tags is None or (tags.get("psd") == "y" and found is not None):
            continue
        found = name, tags
        if tags.get("psd") == "n":
            break
    if found is None:
        raise Missing(f"_dmarc.{domain} has no DMARC record.")
    return found


def _dmarc_tags(name: str, records: Records) -> dict[str, str] | None:
    try:
        texts = records.texts(f"_dmarc.{name}")
    except Missing:
        return None
    found = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if len(found) > 1:
        raise Missing(f"_dmarc.{name} has {len(found)} records, and receivers accept only one.")
    return _tags(found[0]) if found else None


def _dmarc(domain: str, records: Records) -> Found:
    name, tags = _dmarc_record(domain, records)
    given = tags.get("sp" if name != domain and "sp" in tags else "p", "")
    policy = given.lower()
    if policy not in {"none", "quarantine", "reject"}:
        return False, f"_dmarc.{name}: the policy {given!r} is unknown.", HINTS["dmarc"]
    hint = ""
    if policy == "none":
        hint = (
            "It only asks receivers for reports. Ask for quarantine or reject when these look good."
        )
    reports = "with" if tags.get("rua") else "without"
    part = tags.get("pct", "100")
    share = "" if part == "100" or policy == "none" else f" for {part} % of the mail"
    test = ", only as a test" if tags.get("t", "").lower() == "y" else ""
    return True, f"_dmarc.{name}: {policy}{share}{test}, {reports} reports", hint


def _alignment(domain: str, signing: Sequence[str], records: Records) -> Found:
    """Judge whether a signature counts for a message from `domain` (RFC 7489, 3.1.1).

    A mailer signs for its own domains and for those below; if several fit, with the longest.
    """
    domain = domain.lower()
    name = signing_domain(domain, map(str.lower, signing))
    if name is None:
        names = ", ".join(dict.fromkeys(signing))
        return False, f"Mail from {domain} is not signed: the keys are for {names}.", _sign(domain)
    try:
        strict = _dmarc_record(domain, records)[1].get("adkim", "r").lower() == "s"
    except (Missing, Unreachable):
        strict = False
    if strict and name != domain:
        text = f"A signature of {name} does not count for mail from {domain} (strict)."
        return False, text, _sign(domain)
    return True, f"A signature of {name} counts for mail from {domain}.", ""


def _sign(domain: str) -> str:
    return f"Sign as {domain}."
