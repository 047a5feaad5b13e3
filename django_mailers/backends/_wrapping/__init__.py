"""The parts of `Wrapper`: aliases and circles, copies of messages, and the mailers in use."""

from .aliases import check_aliases, unknown
from .calls import Call, current_call
from .copies import Originals, shallow_copy
from .targets import Targets

__all__ = [
    "Call",
    "Originals",
    "Targets",
    "check_aliases",
    "current_call",
    "shallow_copy",
    "unknown",
]
