"""The kinds of faults, and what each of them means for the mailer and for the message."""

# No annotations from the future: a NamedTuple would compile each of them, at import.
from typing import Literal, NamedTuple

Kind = Literal["network", "busy", "account", "message", "sent", "unknown", "configuration"]


class Fault(NamedTuple):
    """What went wrong with a message, and what follows from it.

    kind         "network"        the server cannot be reached, or the connection to it was lost.
                 "busy"           it cannot take the message now.
                 "account"        it does not take messages of this account, or of this sender.
                 "message"        it is the message itself, which no mailer would take.
                 "sent"           some of its recipients get the message, and others do not.
                 "unknown"        the message may have been sent.
                 "configuration"  the settings are wrong.
    moves        Whether another mailer may be given the message. It is false for "unknown" as well.
    rests        Whether the mailer should be left alone: for `retry_after` seconds, or, if that is
                 not known, for a time that the caller chooses.
    repeats      Whether the same mailer may be given the message again later: after `retry_after`
                 seconds, if that is known.
    retry_after  How many seconds the server asks to wait, None if it does not say that.
    is_alarming  Whether somebody should be told although another mailer takes the message.
    """

    kind: Kind
    moves: bool
    rests: bool
    repeats: bool
    retry_after: float | None = None
    is_alarming: bool = False


NETWORK = Fault("network", moves=True, rests=True, repeats=True)
# A login that was refused, a certificate: nothing that time heals.
ACCOUNT = Fault("account", moves=True, rests=True, repeats=False)
# A sender that the server does not know. It may take messages of others.
SENDER = Fault("account", moves=True, rests=False, repeats=False, is_alarming=True)
MESSAGE = Fault("message", moves=False, rests=False, repeats=False)
# Also if a recipient was refused for now: the others would get it twice (H47).
SENT = Fault("sent", moves=False, rests=False, repeats=False)
UNKNOWN = Fault("unknown", moves=False, rests=True, repeats=False)
CONFIGURATION = Fault("configuration", moves=False, rests=False, repeats=False)
# From the worst on.
ORDER = ("configuration", "sent", "unknown", "message", "account", "busy", "network")


def busy(retry_after: float | None = None) -> Fault:
    """Return the fault of a server that cannot take the message now."""
    return Fault("busy", True, retry_after is not None, True, retry_after)


def limited(retry_after: float | None = None) -> Fault:
    """Return the fault of an account that must not send more now."""
    return Fault("account", True, True, retry_after is not None, retry_after)


def worst(faults: list[Fault]) -> Fault:
    """Return the worst of `faults`, of which there is at least one.

    If there are several of its kind, what one of them forbids is forbidden.
    """
    kind = min((fault.kind for fault in faults), key=ORDER.index)
    same = [fault for fault in faults if fault.kind == kind]
    waits = [fault.retry_after for fault in same if fault.retry_after is not None]
    return Fault(
        kind,
        all(fault.moves for fault in same),
        any(fault.rests for fault in same),
        all(fault.repeats for fault in same),
        max(waits, default=None),
        any(fault.is_alarming for fault in same),
    )
