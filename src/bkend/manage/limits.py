"""From where, and how often, the apps of a project may call (51 §3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_REMEMBERED = 4096


class Limits:
    """The limits of a project, ready to be asked at every request."""

    def __init__(self, networks: Sequence[Network], calls_a_day: int | None) -> None:
        """No networks are all of them; `calls_a_day` is per environment, None is any number."""
        self.calls_a_day = calls_a_day
        self._networks = tuple(networks)
        self._known: dict[str, bool] = {}

    def admits(self, address: str) -> bool:
        """Whether a client of this network address may call."""
        if not self._networks:
            return True
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            known = self._known[address] = self._is_listed(address)
        return known

    def _is_listed(self, text: str) -> bool:
        try:
            found = ip_address(text)
        except ValueError:
            return False
        # A socket for both families maps IPv4 into IPv6.
        address = (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
        return any(address in network for network in self._networks)


def limits_of(settings: Mapping[str, Any]) -> Limits | None:
    """The limits among the settings of a project; None when there are none."""
    networks = [ip_network(text) for text in settings.get("ipWhitelist") or ()]
    calls: int | None = settings.get("apiCallLimit")
    return Limits(networks, calls) if networks or calls is not None else None


def canonical_network(text: str) -> str | None:
    """The network of an address or CIDR text, host bits cleared; None for what is none."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        return None
