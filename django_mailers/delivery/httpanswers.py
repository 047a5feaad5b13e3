"""The answer by HTTP that an exception tells of, and its meaning."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from django_mailers.smtp import is_injected

from .answers import MAX_TEXT, fault_of_words
from .faulttable import ACCOUNT, MESSAGE, SENDER, UNKNOWN, Fault, busy, limited

REFUSED_ACCOUNT = {401, 402, 403}
REFUSED_MESSAGE = {400, 404, 413, 422}
TOO_MANY, UNAVAILABLE = 429, 503
# Codes of Amazon's errors; the first that fits.
AMAZON = [
    (r"Throttling.*|.*(?:Paused|Suspended).*", limited()),
    (r".*NotVerified.*", SENDER),
    (r"TooManyRequests.*", busy()),
    (r"AccessDenied.*|.*Signature.*|ExpiredToken.*|InvalidClientTokenId|Unrecognized.*", ACCOUNT),
    (r"MissingAuthentication.*|RequestExpired|ConfigurationSetDoesNotExist.*", ACCOUNT),
    (r"MessageRejected.*", MESSAGE),
]


def fault_of_http(error: BaseException) -> Fault | None:
    """Judge the answer that `error` tells; None if it tells none."""
    response = peek(error, "response")
    if isinstance(response, Mapping):
        return _of_amazon(response)
    statuses = [
        *(peek(error, "status_code"), peek(response, "status_code")),
        *(peek(response, "status"), peek(error, "status")),
    ]
    status = next((value for value in statuses if _is_status(value)), None)
    if status is None:
        return None
    wait = _retry_after(peek(response, "headers") or peek(error, "headers"))
    return _of_status(status, wait, peek(response, "text"))


def peek(instance: Any, name: str) -> Any:
    """Return the attribute `name`, or None if it is missing or cannot be read."""
    try:
        return getattr(instance, name, None)
    except Exception as error:
        # Properties of anybody's class.
        if is_injected(error):
            raise
        return None


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 100 <= value < 600


def _of_status(status: int, wait: float | None, text: Any = None) -> Fault:
    """Judge an answer by its status; a refusal by its `text` first."""
    if status == TOO_MANY or (status == UNAVAILABLE and wait is not None):
        return busy(wait)
    if status in REFUSED_ACCOUNT | REFUSED_MESSAGE:
        told = fault_of_words(text[:MAX_TEXT], wait) if isinstance(text, str) else None
        return told or (ACCOUNT if status in REFUSED_ACCOUNT else MESSAGE)
    # A 503 as well: what is between us and the service may say that, and the answer is lost.
    return UNKNOWN


def _of_amazon(response: Mapping[Any, Any]) -> Fault | None:
    """Judge the `response` of botocore's ClientError."""
    told, metadata = response.get("Error"), response.get("ResponseMetadata")
    if isinstance(told, Mapping):
        code, text = told.get("Code"), told.get("Message")
        words = fault_of_words(text[:MAX_TEXT]) if isinstance(text, str) else None
        if words is not None:
            return words
        for pattern, fault in AMAZON:
            if isinstance(code, str) and re.fullmatch(pattern, code):
                return fault
    if not isinstance(metadata, Mapping) or not _is_status(metadata.get("HTTPStatusCode")):
        return None
    return _of_status(metadata["HTTPStatusCode"], _retry_after(metadata.get("HTTPHeaders")))


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
        # The object may be of any class, or None.
        if is_injected(error):
            raise
        return None
    return value.strip() if isinstance(value, str) else None
