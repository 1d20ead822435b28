"""How often a wrong password may be tried: 5 times in 15 minutes for an account and an address
of the network, then an hour's block. It is counted in the database (51 §7)."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from bkend.auth.buckets import Limit
from bkend.tenants.errors import TooManyAttempts

_MINUTE_MS = 60_000

WRONG_PASSWORDS = Limit(
    "tenant-login", 5, 15 * _MINUTE_MS, TooManyAttempts, block_ms=60 * _MINUTE_MS
)
SIGN_UPS = Limit("tenant-signup", 10, 60 * _MINUTE_MS, TooManyAttempts)
DEVICES = Limit("tenant-device", 30, 10 * _MINUTE_MS, TooManyAttempts)


def origin(address: str | None) -> str:
    """The network address that counts: of IPv6 the /64, which one person has whole."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((found, 64), strict=False))
    return str(found)
