"""Whether the addresses that the server gives out lead to it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from bkend.auth.links.addresses import server_address
from bkend.doctor.findings import Finding, ok, warning
from bkend.doctor.patient import Patient, every_place

_SET_IT = "set BKEND_PUBLIC_URL to the address that apps use, such as https://api.example.com"


async def look(patient: Patient) -> Finding:
    """The public address: given where others than this machine call, with TLS, on its own port."""
    assert patient.core is not None
    settings, shown = patient.settings, server_address(patient.settings)
    if settings.public_url is None:
        production = [
            place.name async for place in every_place(patient.core) if place.type == "prod"
        ]
        if not _is_local(settings.host) or production:
            return warning(
                f"links in mails lead to {shown}, which only this machine knows", _SET_IT
            )
        return ok(f"{shown}, for this machine alone")
    for name, url in (("BKEND_PUBLIC_URL", shown), ("BKEND_RAW_URL", settings.raw_url or shown)):
        parts = urlsplit(url)
        local = _is_local(parts.hostname or "")
        if parts.scheme == "http" and not local:
            return warning(f"{name} is {url}: passwords travel unencrypted", f"use https in {name}")
        if parts.port is not None and not local:
            return warning(
                f"{name} has a port of its own, {parts.port}: some published apps cut it off "
                "addresses of pictures",
                "let a reverse proxy listen on 443",
            )
    return ok(shown)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
