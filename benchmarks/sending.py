"""How the usual message is sent: functions of an alias and a number, which return seconds.

They import no more than Django: what they measure in a new process is not to be there before.
"""

from __future__ import annotations

import time

from .work import ARGUMENTS, USUAL


def one_by_one(alias: str, count: int) -> float:
    """Send so many messages by `send_mail()`."""
    from django.core.mail import send_mail

    start = time.perf_counter()
    for _ in range(count):
        check(send_mail(*ARGUMENTS, using=alias), 1)
    return time.perf_counter() - start


def at_once(alias: str, count: int) -> float:
    """Send so many messages by one call of `send_messages()`."""
    from django.core.mail import EmailMessage, mailers

    messages = [EmailMessage(**USUAL) for _ in range(count)]
    start = time.perf_counter()
    check(mailers[alias].send_messages(messages), count)
    return time.perf_counter() - start


def check(sent: int, expected: int) -> None:
    if sent != expected:
        raise RuntimeError(f"Sent {sent} and not {expected}.")
