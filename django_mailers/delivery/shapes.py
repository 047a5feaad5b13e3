"""What an exception of any backend tells by its shape: nobody's exceptions are imported.

An exception may have come at any time, also after the message was handed over. So only those have a
fault that cannot have come then, or that say what the service has answered.
"""

from __future__ import annotations

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

from django_mailers.errors import RateLimited
from django_mailers.smtp import PoolTimeout

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
# ValueErrors that are not about the message: an answer came, and could not be read.
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)
# OpenSSL's reasons that belong to a handshake.
HANDSHAKE = re.compile(
    "CERTIFICATE|HANDSHAKE|WRONG_VERSION|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS"
    "|CIPHER|UNKNOWN_CA|UNRECOGNIZED_NAME"
)
# Not that the sides did not like each other, but that one of them is gone.
ENDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def fault_of_shape(error: BaseException) -> Fault:
    """Judge an exception of a backend of which nothing else is known."""
    chain = [*parts_of(error)]
    if any(map(_is_of_receiver, chain)):
        # One that is told that the message was sent, perhaps.
        return UNKNOWN
    for number, part in enumerate(chain):
        fault = _told(part, is_first=number == 0)
        if fault is None:
            continue
        if fault != NETWORK:
            return fault
        inner = chain[number + 1 :]
        if any(map(is_distrust, inner)):
            return ACCOUNT
        # A name explains what is behind it. Else that may be of another attempt.
        return fault if _named(part) or not any(map(_may_be_late, inner)) else UNKNOWN
    return UNKNOWN


def is_answer(error: BaseException) -> bool:
    """Whether the service has answered, or said what it thinks of the recipients."""
    return any(
        fault_of_http(part) is not None
        or any(cls.__name__ in REFUSALS for cls in type(part).__mro__)
        for part in parts_of(error)
    )


def is_distrust(error: BaseException) -> bool:
    """Whether `error` came from a TLS handshake in which one side did not like the other."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, ENDS):
        return False
    return (
        isinstance(error, ssl.SSLCertVerificationError)
        or HANDSHAKE.search(str(peek(error, "reason"))) is not None
        or _comes_from(error, ssl.SSLSocket.do_handshake)
    )


def parts_of(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and the exceptions that it came from, from the outside to the inside.

    What a caller was handling when it sent the message is the context of any error, too, but not a
    part of it: a function has caught it through which the error has not come, or that still runs.
    """
    running, frame = set(), sys._getframe()
    while frame is not None:
        running.add(frame)
        frame = frame.f_back  # type: ignore[assignment]
    seen: set[int] = set()
    left = [error]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        context = part.__context__
        if context is not None and (caught := context.__traceback__) is not None:
            frames = {traceback.tb_frame for traceback in _tracebacks(part)}
            if caught.tb_frame in frames - running:
                left.append(context)
        # urllib3 and urllib pass on what they have caught.
        arguments = peek(part, "args")
        if isinstance(arguments, tuple):
            left += [each for each in arguments if isinstance(each, BaseException)]
        if part.__cause__ is not None:
            left.append(part.__cause__)


def _told(error: BaseException, *, is_first: bool) -> Fault | None:
    """Return the fault that `error` tells by itself."""
    fault = _ours(error) or fault_of_http(error) or _named(error) or _of_connecting(error)
    if fault is None and is_first and isinstance(error, ValueError | TypeError):
        # Further inside it may be about anything.
        return UNKNOWN if isinstance(error, LATE_ERRORS) else MESSAGE
    return fault


def _ours(error: BaseException) -> Fault | None:
    if isinstance(error, RateLimited):
        return busy(error.retry_after)
    if isinstance(error, PoolTimeout):
        return busy()
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


def _may_be_late(error: BaseException) -> bool:
    return _told(error, is_first=False) is None and (
        isinstance(error, OSError) or any(map(LATE_NAMES.search, _names(error)))
    )


def _is_of_receiver(error: BaseException) -> bool:
    """Whether a receiver of a signal has raised it."""
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
