"""A server with something of everything, and who may ask for it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.openapi.asking import Asking
from tests.servers import RunningServer

PASSWORD = "four brown horses"
Headers = dict[str, str]


def by_token(value: str) -> Headers:
    """A management token."""
    return {"Authorization": f"Bearer {value}"}


@dataclass
class World:
    """What the calls before have made."""

    server: RunningServer
    asking: Asking
    ids: dict[str, str] = field(default_factory=dict)

    def log_in(self, email: str, password: str = PASSWORD) -> Headers:
        """A session of a tenant."""
        body = {"email": email, "password": password}
        return self.session_of(
            requests.post(f"{self.server.url}/manage/v1/session/login", json=body, timeout=30)
        )

    def session_of(self, answer: requests.Response) -> Headers:
        """What a browser sends that this answer has signed in."""
        assert answer.status_code < 300, answer.text
        cookie = answer.cookies["bkend_session"]
        return {"Cookie": f"bkend_session={cookie}", "X-Bkend-CSRF": answer.headers["x-bkend-csrf"]}

    def sign_up(self, name: str, **more: str) -> Headers:
        """A new tenant and a session."""
        body = {"name": name, "email": f"{name}@people.example", "password": PASSWORD, **more}
        url = f"{self.server.url}/manage/v1/session/signup"
        return self.session_of(requests.post(url, json=body, timeout=30))

    def server_mails(self, headers: Mapping[str, str]) -> list[dict[str, Any]]:
        """The mails of the server itself, newest first."""
        url = f"{self.server.url}/manage/v1/system/outbox?limit=100"
        found: list[dict[str, Any]] = requests.get(url, headers=headers, timeout=30).json()["items"]
        return found

    def app_mails(self, project: str = "app", environment: str = "dev") -> list[dict[str, Any]]:
        """The mails of an environment, newest first."""
        inside = f"/manage/v1/projects/{project}/environments/{environment}"
        url = f"{self.server.url}{inside}/outbox?limit=100"
        headers = by_token(self.server.made["managementToken"])
        found: list[dict[str, Any]] = requests.get(url, headers=headers, timeout=30).json()["items"]
        return found


def token_in(mail: Mapping[str, Any]) -> str:
    """The token of the mail's link."""
    for link in mail["links"]:
        found = re.search(r"(?:[?&#]token=|/)([A-Za-z0-9_.~-]{20,})(?:&|$)", link)
        if found:
            return found.group(1)
    raise AssertionError(mail)


def sign_up_user(url: str, key: str, name: str = "guest") -> dict[str, Any]:
    """A user of an app, signed in: the answer of the sign-up."""
    body = {"name": name, "email": f"{fresh(name)}@users.example", "password": PASSWORD}
    to = f"{url}/v1/auth/email/signup"
    answer = requests.post(to, json=body, headers={"X-API-Key": key}, timeout=30)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fresh(word: str) -> str:
    """A name that nothing has yet."""
    return f"{word}-{secrets.token_hex(4)}"
