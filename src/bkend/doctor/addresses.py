"""Whether the addresses that the server gives out lead to it."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from bkend.auth.links.addresses import server_address
from bkend.doctor.findings import Finding, ok, warning
from bkend.doctor.patient import Patient, every_place

_SET_IT = "set BKEND_PUBLIC_URL to the address that apps use, such as https://api.example.com"
_ALIVE = b'{"status":"ok"}'
_SECONDS = 5


async def look(patient: Patient) -> Finding:
    """The public address: given where others than this machine call, with TLS, on its own port;
    and while the server runs, whether the way through proxy and certificate leads to it."""
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
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    own = f"http://[{host}]" if ":" in host else f"http://{host}"
    if not await _failure(f"{own}:{settings.port}") and (reason := await _failure(shown)):
        return warning(
            f"the server runs, but from this machine {shown} does not lead to it: {reason}",
            "look at the host name, the certificate and the proxy",
        )
    return ok(shown)


async def _failure(base: str) -> str:
    """Why no server of this program answers at the address; empty when one does."""
    import httpx

    trusted = ssl.create_default_context()
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, verify=trusted, trust_env=False) as client:
            answer = await client.get(f"{base}/healthz")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return str(error) or type(error).__name__
    if answer.content != _ALIVE:
        return f"something else answers there, with {answer.status_code}"
    return ""


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
