"""Headers that are easy to get wrong: `list_unsubscribe()`."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from django.utils.encoding import force_str, iri_to_uri, punycode

from django_mailers.delivery.uris import MAX_LINE, NAME, URIHeader

__all__ = ["list_unsubscribe"]

# Characters that may not stand between angle brackets (RFC 2369, 2).
FORBIDDEN = re.compile(r"[^!-~]|[<>\"\\]")
# An address without a name, and without characters that would end it in a URI.
ADDRESS = re.compile(r"[^\s@<>()\[\]:;,\\\"?]+@[^\s@<>()\[\]:;,\\\"?]+")


def list_unsubscribe(url: str, mailto: str | None = None) -> dict[str, str]:
    """Return the headers for unsubscribing with one click (RFC 8058), for `headers` of a message.

    url      an absolute https URL that is the recipient's own. A POST to it unsubscribes, without
             a login, a cookie or a further question; `OneClickUnsubscribeView` answers it.
    mailto   an address, or a mailto URL, for mail programs that unsubscribe by mail (RFC 2369).

    A receiver believes the headers only if a DKIM signature covers both of them.

    Raises ValueError for anything else.
    """
    # They may be lazy, as those of reverse_lazy() are.
    uris = [_https(force_str(url))]
    if mailto is not None:
        uris.append(_mailto(force_str(mailto)))
    return {
        NAME: URIHeader(", ".join(f"<{uri}>" for uri in uris)),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _https(url: str) -> str:
    parts = urlsplit(url)
    if url[:8].lower() != "https://" or not parts.hostname:
        # RFC 8058, 3.1: nothing else is used for one click.
        raise ValueError("The URL to unsubscribe must be absolute, and begin with https://.")
    if not url.isprintable():
        # A line break would be quoted, or dropped by urlsplit(); it may be an attack.
        return _uri(url, "URL")
    # The host is not quoted like the rest: it is not found in that form.
    user, at, host = parts.netloc.rpartition("@")
    host, colon, port = (host, "", "") if host.isascii() else host.partition(":")
    netloc = f"{iri_to_uri(user)}{at}{_domain(host)}{colon}{port}"
    _uri(netloc, "URL")
    return _uri(str(iri_to_uri(url.replace(parts.netloc, netloc, 1))), "URL")


def _mailto(mailto: str) -> str:
    if (mailto[:7].lower() == "mailto:" and "@" in mailto) or not mailto.isprintable():
        # As it is, so that a line break is found.
        return _uri(mailto, "'mailto'")
    if ADDRESS.fullmatch(mailto) is None:
        raise ValueError("'mailto' must be an address without a name, or begin with mailto:.")
    local, _, domain = mailto.partition("@")
    return _uri(f"mailto:{quote(local)}@{_domain(domain)}", "'mailto'")


def _domain(domain: str) -> str:
    """Return `domain` as it stands in the DNS. Raises ValueError if it has too long a part."""
    return domain if domain.isascii() else punycode(domain)


def _uri(uri: str, what: str) -> str:
    if FORBIDDEN.search(uri):
        raise ValueError(f"The {what} to unsubscribe has a character that a URI must not have.")
    if len(uri) > MAX_LINE - len(NAME) - len(": <>,"):
        raise ValueError(f"The {what} to unsubscribe is too long for a header.")
    return uri
