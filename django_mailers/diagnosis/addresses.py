"""Which addresses and ports a form for credentials may connect to.

A user who enters a host makes our server connect to it: to a database next to it, to the
metadata of the cloud, to any service behind the firewall (server-side request forgery; H67).
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple

# RFC 5321, 8314 and 6409, and the usual second port for submission.
PORTS = frozenset({25, 465, 587, 2525})
# IPv6 addresses that lead to the IPv4 address in them: NAT64 (RFC 6052) and 6to4 (RFC 3056).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Address(NamedTuple):
    """What `socket.getaddrinfo()` says: how to connect, and the numeric address."""

    family: int
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        return str(self.sockaddr[0])

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, in the order in which they are to be tried.

    Raises OSError, or UnicodeError for what cannot be a name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(Address(family, sockaddr) for family, _, _, _, sockaddr in found)]


def is_public(host: str) -> bool:
    """Whether a numeric address is one of the public internet.

    Those that contain an IPv4 address are judged by it.
    """
    address: IPAddress = ipaddress.ip_address(host.partition("%")[0])
    inner = _inner(address)
    if inner is not None:
        return is_public(str(inner))
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_link_local
        and not address.is_loopback
        and not address.is_private
        and not address.is_unspecified
    )


def _inner(address: IPAddress) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
