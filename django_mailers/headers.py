"""Headers that are easy to get wrong: `list_unsubscribe()`."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from django.utils.encoding import iri_to_uri

from django_mailers.delivery.uris import MAX_LINE, NAME, URIHeader

__all__ = ["list_unsubscribe"]

# Characters that may not stand between angle brackets (RFC 2369, 2).
FORBIDDEN = re.compile(r"[^!-~]|[<>\"\\]")


def list_unsubscribe(url: str, mailto: str | None = None) -> dict[str, str]:
    """Return the headers for unsubscribing with one click (RFC 8058), for `headers` of a message.

    url      an absolute https URL that is the recipient's own. A POST to it unsubscribes, without
             a login, a cookie or a further question; `OneClickUnsubscribeView` answers it.
    mailto   an address, or a mailto URL, for mail programs that unsubscribe by mail (RFC 2369).

    A receiver believes the headers only if a DKIM signature covers both of them.

    Raises ValueError for anything else.
    """
    uris = [_https(url)]
    if mailto is not None:
        uris.append(_mailto(mailto))
    return {
        NAME: URIHeader(", ".join(f"<{uri}>" for uri in uris)),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" or not parts.netloc:
        # RFC 8058, 3.1: nothing else is used for one click.
        raise ValueError("The URL to unsubscribe must be absolute, and begin with https://.")
    # A line break would be quoted, or dropped by urlsplit(); it may be an attack.
    return _uri(str(iri_to_uri(url)) if url.isprintable() else url, "URL")


def _mailto(mailto: str) -> str:
    is_uri = mailto[:7].lower() == "mailto:"
    uri = mailto if is_uri else f"mailto:{quote(mailto, safe='@')}"
    if "@" not in uri:
        raise ValueError("'mailto' must be an address, or begin with mailto:.")
    return _uri(uri, "'mailto'")


def _uri(uri: str, what: str) -> str:
    if FORBIDDEN.search(uri):
        raise ValueError(f"The {what} to unsubscribe has a character that a URI must not have.")
    if len(uri) > MAX_LINE - len(NAME) - len(": <>,"):
        raise ValueError(f"The {what} to unsubscribe is too long for a header.")
    return uri
