"""What the log tells, and what it must never tell (design: no secret in logs)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from bkend.logs import mask_secrets
from tests.conftest import StartServer
from tests.servers import RunningServer

PASSWORD = "correct-horse-battery-staple"


def use(server: RunningServer) -> list[str]:
    """Use the server in all the ways that carry a secret; the secrets."""
    user = server.sign_up("ada@logs.example", PASSWORD)
    secrets = [PASSWORD, user["accessToken"], user["refreshToken"]]
    secrets += [server.secret, server.made["managementToken"]]
    with server.client() as client:
        body = {"email": "ada@logs.example", "password": PASSWORD}
        signed_in = client.post("/v1/auth/email/signin", json=body).json()
        client.post("/v1/auth/email/signin", json={**body, "password": PASSWORD + "-wrong"})
        client.post("/v1/auth/email/signin", json={"password": PASSWORD})
        client.post("/v1/auth/email/signup", content=f'{{"password":"{PASSWORD}"'.encode())
        pair = client.post("/v1/auth/refresh", json={"refreshToken": user["refreshToken"]}).json()
        secrets += [pair["accessToken"], pair["refreshToken"], signed_in["accessToken"]]
        client.get("/v1/data/posts", headers={"X-API-Key": "sk_" + "a1" * 32})
        headers = {"Authorization": f"Bearer {server.made['managementToken']}"}
        client.get("/metrics", headers=headers)
        client.get("/v1/data/posts", headers=headers)
    with server.client(token=signed_in["accessToken"]) as client:
        client.get("/v1/auth/me")
        client.post("/v1/data/posts", json={"title": "x", "password": PASSWORD})
        client.get("/v1/data/posts", params={"andFilters": f'{{"password":"{PASSWORD}"}}'})
        change = {"currentPassword": PASSWORD, "newPassword": PASSWORD + "-next"}
        assert client.post("/v1/auth/password/change", json=change).status_code == 200
    with server.client(server.secret) as admin:
        admin.get("/v1/data/posts")
    assert all(secrets)
    return [*secrets, *(jwt.get_unverified_header(s) and s.split(".")[2] for s in secrets[1:3])]


def test_log_holds_no_secret_even_when_it_tells_everything(start_server: StartServer) -> None:
    server = start_server(BKEND_LOG_LEVEL="debug")
    secrets = use(server)
    server.stop()
    assert "/v1/auth/email/signin" in server.log
    assert "/v1/data/posts" in server.log
    announced, _, logged = server.log.partition("serving")
    assert server.secret not in announced, "init had shown it already"
    for secret in (*secrets, "a1" * 32, "$argon2", "eyJ", server.key[3:]):
        assert secret not in logged


def events(server: RunningServer) -> list[dict[str, Any]]:
    """What the server has logged so far; the last line may still be on its way."""
    lines = server.log.splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def test_secret_key_is_shown_once_on_a_fresh_start_only(tmp_path: Path) -> None:
    environment = {"BKEND_LOG": "json", "BKEND_LOG_LEVEL": "debug"}
    server = RunningServer(tmp_path, environment=environment)
    try:
        server.start()
        assert server.log.count("sk_") == server.log.count("bt_") == 1
        deadline = time.monotonic() + 10
        while not (requests := [one for one in events(server) if one["event"] == "request"]):
            assert time.monotonic() < deadline  # the line is written just after the answer
            time.sleep(0.01)
        request = requests[0]
        assert request.keys() >= {"method", "path", "status", "ms", "client", "request_id"}
        shown = server.log
        server.stop()
        server.start()
        again = server.log.removeprefix(shown)
        assert "sk_" not in again
        assert "bt_" not in again
    finally:
        server.stop()


@pytest.mark.parametrize(
    "text",
    [
        "pk_" + "0a" * 32,
        "sk_" + "0a" * 32,
        "bt_" + "0a" * 32,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "Bearer anything",
    ],
)
def test_secrets_are_masked_wherever_they_stand(text: str) -> None:
    event = {"event": f"before {text} after", "exception": f"Error: {text!r}", "n": 5}
    masked = mask_secrets(None, "", dict(event))
    assert text not in str(masked)
    assert masked["event"].startswith("before ")
    assert masked["n"] == 5


@pytest.mark.parametrize("name", ["password", "Token", "refreshToken", "secret", "Authorization"])
def test_values_of_telltale_names_are_masked(name: str) -> None:
    assert "hunter2" not in str(mask_secrets(None, "", {"event": "x", name: "hunter2"}))
