"""Callers of every kind on the shared server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.backdoor import expired, make_key
from tests.people import People, sign_up_people
from tests.servers import RunningServer

PASSWORD = "correct horse"


@dataclass
class Callers:
    """Headers of every kind of caller."""

    server: RunningServer
    people: People
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        server = self.server
        server.bkend("init", "--env", "foreign")
        foreign = make_key(server, environment="foreign")["key"]
        publishable = {"X-API-Key": server.key}
        self.headers = {
            "no key": {},
            "unknown key": {"X-API-Key": "sk_" + "0" * 64},
            "revoked key": {"X-API-Key": make_key(server, revoked=True)["key"]},
            "expired key": {"X-API-Key": make_key(server, expires_at="2020-01-01")["key"]},
            "anonymous": publishable,
            "secret": {"X-API-Key": server.secret},
            "scoped": {"X-API-Key": make_key(server, scopes=("posts:read",))["key"]},
            "foreign key": {"X-API-Key": foreign},
            "foreign token": publishable | _bearer(self._sign_up(foreign)),
            "expired token": publishable | _bearer(expired(server, self.people.owner.token)),
        }
        for name in self.people.__dataclass_fields__:
            self.headers[name] = publishable | _bearer(getattr(self.people, name).token)
        scoped = make_key(server, "publishable", scopes=("posts:read",))["key"]
        self.headers["scoped publishable"] = {"X-API-Key": scoped}
        self.headers["secret with user"] = self._with("secret", self.headers["owner"])
        self.headers["ended session"] = self._ended()
        foreign_key = make_key(server, "publishable", environment="foreign")["key"]
        self.headers["foreign key with token"] = {**self.headers["owner"], "X-API-Key": foreign_key}

    def _with(self, key: str, user: dict[str, str]) -> dict[str, str]:
        """The user's token beside the key of another caller."""
        return {**user, **self.headers[key]}

    def _ended(self) -> dict[str, str]:
        headers = self.with_fresh_session("owner")
        with httpx.Client(base_url=self.server.url, headers=headers, verify=False) as client:
            assert client.post("/v1/auth/signout").status_code == 200
        return headers

    def _sign_up(self, key: str) -> str:
        with self.server.client(key) as client:
            body = {"email": "foreign@people.example", "password": PASSWORD, "name": "F"}
            answer: dict[str, Any] = client.post("/v1/auth/email/signup", json=body).json()
            return str(answer["accessToken"])

    def with_fresh_session(self, name: str) -> dict[str, str]:
        """The caller's headers, a user's with a session that may be ended."""
        if name == "secret with user":
            return self._with("secret", self.with_fresh_session("owner"))
        if name not in self.people.__dataclass_fields__:
            return self.headers[name]
        with self.server.client() as client:
            body = {"email": f"{name}@people.example", "password": PASSWORD}
            answer = client.post("/v1/auth/email/signin", json=body)
            return {**self.headers["anonymous"], **_bearer(answer.json()["accessToken"])}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def callers(server: RunningServer) -> Callers:
    """Every kind of caller."""
    return Callers(server, sign_up_people(server))


@pytest.fixture(scope="session")
def bare(server: RunningServer) -> Iterator[httpx.Client]:
    """A client that sends no key of its own."""
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        yield client


@pytest.fixture(scope="session")
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    """The secret key alone."""
    with server.client(server.secret) as client:
        yield client
