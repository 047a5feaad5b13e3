"""The cost of a message: how much it counts for which limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parseaddr

from django.utils.encoding import punycode

from django_mailers.types import Message

# How much a message counts for each name: that of a domain, or MAILER for the mailer as a whole.
Cost = Mapping[str, int]
MAILER = ""
# Nearly all addresses are of this form. The parser takes ten times as long as all else here.
PLAIN = re.compile(r"[\w.+-]+@((?:[a-z0-9-]+\.)*[a-z0-9-]+)", re.ASCII | re.IGNORECASE)


def cost_of(message: Message, *, per_domain: bool, per_recipient: bool) -> Cost:
    """Return the cost of `message`."""
    recipients = message.recipients()
    if not per_domain:
        return {MAILER: len(recipients) if per_recipient else 1}
    domains: dict[str, int] = {}
    for recipient in recipients:
        domain = domain_of(recipient)
        domains[domain] = domains.get(domain, 0) + 1 if per_recipient else 1
    return domains


def domain_of(recipient: str) -> str:
    """Return the domain of an address, normalized as in DNS."""
    address = str(recipient)
    plain = PLAIN.fullmatch(address)
    if plain:
        return plain[1].lower()
    _, at, domain = parseaddr(address)[1].rpartition("@")
    domain = domain.lower().rstrip(".") if at else ""  # A local user has none.
    try:
        return punycode(domain)
    except UnicodeError:
        return domain  # It is not one that a server could find.


def fitting(costs: Sequence[Cost], rooms: Mapping[str, int]) -> list[int]:
    """Return the numbers of the messages for which there is room, in order.

    `rooms` has how much is left for each name. If there is no room for a message, the later ones
    with the same name wait too, so that many small ones cannot delay a large one for ever.
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
