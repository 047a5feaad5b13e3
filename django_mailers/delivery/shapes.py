"""What an exception of any backend tells by its shape: nobody's exceptions are imported.

An exception may have come at any time, also after the message was handed over. So only those have a
fault that cannot have come then, or that say what the service has answered.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from types import CodeType, TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from django_mailers.errors import RateLimited
from django_mailers.smtp import PoolTimeout, is_injected

from .answers import fault_of_words
from .faulttable import (
    ACCOUNT,
    CONFIGURATION,
    MESSAGE,
    NETWORK,
    SENDER,
    UNKNOWN,
    Fault,
    busy,
    limited,
)

# The names of classes, by what they say. Each is raised before a request is sent, or for an answer.
NAMES: dict[str, Fault] = {
    **dict.fromkeys(
        (
            *("ConnectTimeout", "ConnectTimeoutError", "NewConnectionError"),
            *("NameResolutionError", "ConnectError", "EndpointConnectionError"),
            *("ProxyConnectionError", "ClientConnectorError", "ServerNotFoundError"),
        ),
        NETWORK,
    ),
    **dict.fromkeys(
        ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"), ACCOUNT
    ),
    **dict.fromkeys(
        (
            *("AnymailRecipientsRefused", "AnymailSerializationError", "AnymailInvalidAddress"),
            *("AnymailUnsupportedFeature", "AnymailCancelSend", "ParamValidationError"),
        ),
        MESSAGE,
    ),
    **dict.fromkeys(
        ("AnymailConfigurationError", "NoRegionError", "MissingSchema", "InvalidURL"),
        CONFIGURATION,
    ),
    "PoolTimeout": busy(),
}
# Amazon's codes of errors, from the first that fits.
AMAZON = [
    (r"Throttling.*|.*(?:Paused|Suspended).*", limited()),
    (r".*NotVerified.*", SENDER),
    (r"TooManyRequests.*", busy()),
    (
        r"AccessDenied.*|.*Signature.*|ExpiredToken.*|InvalidClientTokenId|Unrecognized.*"
        r"|MissingAuthenticationToken|OptInRequired|ConfigurationSetDoesNotExist.*",
        ACCOUNT,
    ),
    (r"MessageRejected.*", MESSAGE),
]
HTTP_ACCOUNT = {401, 402, 403}
HTTP_MESSAGE = {400, 404, 413, 422}
# ValueErrors that are not about the message: an answer came, and could not be read.
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)
# OpenSSL's reasons that belong to a handshake.
HANDSHAKE = re.compile(
    "CERTIFICATE|HANDSHAKE|WRONG_VERSION|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS"
    "|CIPHER|UNKNOWN_CA|UNRECOGNIZED_NAME"
)


def fault_of_shape(error: BaseException) -> Fault:
    """Judge an exception of a backend of which nothing else is known."""
    chain = [*chain_of(error)]
    if any(_is_receivers(part) for part in chain):
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


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it came from, from the outside to the inside.

    What a caller was handling when it sent the message is the context of any error, too, but not a
    part of it: a function has caught it through which the error has not come, or that still runs.
    """
    running, frame = set(), sys._getframe()
    while frame is not None:
        running.add(frame)
        frame = frame.f_back  # type: ignore[assignment]
    seen: set[int] = set()
    part: BaseException | None = error
    while part is not None and id(part) not in seen:
        yield part
        seen.add(id(part))
        inner = part.__cause__
        if inner is None and not part.__suppress_context__:
            inner = part.__context__
            caught = None if inner is None else inner.__traceback__
            if caught is None or caught.tb_frame in running or not _came_through(part, caught):
                inner = None
        part = inner


def is_distrust(error: BaseException) -> bool:
    """Whether `error` came from a TLS handshake in which one side did not like the other."""
    if not isinstance(error, ssl.SSLError) or isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    ):
        return False
    return (
        isinstance(error, ssl.SSLCertVerificationError)
        or HANDSHAKE.search(error.reason or "") is not None
        or _comes_from(error, {ssl.SSLSocket.do_handshake.__code__})
    )


def _told(error: BaseException, *, is_first: bool) -> Fault | None:
    """Return the fault that `error` tells by itself."""
    fault = _ours(error) or _amazons(error) or _of_http(error) or _named(error)
    fault = fault or _of_connecting(error)
    if fault is None and is_first and isinstance(error, ValueError | TypeError):
        # Further inside it may be about anything.
        fault = UNKNOWN if isinstance(error, LATE_ERRORS) else MESSAGE
    return fault


def _ours(error: BaseException) -> Fault | None:
    if isinstance(error, RateLimited):
        return busy(error.retry_after)
    if isinstance(error, PoolTimeout):
        return busy()
    return CONFIGURATION if isinstance(error, ImproperlyConfigured) else None


def _named(error: BaseException) -> Fault | None:
    return next((NAMES[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in NAMES), None)


def _of_connecting(error: BaseException) -> Fault | None:
    """Judge an error of the network or of TLS, if it came before there was a connection."""
    if is_distrust(error):
        return ACCOUNT
    connecting = {socket.create_connection.__code__, ssl.SSLSocket.do_handshake.__code__}
    is_early = isinstance(error, ConnectionRefusedError | socket.gaierror) or (
        isinstance(error, OSError) and _comes_from(error, connecting)
    )
    return NETWORK if is_early else None


# --- Answers of HTTP -----------------------------------------------------------------------------


def _of_http(error: BaseException) -> Fault | None:
    response = _get(error, "response")
    statuses = (_get(error, "status_code"), _get(response, "status_code"), _get(error, "status"))
    status = next((value for value in statuses if type(value) is int and 100 <= value < 600), None)
    if status is None:
        return None
    wait = _retry_after(_get(response, "headers") or _get(error, "headers"))
    return _of_status(status, wait)


def _of_status(status: int, wait: float | None) -> Fault:
    if status in HTTP_ACCOUNT:
        return ACCOUNT
    if status == 429 or (status == 503 and wait is not None):
        return busy(wait)
    return MESSAGE if status in HTTP_MESSAGE else UNKNOWN


def _amazons(error: BaseException) -> Fault | None:
    """Judge a ClientError of botocore."""
    response = _get(error, "response")
    if not isinstance(response, Mapping):
        return None
    told, metadata = response.get("Error"), response.get("ResponseMetadata")
    if isinstance(told, Mapping):
        words = fault_of_words(str(told.get("Message", "")))
        if words is not None:
            return words
        for pattern, fault in AMAZON:
            if re.fullmatch(pattern, str(told.get("Code", ""))):
                return fault
    if not isinstance(metadata, Mapping) or type(metadata.get("HTTPStatusCode")) is not int:
        return None
    wait = _retry_after(metadata.get("HTTPHeaders"))
    return _of_status(metadata["HTTPStatusCode"], wait)


def _retry_after(headers: Any) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3): a number of them, or a date."""
    value = _header(headers, "Retry-After")
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,8}", value):
        return float(value)
    try:
        # By the server's clock, if it tells the time.
        now = _header(headers, "Date")
        until = parsedate_to_datetime(value).timestamp()
        return max(0.0, until - (parsedate_to_datetime(now).timestamp() if now else time.time()))
    except (ValueError, OverflowError, OSError):
        return None


def _header(headers: Any, name: str) -> str | None:
    try:
        value = headers.get(name) or headers.get(name.lower())
    except Exception as error:
        # Anybody's object.
        if is_injected(error):
            raise
        return None
    return value.strip() if isinstance(value, str) else None


def _get(instance: Any, name: str) -> Any:
    try:
        return getattr(instance, name, None)
    except Exception as error:
        # A property of anybody's class.
        if is_injected(error):
            raise
        return None


# --- Tracebacks ----------------------------------------------------------------------------------


def _is_receivers(error: BaseException) -> bool:
    """Whether a receiver of a signal has raised it; of one that says "sent", perhaps."""
    return _comes_from(error, {Signal.send.__code__, Signal.asend.__code__})


def _may_be_late(error: BaseException) -> bool:
    return isinstance(error, OSError) and _told(error, is_first=False) is None


def _comes_from(error: BaseException, codes: set[CodeType]) -> bool:
    return any(traceback.tb_frame.f_code in codes for traceback in _tracebacks(error))


def _came_through(error: BaseException, caught: TracebackType) -> bool:
    return any(traceback.tb_frame is caught.tb_frame for traceback in _tracebacks(error))


def _tracebacks(error: BaseException) -> Iterator[TracebackType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
