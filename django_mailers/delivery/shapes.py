"""What the shape of an exception of any backend tells. No library is imported for its exceptions.

An exception may have come at any time, also after the message was handed over. So only exceptions
that cannot have come then, or that say what the service has answered, are judged.
"""

from __future__ import annotations

import builtins
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from json import JSONDecodeError
from types import TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.smtp import PoolTimeout

from .answers import fault_of_smtp
from .faulttable import ACCOUNT, CONFIGURATION, MESSAGE, NETWORK, UNKNOWN, Fault, busy
from .httpanswers import fault_of_http, peek

# The names of classes of requests, urllib3, httpx, aiohttp, httplib2, botocore and Anymail, by what
# they tell. Each is raised before a request is sent, or because of an answer.
NAMES: dict[str, Fault] = {
    **dict.fromkeys(("ClientSSLError", "NoCredentialsError", "PartialCredentialsError"), ACCOUNT),
    **dict.fromkeys(("CredentialRetrievalError", "TokenRetrievalError"), ACCOUNT),
    **dict.fromkeys(("ConnectTimeout", "ConnectTimeoutError", "ConnectionTimeoutError"), NETWORK),
    **dict.fromkeys(("NewConnectionError", "NameResolutionError", "ConnectError"), NETWORK),
    **dict.fromkeys(("EndpointConnectionError", "ProxyConnectionError"), NETWORK),
    **dict.fromkeys(("ClientConnectorError", "ServerNotFoundError"), NETWORK),
    **dict.fromkeys(("AnymailRecipientsRefused", "AnymailSerializationError"), MESSAGE),
    **dict.fromkeys(("AnymailUnsupportedFeature", "AnymailInvalidAddress"), MESSAGE),
    **dict.fromkeys(("AnymailCancelSend", "ParamValidationError"), MESSAGE),
    **dict.fromkeys(("AnymailConfigurationError", "NoRegionError"), CONFIGURATION),
    **dict.fromkeys(("MissingSchema", "InvalidSchema", "InvalidURL"), CONFIGURATION),
    "PoolTimeout": busy(),
}
# Those among them that are raised because of an answer.
REFUSALS = {"AnymailRecipientsRefused"}
# A request was sent, perhaps, when one of these came.
LATE_NAMES = re.compile("Read|Write|Protocol|Closed|Disconnected|Timeout")
# ValueErrors that are not about the message: an answer came, and could not be read (H48).
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)
# OpenSSL's reasons that belong to a handshake.
HANDSHAKE = re.compile(
    "CERTIFICATE|HANDSHAKE|WRONG_VERSION|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS"
    "|CIPHER|UNKNOWN_CA|UNRECOGNIZED_NAME"
)
# Not that one side did not trust the other, but that one of them is gone.
ENDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def fault_of_shape(error: BaseException) -> Fault:
    """Judge an exception of a backend of which nothing else is known."""
    seen: set[int] = set()
    parts, before = explanation(error, seen)
    return UNKNOWN if any(_may_be_late(each, seen) for each in before) else _verdict(parts)


def is_answer(error: BaseException) -> bool:
    """Whether the server or the service has answered, if only about the recipients."""
    return any(
        _answer(part) is not None or not REFUSALS.isdisjoint(_names(part))
        for part in explanation(error)[0]
    )


def is_distrust(error: BaseException) -> bool:
    """Whether `error` came from a TLS handshake in which one side did not trust the other."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, ENDS):
        return False
    return (
        isinstance(error, ssl.SSLCertVerificationError)
        or HANDSHAKE.search(str(peek(error, "reason"))) is not None
        or _comes_from(error, ssl.SSLSocket.do_handshake)
    )


def explanation(
    error: BaseException, seen: set[int] | None = None
) -> tuple[list[BaseException], list[BaseException]]:
    """Return `error` and what it was raised for, from the outside to the inside; and what else was.

    What else was is an exception in whose `except` block something new was begun: another attempt,
    perhaps (H49). What a caller was handling when it sent the message is a context of any error,
    too, but in neither list: a function has caught it through which the error has not come, or that
    still runs.
    """
    running, frame = set(), sys._getframe()
    while frame is not None:
        running.add(frame)
        frame = frame.f_back  # type: ignore[assignment]
    parts: list[BaseException] = []
    before: list[BaseException] = []
    seen = set() if seen is None else seen
    left = [error]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        parts.append(part)
        context = part.__context__
        if context is not None:
            frames = [traceback.tb_frame for traceback in _tracebacks(part)]
            caught = None if context.__traceback__ is None else context.__traceback__.tb_frame
            if caught is None or (caught in frames and caught not in running):
                # In the block itself it is raised for what was caught there, unless it is from C.
                is_for_it = frames[-1:] == [caught] and not _is_raw(part)
                (left if is_for_it else before).append(context)
        # urllib3 and urllib pass on what they have caught.
        arguments = peek(part, "args")
        if isinstance(arguments, tuple):
            left += [each for each in arguments if isinstance(each, BaseException)]
        if part.__cause__ is not None:
            left.append(part.__cause__)
    return parts, before


def _verdict(parts: list[BaseException]) -> Fault:
    """Return the fault of the first of `parts` that has one."""
    if any(map(_is_receivers, parts)):
        return UNKNOWN
    told = [(n, fault) for n, part in enumerate(parts) if (fault := _told(part)) is not None]
    if not told:
        # One further inside may be about anything.
        is_own = isinstance(parts[0], ValueError | TypeError)
        return MESSAGE if is_own and not any(map(_is_about_sending, parts)) else UNKNOWN
    number, fault = told[0]
    part, inner = parts[number], parts[number + 1 :]
    # A name or an answer explains what is behind it; anything else may come from another attempt.
    is_explained = _named(part) is not None or _answer(part) is not None
    if not is_explained and any(_is_about_sending(each) and not _told(each) for each in inner):
        return UNKNOWN
    return ACCOUNT if fault == NETWORK and any(map(is_distrust, inner)) else fault


def _may_be_late(error: BaseException, seen: set[int]) -> bool:
    """Whether the message may have arrived when `error` was raised."""
    parts, before = explanation(error, seen)
    return any(_may_be_late(each, seen) for each in before) or (
        any(map(_is_about_sending, parts)) and _verdict(parts) == UNKNOWN
    )


def _is_about_sending(error: BaseException) -> bool:
    """Whether it comes from the network or a service, and not from code as a KeyError does."""
    return (
        isinstance(error, (OSError, *LATE_ERRORS))
        or _answer(error) is not None
        or any(map(LATE_NAMES.search, _names(error)))
    )


def _is_raw(error: BaseException) -> bool:
    """Whether it may come from a socket itself."""
    return isinstance(error, ssl.SSLError) or (
        isinstance(error, OSError) and vars(builtins).get(type(error).__name__) is type(error)
    )


def _told(error: BaseException) -> Fault | None:
    """Return the fault that `error` tells by itself."""
    return _ours(error) or _answer(error) or _named(error) or _of_connecting(error)


def _answer(error: BaseException) -> Fault | None:
    return fault_of_smtp(error) or fault_of_http(error)


def _ours(error: BaseException) -> Fault | None:
    if isinstance(error, RateLimited):
        return busy(error.retry_after)
    if isinstance(error, PoolTimeout):
        return busy()
    if isinstance(error, MailersFailed):
        return UNKNOWN  # There is one cause, and there are other errors.
    return CONFIGURATION if isinstance(error, ImproperlyConfigured) else None


def _named(error: BaseException) -> Fault | None:
    return next((NAMES[name] for name in _names(error) if name in NAMES), None)


def _names(error: BaseException) -> list[str]:
    return [cls.__name__ for cls in type(error).__mro__]


def _of_connecting(error: BaseException) -> Fault | None:
    """Judge an error of the network or of TLS, if it came before there was a connection."""
    if is_distrust(error):
        return ACCOUNT
    is_early = isinstance(error, ConnectionRefusedError | socket.gaierror) or (
        isinstance(error, OSError)
        and _comes_from(error, socket.create_connection, ssl.SSLSocket.do_handshake)
    )
    return NETWORK if is_early else None


def _is_receivers(error: BaseException) -> bool:
    """Whether a receiver of a signal has raised it: of one that says "sent", perhaps (H48)."""
    return _comes_from(error, Signal.send, Signal.asend)


def _comes_from(error: BaseException, *functions: Any) -> bool:
    """Whether `error` has come through one of `functions`, which may be replaced (by gevent)."""
    codes = [function.__code__ for function in functions if hasattr(function, "__code__")]
    return any(traceback.tb_frame.f_code in codes for traceback in _tracebacks(error))


def _tracebacks(error: BaseException) -> Iterator[TracebackType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
