"""What a developer asks of a running server over its management API: no process of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.servers import RunningServer

_ENVIRONMENTS = "/manage/v1/projects/app/environments"
DEV = f"{_ENVIRONMENTS}/dev"
_MAIL_SECONDS = 30


def manage(server: RunningServer, method: str, path: str, body: Any = None) -> Any:
    """What a call with the management token answers, which must be a success."""
    headers = {"Authorization": f"Bearer {server.made['managementToken']}"}
    with server.client() as client:
        answer = client.request(method, path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()


def mailed_link(server: RunningServer, to: str, template: str) -> str:
    """The link of the newest mail of a kind in `dev`; mails leave after the answer."""
    deadline = time.monotonic() + _MAIL_SECONDS
    while time.monotonic() < deadline:
        for mail in manage(server, "GET", f"{DEV}/outbox?limit=100")["items"]:
            if (mail["to"], mail["template"]) == (to, template):
                return str(mail["links"][0])
        time.sleep(0.02)
    raise AssertionError(f"no {template} for {to}")


@contextmanager
def untouched(server: RunningServer, **auth_settings: Any) -> Iterator[RunningServer]:
    """The same server for an environment of one's own, with the tables and settings of `dev` and
    nothing else: `key` is the environment's. Starting and ending is for the given server."""
    name = f"e{uuid.uuid4().hex[:12]}"
    wish = {"environment": name, "copySchemaFrom": "dev"}
    made = manage(server, "POST", _ENVIRONMENTS, wish)
    assert made["status"] == "active", made
    names = {"environment": name, "publishableKey": made["apiKey"]["key"]}
    found = replace(server, made={**server.made, **names})
    if auth_settings:
        sign_in_settings(found, **auth_settings)
    yield found
    manage(server, "DELETE", f"{_ENVIRONMENTS}/{name}?confirm={name}")


def sign_in_settings(server: RunningServer, **settings: Any) -> None:
    """Change settings of sign-in in the server's environment; None brings a default back."""
    path = f"{_ENVIRONMENTS}/{server.made['environment']}/auth/settings"
    manage(server, "PUT", path, settings)


@contextmanager
def project_settings(server: RunningServer, **settings: Any) -> Iterator[None]:
    """Settings of the project, by their names with `__` for the dot; gone afterwards."""
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    project = "/manage/v1/projects/app"
    manage(server, "PATCH", project, {"settings": changes})
    try:
        yield
    finally:
        manage(server, "PATCH", project, {"settings": dict.fromkeys(changes)})
