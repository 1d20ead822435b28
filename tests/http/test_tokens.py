"""User tokens on the data paths (20 §1.2, §1.3, §12 item 14)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import httpx
import jwt
import pytest

from tests.answers import ok, refusal
from tests.backdoor import expired, make_key, resigned, set_role, set_user
from tests.servers import RunningServer

DATA = "/v1/data/posts"


@pytest.fixture(scope="module")
def user(server: RunningServer) -> Any:
    """The answer of a sign-up."""
    return server.sign_up("user@tokens.example")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_expired_token_is_never_downgraded_to_guest(
    server: RunningServer, anonymous: httpx.Client, user: Any
) -> None:
    ok(anonymous.get(DATA))
    old = expired(server, user["accessToken"])
    for path in (DATA, "/v1/posts/x", "/v1/data/notes", "/v1/data/nothing", "/v1/auth/me"):
        refusal(anonymous.get(path, headers=bearer(old)), 401, "auth/token-expired")


@pytest.mark.parametrize(
    "token",
    ["x", "x.y.z", "undefined", "null", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "bt_" + "0" * 64],
)
def test_malformed_tokens_are_refused(anonymous: httpx.Client, token: str) -> None:
    for path in (DATA, "/v1/auth/me"):
        refusal(anonymous.get(path, headers=bearer(token)), 401, "auth/invalid-token")


@pytest.mark.parametrize(
    "header",
    ["[" * 2500, '{"a":' * 500, "[]", "5", '{"alg":[]}', '{"alg":"HS256","crit":["b64"]}'],
    ids=lambda header: header[:12],
)
def test_odd_token_headers_are_refused(anonymous: httpx.Client, header: str) -> None:
    encoded = urlsafe_b64encode(header.encode()).decode().rstrip("=")
    answer = anonymous.get(DATA, headers=bearer(f"{encoded}.e30.AAAA"))
    refusal(answer, 401, "auth/invalid-token")


def test_tampered_tokens_are_refused(
    server: RunningServer, anonymous: httpx.Client, user: Any
) -> None:
    token: str = user["accessToken"]
    head, body, mark = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = [
        f"{head}.{body}.{mark[:-2]}xx",
        f"{head}.{body[:-2]}xx.{mark}",
        jwt.encode(claims, "another secret that is long enough", algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        user["refreshToken"],
        resigned(server, token, typ="refresh"),
        resigned(server, token, iss="else"),
        resigned(server, token, sid="00000000-0000-0000-0000-000000000000"),
        resigned(server, token, sub="somebody else"),
        resigned(server, token, sub=5),
        resigned(server, token, sub={"$ne": None}),
        resigned(server, token, exp="soon"),
        resigned(server, token, exp=None),
    ]
    for token in forged:
        refusal(anonymous.get(DATA, headers=bearer(token)), 401, "auth/invalid-token")


def test_token_of_another_environment(server: RunningServer, user: Any) -> None:
    server.bkend("init", "--env", "elsewhere")
    key = make_key(server, "publishable", environment="elsewhere")["key"]
    with server.client(key, user["accessToken"]) as client:
        refusal(client.get(DATA), 403, "data/project-access-denied")
        refusal(client.get("/v1/posts/x"), 403, "data/project-access-denied")
        refusal(client.get("/v1/auth/me"), 401, "auth/invalid-token")
    other = resigned(server, user["accessToken"], pid="another-project")
    with server.client(token=other) as client:
        refusal(client.get(DATA), 403, "data/project-access-denied")
        refusal(client.get("/v1/auth/me"), 401, "auth/invalid-token")


def test_api_key_as_bearer_counts_as_no_token(server: RunningServer) -> None:
    for key in (server.key, server.secret, "pk_x", "sk_"):
        with server.client(token=key) as client:
            ok(client.get(DATA))
            refusal(client.post(DATA, json={"title": "x"}), 403, "data/permission-denied")
            refusal(client.get("/v1/auth/me"), 401, "auth/unauthorized")


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_bearer_is_written_in_any_case(anonymous: httpx.Client, user: Any, form: str) -> None:
    headers = {"Authorization": form.format(user["accessToken"])}
    assert ok(anonymous.get("/v1/auth/me", headers=headers))["id"] == user["user"]["id"]
    ok(anonymous.post(DATA, json={"title": "x"}, headers=headers), 201)


def test_sign_out_acts_on_the_next_request(server: RunningServer) -> None:
    user = server.sign_up("leaving@tokens.example")
    with server.client(token=user["accessToken"]) as client:
        ok(client.post(DATA, json={"title": "x"}), 201)
        ok(client.post("/v1/auth/signout"))
        refusal(client.get(DATA), 401, "auth/invalid-token")
        refusal(client.post(DATA, json={"title": "x"}), 401, "auth/invalid-token")


def test_role_and_ban_act_on_the_next_request(server: RunningServer) -> None:
    user = server.sign_up("demoted@tokens.example")
    with server.client(token=user["accessToken"]) as client:
        ok(client.post(DATA, json={"title": "x"}), 201)
        set_role(server, user["user"]["id"], "guest")
        refusal(client.post(DATA, json={"title": "x"}), 403, "data/permission-denied")
        set_role(server, user["user"]["id"], "admin")
        ok(client.post("/v1/data/plain", json={}), 201)
        set_user(server, user["user"]["id"], status="banned")
        refusal(client.get(DATA), 401, "auth/invalid-token")
