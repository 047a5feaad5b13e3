"""The rows of the table of faults."""

from django_mailers.delivery.faults import Fault

NETWORK = Fault("network", moves=True, rests=True, repeats=True)
BUSY = Fault("busy", moves=True, rests=False, repeats=True)
ACCOUNT = Fault("account", moves=True, rests=True, repeats=False)
SENDER = Fault("account", moves=True, rests=False, repeats=False, is_alarming=True)
LIMITED = Fault("account", moves=True, rests=True, repeats=False)
MESSAGE = Fault("message", moves=False, rests=False, repeats=False)
SENT = Fault("sent", moves=False, rests=False, repeats=False)
UNKNOWN = Fault("unknown", moves=False, rests=True, repeats=False)
CONFIGURATION = Fault("configuration", moves=False, rests=False, repeats=False)


def busy(seconds):
    """Busy for as long as the server says."""
    return Fault("busy", moves=True, rests=True, repeats=True, retry_after=seconds)


def limited(seconds):
    """LIMITED for as long as the server says."""
    return Fault("account", moves=True, rests=True, repeats=True, retry_after=seconds)
