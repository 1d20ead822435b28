"""Real proxies in front of a real server, with the configurations that the guide shows.

Only what names a place is changed in them: host name, ports, certificates.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import RunningServer, clean_environment, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "api.example.com"
START_SECONDS = 15
Kind: TypeAlias = Literal["nginx", "caddy"]
KINDS: tuple[Kind, ...] = ("nginx", "caddy")

_NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""
_CADDY = """
{{
    admin off
    auto_https disable_redirects
    skip_install_trust
}}
{site}
"""


@dataclass(frozen=True)
class Certificate:
    """A certificate for `localhost` that signs itself."""

    path: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Trusts this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.path))


@dataclass(frozen=True)
class Proxied:
    """A server, and the address at which the proxy offers it."""

    kind: Kind
    url: str
    plain_url: str
    server: RunningServer
    certificate: Certificate
    folder: Path

    def client(
        self, key: str | None = None, token: str | None = None, *, address: str | None = None
    ) -> httpx.Client:
        """A client of the proxy that calls from an address of this machine."""
        headers = {"X-API-Key": key or self.server.key}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.HTTPTransport(
            verify=self.certificate.context(), local_address=address or "127.0.0.1"
        )
        return httpx.Client(base_url=self.url, headers=headers, transport=transport, timeout=30)


def program(kind: Kind) -> str:
    """The proxy's program; skips the test when there is none."""
    found = shutil.which(kind) or shutil.which(kind, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{kind} is not installed; scripts/system-packages does it")
    return found


@contextmanager
def proxied(kind: Kind, folder: Path, server: RunningServer) -> Iterator[Proxied]:
    """Start a proxy before a server that has not started, and then the server."""
    executable = program(kind)
    certificate = _certificate(folder)
    port, plain_port = free_port(), free_port()
    places = _places(kind, server.port, port, plain_port, certificate)
    configuration = folder / f"{kind}.conf"
    configuration.write_text(_whole(kind, folder, places))
    environment = clean_environment(
        {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    )
    checking, running = _commands(kind, executable, str(configuration), str(folder))
    checked = subprocess.run(
        checking, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    url = f"https://localhost:{port}"
    server.environment = {**server.environment, "BKEND_PUBLIC_URL": url}
    server.start()
    with open(folder / "proxy.log", "wb") as log:
        process = subprocess.Popen(running, env=environment, stdout=log, stderr=log)
    try:
        offered = Proxied(kind, url, f"http://localhost:{plain_port}", server, certificate, folder)
        _wait(offered, process)
        yield offered
    finally:
        process.terminate()
        process.wait(timeout=30)


def _places(
    kind: Kind, server: int, port: int, plain_port: int, certificate: Certificate
) -> Mapping[str, str]:
    """What is changed in the shown configuration, each of which must stand there."""
    if kind == "caddy":
        site = f"https://localhost:{port} {{\n\tbind 127.0.0.1"
        site += f"\n\ttls {certificate.path} {certificate.key}"
        return {f"{HOST} {{": site, "127.0.0.1:8000": f"127.0.0.1:{server}"}
    return {
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl http2;\n": "",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/letsencrypt/live/{HOST}/fullchain.pem": str(certificate.path),
        f"/etc/letsencrypt/live/{HOST}/privkey.pem": str(certificate.key),
        f"server_name {HOST};": "server_name localhost;",
        "127.0.0.1:8000": f"127.0.0.1:{server}",
    }


def _whole(kind: Kind, folder: Path, places: Mapping[str, str]) -> str:
    site = (DEPLOY / ("nginx.conf" if kind == "nginx" else "Caddyfile")).read_text()
    for shown, used in places.items():
        assert shown in site, f"{shown!r} is not in the configuration any more"
        site = site.replace(shown, used)
    assert HOST not in site
    user = "user root;" if os.geteuid() == 0 else ""
    return (_NGINX if kind == "nginx" else _CADDY).format(user=user, folder=folder, site=site)


def _commands(
    kind: Kind, executable: str, configuration: str, folder: str
) -> tuple[list[str], list[str]]:
    """How the proxy checks a configuration, and how it runs with it."""
    if kind == "nginx":
        run = [executable, "-p", folder, "-e", f"{folder}/error.log", "-c", configuration]
        return [*run, "-t"], run
    told = ["--config", configuration, "--adapter", "caddyfile"]
    return [executable, "validate", *told], [executable, "run", *told]


def _wait(offered: Proxied, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with offered.client() as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, (offered.folder / "proxy.log").read_text()
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
    raise AssertionError((offered.folder / "proxy.log").read_text())


def _certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made
