"""What a message counts for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parseaddr

from django.utils.encoding import punycode

from django_mailers.types import Message

# How much a message counts for each name: that of a domain, or MAILER for the mailer as a whole.
Cost = Mapping[str, int]
MAILER = ""
# What nearly all addresses are. The parser takes ten times as long as everything else here.
PLAIN = re.compile(r"[\w.+-]+@((?:[a-z0-9-]+\.)*[a-z0-9-]+)", re.ASCII | re.IGNORECASE)


def cost_of(message: Message, *, per_domain: bool, per_recipient: bool) -> Cost:
    """Return what `message` counts for."""
    recipients = message.recipients()
    if not per_domain:
        return {MAILER: len(recipients) if per_recipient else 1}
    domains: dict[str, int] = {}
    for recipient in recipients:
        domain = domain_of(recipient)
        domains[domain] = domains.get(domain, 0) + 1 if per_recipient else 1
    return domains


def domain_of(recipient: str) -> str:
    """Return the domain of an address, in the one way that it is written in DNS."""
    address = str(recipient)
    plain = PLAIN.fullmatch(address)
    if plain:
        return plain[1].lower()
    _, at, domain = parseaddr(address)[1].rpartition("@")
    domain = domain.lower().rstrip(".") if at else ""  # A user of this machine has none.
    try:
        return punycode(domain)
    except UnicodeError:
        return domain  # Not one that a server could find.


def fitting(costs: Sequence[Cost], rooms: Mapping[str, int]) -> list[int]:
    """Return the numbers of those messages for which there is room, the first ones first.

    `rooms` says how much is left for each name. Where one message has to stay behind, those that
    come after it stay as well, so that many small ones do not keep a large one waiting for ever.
    """
    left, closed = dict(rooms), set[str]()
    numbers = []
    for number, cost in enumerate(costs):
        lacking = [name for name, units in cost.items() if name in closed or left[name] < units]
        closed.update(lacking)
        if not lacking:
            numbers.append(number)
            for name, units in cost.items():
                left[name] -= units
    return numbers


def total(costs: Iterable[Cost]) -> dict[str, int]:
    """Return the sum of `costs`."""
    units: dict[str, int] = {}
    for cost in costs:
        for name, number in cost.items():
            units[name] = units.get(name, 0) + number
    return units
