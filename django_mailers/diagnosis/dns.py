"""The records of a sender's domain: MX, SPF, DKIM and DMARC, as receivers read them.

It needs the package dnspython, which is in the extra "dns". No step claims more than the record
says: only a receiver can see whether SPF allows this server's address, and whether a message is
signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .steps import Step, Stopwatch

# RFC 7208, 4.6.4: terms that make a receiver look something up.
MAX_LOOKUPS = 10
LOOKUPS = ("include", "a", "mx", "ptr", "exists")
ALL = re.compile(r"^([+?~-]?)all$", re.IGNORECASE)


class Missing(Exception):
    """There is no such record."""


class Unreachable(Exception):
    """The name servers did not answer."""


class Records:
    """Looks up records by dnspython.

    nameservers  (address, port) of those to ask; None for those of this machine.
    timeout      seconds for each question.
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
        resolver: Any = dns.resolver.Resolver(configure=nameservers is None)
        if nameservers is not None:
            resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host, port) for host, port in nameservers
            ]
        resolver.lifetime = resolver.timeout = timeout
        self._resolver = resolver
        self._dns: Any = dns

    def find(self, name: str, kind: str) -> list[Any]:
        """Return the records of a name. Raises Missing and Unreachable."""
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
    for name, look in (("mx", _mx), ("spf", _spf), ("dmarc", _dmarc)):
        yield _step(name, look, domain, records)
    for selector, signing in selectors:
        yield _step("dkim", _dkim, f"{selector}._domainkey.{signing}", records)
        yield _alignment(domain, signing, records)


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
    found = records.find(domain, "MX")
    hosts = [str(record.exchange).rstrip(".") for record in sorted(found, key=_preference)]
    if hosts == [""]:
        # RFC 7505
        return False, f"{domain} says that it takes no mail.", HINTS["mx"]
    return True, ", ".join(hosts), ""


def _preference(record: Any) -> int:
    return int(record.preference)


# --- SPF (RFC 7208) ------------------------------------------------------------------------------


def _spf(domain: str, records: Records) -> Found:
    record = _spf_record(domain, records)
    try:
        lookups = _count_lookups(record, records, seen={domain})
    except Missing as error:
        return False, f"{record} ({error})", "Receivers treat this as an error: remove the term."
    if lookups > MAX_LOOKUPS:
        detail = f"{record} ({lookups} look-ups; at most {MAX_LOOKUPS} are allowed)"
        return False, detail, "Receivers stop there: remove terms that you do not use."
    ok, hint = _judge_all(record)
    return ok, f"{record} ({lookups} look-up{'' if lookups == 1 else 's'})", hint


def _spf_record(domain: str, records: Records) -> str:
    found = [text for text in records.texts(domain) if re.match(r"v=spf1( |$)", text, re.I)]
    if not found:
        raise Missing(f"{domain} has no SPF record.")
    if len(found) > 1:
        raise Missing(f"{domain} has {len(found)} SPF records, and receivers accept only one.")
    return found[0]


def _count_lookups(record: str, records: Records, seen: set[str]) -> int:
    """Return how many look-ups a receiver needs at most, those of included records with them."""
    count = 0
    for term in record.split()[1:]:
        name, _, value = term.lstrip("+-~?").partition("=" if "redirect=" in term else ":")
        name = name.partition("/")[0].lower()
        if name not in LOOKUPS and name != "redirect":
            continue
        count += 1
        if count > MAX_LOOKUPS or name not in {"include", "redirect"} or "%" in value:
            continue
        if value.lower() not in seen:
            seen.add(value.lower())
            count += _count_lookups(_spf_record(value, records), records, seen)
    return count


def _judge_all(record: str) -> tuple[bool, str]:
    terms = record.split()[1:]
    last = ALL.match(terms[-1]) if terms else None
    if last is None:
        if any(term.lower().startswith("redirect=") for term in terms):
            return True, ""
        return True, "It says nothing about other servers: end it with -all or ~all."
    qualifier = last[1] or "+"
    if qualifier == "+":
        return False, "It allows every server in the world: end it with -all or ~all."
    if qualifier == "?":
        return True, "It says nothing about other servers: end it with -all or ~all."
    return True, ""


# --- DKIM (RFC 6376) -----------------------------------------------------------------------------


def _dkim(name: str, records: Records) -> Found:
    found = [tags for text in records.texts(name) if "p" in (tags := _tags(text))]
    if not found:
        raise Missing(f"{name} has no DKIM key.")
    if len(found) > 1:
        return False, f"{name} has {len(found)} keys.", "Keep only one of them."
    [tags] = found
    if not tags["p"]:
        return False, f"{name}: the key was withdrawn.", "Sign with another selector."
    note = " It says that the domain only tests DKIM." if "y" in tags.get("t", "") else ""
    return True, f"{name} has a key ({tags.get('k', 'rsa')}).{note}", ""


def _tags(text: str) -> dict[str, str]:
    """Return the tags of a record of DKIM or DMARC."""
    pairs = (tag.partition("=") for tag in text.split(";") if "=" in tag)
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


# --- DMARC (RFC 7489) ----------------------------------------------------------------------------


def _dmarc_record(domain: str, records: Records) -> tuple[str, dict[str, str]]:
    """Return the domain that has the record for `domain`, itself or one above, and its tags."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        name = ".".join(labels[start:])
        try:
            texts = records.texts(f"_dmarc.{name}")
        except Missing:
            continue
        found = [text for text in texts if re.match(r"v=DMARC1\s*(;|$)", text, re.I)]
        if len(found) == 1:
            return name, _tags(found[0])
        if found:
            raise Missing(f"_dmarc.{name} has {len(found)} records, and receivers accept only one.")
    raise Missing(f"_dmarc.{domain} has no DMARC record.")


def _dmarc(domain: str, records: Records) -> Found:
    name, tags = _dmarc_record(domain, records)
    policy = tags.get("sp" if name != domain and "sp" in tags else "p", "")
    if policy not in {"none", "quarantine", "reject"}:
        return False, f"_dmarc.{name}: the policy {policy!r} is unknown.", HINTS["dmarc"]
    hint = ""
    if policy == "none":
        hint = (
            "It only asks receivers for reports. Ask for quarantine or reject when these look good."
        )
    reports = "with" if tags.get("rua") else "without"
    return True, f"_dmarc.{name}: {policy}, {reports} reports", hint


def _alignment(domain: str, signing: str, records: Records) -> Step:
    """Judge whether a signature of `signing` counts for mail from `domain` (RFC 7489, 3.1.1)."""
    try:
        strict = _dmarc_record(domain, records)[1].get("adkim", "r") == "s"
    except (Missing, Unreachable):
        strict = False
    domain, signing = domain.lower(), signing.lower()
    is_above = domain.endswith(f".{signing}") and not strict
    if domain == signing or is_above:
        return Step("alignment", True, f"A signature of {signing} counts for mail from {domain}.")
    mode = "strict" if strict else "relaxed"
    return Step(
        "alignment",
        False,
        f"A signature of {signing} does not count for mail from {domain} ({mode}).",
        f"Sign as {domain}.",
    )
