"""API keys on the wire (20 §1.3, 21 §6.1, 10 §1)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.answers import ok, refusal
from tests.backdoor import make_key, set_environment
from tests.servers import RunningServer

FIXED = "/v1/auth/me"
DATA = "/v1/data/posts"


def test_missing_key(bare: httpx.Client) -> None:
    for headers in ({}, {"X-API-Key": ""}):
        refusal(bare.get(DATA, headers=headers), 400, "data/invalid-header", "X-API-Key")
        refusal(bare.get("/v1/posts/x", headers=headers), 400, "data/invalid-header")
        refusal(bare.get(FIXED, headers=headers), 401, "auth/unauthorized", "X-API-Key")


@pytest.mark.parametrize(
    "key",
    [
        *("x", "pk_", "sk_" + "0" * 63, "pk_" + "0" * 65, "PK_" + "0" * 64, "pk_" + "G" * 64),
        *("pk_" + "A" * 64, "xk_" + "0" * 64, "0" * 64, "pk_" + "0" * 64, "sk_" + "0" * 64),
        *("x" * 10_000, "pk_' OR 1=1 --", "*", "null", '{"$ne":null}'),
    ],
    ids=lambda key: key[:16],
)
def test_malformed_and_unknown_keys(bare: httpx.Client, key: str) -> None:
    for path in (DATA, FIXED):
        refusal(bare.get(path, headers={"X-API-Key": key}), 401, "auth/invalid-token")


def test_keys_are_compared_exactly(server: RunningServer, bare: httpx.Client) -> None:
    for key in (server.key.upper(), server.key + "0", server.key[:-1], "sk" + server.key[2:]):
        refusal(bare.get(DATA, headers={"X-API-Key": key}), 401, "auth/invalid-token")


def test_management_token_is_no_api_key(server: RunningServer, bare: httpx.Client) -> None:
    headers = {"X-API-Key": server.made["managementToken"]}
    refusal(bare.get(DATA, headers=headers), 401, "auth/invalid-token")


def test_key_in_another_place_is_no_key(server: RunningServer, bare: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {server.secret}"}
    refusal(bare.get(f"{DATA}?apikey={server.secret}", headers=headers), 400, "data/invalid-header")


def test_revoked_and_expired_keys(server: RunningServer, bare: httpx.Client) -> None:
    revoked = make_key(server, revoked=True)["key"]
    old = make_key(server, "publishable", expires_at="2020-01-01T00:00:00Z")["key"]
    future = make_key(server, "publishable", expires_at="2999-01-01T00:00:00Z")["key"]
    for path in (DATA, FIXED):
        refusal(bare.get(path, headers={"X-API-Key": revoked}), 401, "auth/token-revoked")
        refusal(bare.get(path, headers={"X-API-Key": old}), 401, "auth/token-expired")
    ok(bare.get(DATA, headers={"X-API-Key": future}))


def test_key_revoked_by_the_command_line_is_refused_on_the_next_request(
    server: RunningServer,
) -> None:
    made = json.loads(
        server.bkend(
            *("keys", "create", "--project", "app", "--env", "dev", "--type", "publishable"),
            *("--name", "short-lived", "--json"),
        ).stdout
    )
    with server.client(made["key"]) as client:
        ok(client.get(DATA))
        server.bkend("keys", "revoke", made["id"])
        refusal(client.get(DATA), 401, "auth/token-revoked")


def test_table_applied_while_serving_is_seen_on_the_next_request(server: RunningServer) -> None:
    table = "version: 1\ntables:\n  late:\n    fields: {{name: {{type: string}}}}\n    {}"
    with server.client() as client, server.client(server.secret) as admin:
        refusal(client.get("/v1/data/late"), 404, "data/table-not-found")
        server.apply(table.format("permissions: {guest: {create: true, list: true}}"))
        assert ok(client.get("/v1/data/late"))["items"] == []
        ok(client.post("/v1/data/late", json={"name": "x"}), 201)
        server.apply(table.format("permissions: {}"))
        refusal(client.get("/v1/data/late"), 403, "data/permission-denied")
        ok(admin.get("/v1/data/late"))


def test_environment_that_is_not_active(server: RunningServer) -> None:
    server.bkend("init", "--env", "sleeping")
    key = make_key(server, "publishable", environment="sleeping")["key"]
    with server.client(key) as client:
        refusal(client.get(DATA), 404, "data/table-not-found")
        set_environment(server, "sleeping", status="suspended")
        refusal(client.get(DATA), 403, "environment/not-active")
        set_environment(server, "sleeping", status="active")
        refusal(client.get(DATA), 404, "data/table-not-found")


def test_environments_share_nothing(server: RunningServer) -> None:
    server.bkend("init", "--env", "apart")
    with server.client(make_key(server, environment="apart")["key"]) as client:
        refusal(client.get(DATA), 404, "data/table-not-found")


CREATE, READ, LIST = ("POST", "plain"), ("GET", "plain/none"), ("GET", "plain")
UPDATE, DELETE = ("PATCH", "plain/none"), ("DELETE", "plain/none")
ALL = {CREATE, READ, LIST, UPDATE, DELETE}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ((), ALL),
        (("*:*",), ALL),
        (("plain:*",), ALL),
        (("plain:read",), {READ, LIST}),
        (("plain:list",), {LIST}),
        (("*:read",), {READ, LIST}),
        (("plain:create", "plain:delete"), {CREATE, DELETE}),
        (("plain:update",), {UPDATE}),
        (("posts:*",), set()),
        (("Plain:*",), set()),
        (("plai:*", "plain-x:*"), set()),
    ],
)
def test_scopes_bind_even_secret_keys(
    server: RunningServer, scopes: tuple[str, ...], allowed: set[Any]
) -> None:
    with server.client(make_key(server, scopes=scopes)["key"]) as client:
        for method, path in ALL:
            answer = client.request(
                method, f"/v1/data/{path}", json={} if method in ("POST", "PATCH") else None
            )
            if (method, path) in allowed:
                assert answer.status_code in (200, 201, 404), answer.text
            else:
                refusal(answer, 403, "data/scope-insufficient", "plain:")


def test_scopes_bind_with_a_signed_in_user_too(server: RunningServer) -> None:
    token = server.sign_up("scoped@keys.example")["accessToken"]
    key = make_key(server, "publishable", scopes=("posts:read",))["key"]
    with server.client(key, token) as client:
        ok(client.get(DATA))
        refusal(client.post(DATA, json={"title": "x"}), 403, "data/scope-insufficient")
