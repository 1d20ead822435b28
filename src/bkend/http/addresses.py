"""The client's address: the socket's, or what a trusted proxy says it is (attack: forged
X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses or CIDR networks; raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def client_address(
    peer: str, forwarded_for: str | None, trusted: Sequence[Network]
) -> tuple[str, bool]:
    """The client's address, and whether it is known to be the real one.

    Walks `X-Forwarded-For` from the right through trusted proxies only. A header from a peer
    that is not trusted is ignored, and the address then is the peer's, but not "known". When
    every hop is trusted, the first of them is the client.
    """
    if forwarded_for is None:
        return peer, True
    if not _is_trusted(peer, trusted):
        return peer, False
    hop = peer
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        if _address(hop) is None:
            return peer, False
        if not _is_trusted(hop, trusted):
            break
    return hop, True


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, None when it is none. A socket for both families maps IPv4 into IPv6."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    if not trusted:
        return False
    address = _address(text)
    return address is not None and any(address in network for network in trusted)
