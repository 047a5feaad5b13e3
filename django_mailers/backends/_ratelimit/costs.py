"""What a message counts for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from email.utils import parseaddr

from django.utils.encoding import punycode

from django_mailers.types import Message

# How much a message counts for each name: that of a domain, or MAILER for the mailer as a whole.
Cost = Mapping[str, int]
MAILER = ""


def cost_of(message: Message, *, per_domain: bool, per_recipient: bool) -> Cost:
    """Return what `message` counts for."""
    recipients = message.recipients()
    if not per_domain:
        return {MAILER: len(recipients) if per_recipient else 1}
    domains = Counter(map(domain_of, recipients))
    return domains if per_recipient else dict.fromkeys(domains, 1)


def domain_of(recipient: str) -> str:
    """Return the domain of an address, in the one way that it is written in DNS."""
    _, at, domain = parseaddr(str(recipient))[1].rpartition("@")
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
        lacking = {name for name, units in cost.items() if name in closed or left[name] < units}
        closed |= lacking
        if not lacking:
            numbers.append(number)
            for name, units in cost.items():
                left[name] -= units
    return numbers


def total(costs: Sequence[Cost]) -> dict[str, int]:
    """Return the sum of `costs`."""
    units: Counter[str] = Counter()
    for cost in costs:
        units.update(cost)
    return units
