"""Providers in processes of their own, and an environment that is configured for them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bkend.auth.social.service import Social
from tests.auth.conftest import Api, Served
from tests.servers import free_port

REDIRECT = "http://localhost:3000/done?from=app"
CALLBACK = "http://bkend.test/v1/auth/acme/callback"
CLIENT = {"clientId": "the-app", "clientSecret": "s3cret & more"}


@dataclass
class OidcProvider:
    """A running OpenID Connect provider, which keeps the users it is told of."""

    url: str
    http: httpx.Client

    def user(self, sub: str, **claims: Any) -> None:
        """Somebody with an account there; the address is verified unless told otherwise."""
        known = {"email": f"{sub}@acme.example", "email_verified": True, "name": sub.title()}
        answer = self.http.put(f"/users/{sub}", json=known | claims)
        assert answer.status_code == 204, answer.text

    def log_in(self, authorization_url: str, sub: str) -> str:
        """What a person does: the form is sent, and the browser is led back."""
        form = self.http.get(authorization_url)
        assert form.status_code == 200, form.text
        assert "<form" in form.text
        sent = self.http.post(authorization_url, data={"sub": sub})
        assert sent.status_code in (302, 303), sent.text
        return sent.headers["location"]

    def code(self, sub: str, *, client_id: str = CLIENT["clientId"], nonce: str = "") -> str:
        """A code that an app has obtained by itself, for CALLBACK."""
        query: dict[str, str] = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid email profile",
        } | ({"nonce": nonce} if nonce else {})
        url = str(httpx.URL(f"{self.url}/oauth2/authorize", params=query))
        return query_of(self.log_in(url, sub))["code"]

    def id_token(
        self,
        sub: str,
        *,
        client_id: str = CLIENT["clientId"],
        nonce: str = "",
        at: str | None = None,
    ) -> str:
        """An ID token as an app obtains it, under another host name with `at`."""
        form = {
            "grant_type": "authorization_code",
            "code": self.code(sub, client_id=client_id, nonce=nonce),
            "redirect_uri": CALLBACK,
        }
        answer = httpx.post(
            f"{at or self.url}/oauth2/token", data=form, auth=(client_id, "x"), verify=False
        )
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["id_token"]
        return found


@dataclass
class Scripted:
    """A provider that answers what it is told to, see `scripted.py`."""

    url: str
    http: httpx.Client
    script: dict[str, Any] = field(default_factory=dict)

    def play(self, **paths: Any) -> None:
        """Set what the paths answer; the count of calls begins anew."""
        self.script = paths
        self.http.post("/script", json=paths)

    def plan(self, script: dict[str, Any]) -> None:
        self.play(**script)

    def calls(self, path: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/script").json()
        return [call for call in found if path in (None, call["path"])]


@pytest.fixture(scope="session")
def oidc() -> Iterator[OidcProvider]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, verify=False, timeout=10) as client:
            _wait(client, process)
            yield OidcProvider(url, client)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the provider ended at once"
        try:
            client.get("/.well-known/openid-configuration")
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the provider did not answer")


@pytest.fixture(scope="session")
def scripted() -> Iterator[Scripted]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("scripted.py"))], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    try:
        with httpx.Client(base_url=url, verify=False, timeout=10) as client:
            yield Scripted(url, client)
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.fixture(autouse=True)
def _right_time(request: pytest.FixtureRequest) -> None:
    """Providers go by the time of day, so the server has to."""
    if "api" in request.fixturenames or "served" in request.fixturenames:
        served: Served = request.getfixturevalue("served")
        served.clock.now = time.time_ns() // 1_000_000


async def social_of(api: Api) -> Social:
    return (await api.served.core.environment("app", api.environment)).social


async def configure(api: Api, name: str, **fields: Any) -> None:
    """As the management API does."""
    await (await social_of(api)).providers.update(name, CLIENT | fields)


async def begin(api: Api, provider: str, redirect: str = REDIRECT) -> str:
    """The provider's address for a sign-in of an app."""
    answer = await api.http.get(f"/v1/auth/{provider}/authorize", params={"redirect": redirect})
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["authorizationUrl"]
    return found


async def come_back(api: Api, location: str, **headers: str) -> httpx.Response:
    """The browser follows the provider's redirect: no key, no token."""
    parts = urlsplit(location)
    transport = httpx.ASGITransport(app=api.served.app, client=("203.0.113.9", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://bkend.test") as browser:
        return await browser.get(f"{parts.path}?{parts.query}", headers=headers)


def query_of(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def outcome_of(answer: httpx.Response) -> dict[str, str]:
    """What the app is told, after looking at where and how."""
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{REDIRECT}&")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    return query_of(location)
