"""The client's address: the socket's, or what a trusted proxy says it is (attack: forged
X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
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
    that is not trusted is ignored, and the address then is the peer's, but not "known".
    """
    if forwarded_for is None:
        return peer, True
    if not _is_trusted(peer, trusted):
        return peer, False
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        if not _is_address(hop):
            return peer, False
        if not _is_trusted(hop, trusted):
            return hop, True
    return peer, True


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
    return _is_address(address) and ip_address(address).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    if not trusted or not _is_address(text):
        return False
    address = ip_address(text)
    return any(address in network for network in trusted)
