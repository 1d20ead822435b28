"""`/v1/auth`: bodies, well formed and not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.auth.answers import OPERATOR, SIGN_IN, SIGN_UP, code
from tests.auth.conftest import PASSWORD, Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


# -- malformed bodies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/email/signup", {**SIGN_UP, "email": None}, "email"),
        ("/email/signup", {"password": PASSWORD, "name": "Ada"}, "email"),
        ("/email/signup", {"email": "ada@example.com", "name": "Ada"}, "password"),
        ("/email/signup", {"email": "ada@example.com", "password": PASSWORD}, "name"),
        ("/email/signup", {**SIGN_UP, "email": OPERATOR}, "email"),
        ("/email/signup", {**SIGN_UP, "password": OPERATOR}, "password"),
        ("/email/signup", {**SIGN_UP, "password": 12345678}, "password"),
        ("/email/signup", {**SIGN_UP, "name": "  "}, "name"),
        ("/email/signup", {**SIGN_UP, "name": "x" * 101}, "name"),
        ("/email/signup", {**SIGN_UP, "name": "Ada\x00"}, "name"),
        ("/email/signup", {**SIGN_UP, "name": ["Ada"]}, "name"),
        ("/email/signup", {**SIGN_UP, "method": "carrier-pigeon"}, "method"),
        ("/email/signup", {**SIGN_UP, "method": OPERATOR}, "method"),
        ("/email/signin", {"email": OPERATOR, "password": OPERATOR}, "email"),
        ("/email/signin", {**SIGN_IN, "password": OPERATOR}, "password"),
        ("/email/signin", {**SIGN_IN, "password": [PASSWORD]}, "password"),
        ("/email/signin", {**SIGN_IN, "password": None}, "password"),
        ("/email/signin", {**SIGN_IN, "password": True}, "password"),
        ("/email/signin", {"password": PASSWORD}, "email"),
        ("/email/signin", {"email": "ada@example.com"}, "password"),
        ("/email/signin", {**SIGN_IN, "method": "other"}, "method"),
        ("/refresh", {}, "refreshToken"),
        ("/refresh", {"refreshToken": None}, "refreshToken"),
        ("/refresh", {"refreshToken": OPERATOR}, "refreshToken"),
        ("/refresh", {"refreshToken": 7}, "refreshToken"),
    ],
)
async def test_missing_or_wrong_field_is_named(
    any_api: Api, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await any_api.call("POST", path, json=body)
    assert answer.status_code == 400
    assert code(answer) == "auth/invalid-request"
    details = answer.json()["error"]["details"]
    assert details[0]["field"] == field
    assert field in details[0]["message"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"NaN",
        b"[" * 100_000,
        b'{"email":"\xff"}',
        b'{"email":"\\ud800","password":"\\ud800","name":"\\ud800","refreshToken":"\\ud800"}',
    ],
    ids=lambda content: str(content[:12]),
)
@pytest.mark.parametrize("path", ["/email/signup", "/email/signin", "/refresh"])
async def test_body_that_is_no_object_is_malformed(any_api: Api, path: str, content: bytes) -> None:
    answer = await any_api.call("POST", path, content=content)
    assert answer.status_code == 400
    assert code(answer) == "auth/invalid-request"


async def test_body_over_its_limit_is_413(any_api: Api) -> None:
    body = {**SIGN_UP, "padding": "x" * (10 * 1024 * 1024)}
    answer = await any_api.call("POST", "/email/signup", json=body)
    assert (answer.status_code, code(answer)) == (413, "common/payload-too-large")


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_json_is_read_whatever_its_declared_type(api: Api, type: str) -> None:
    headers = {"Content-Type": type} if type else {}
    answer = await api.http.post(
        "/v1/auth/email/signup", content=json.dumps(SIGN_UP), headers=headers
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin"])
@pytest.mark.parametrize("email", ["", "ada", "ada@example", "x" * 250 + "@example.com"])
async def test_malformed_address_has_its_own_code(any_api: Api, path: str, email: str) -> None:
    answer = await any_api.call("POST", path, json={**SIGN_UP, "email": email})
    assert answer.status_code == 400
    assert code(answer) == "auth/invalid-email"


async def test_short_password_names_the_rule(api: Api) -> None:
    answer = await api.call("POST", "/email/signup", json={**SIGN_UP, "password": "short"})
    assert answer.status_code == 400
    assert code(answer) == "auth/invalid-password-format"
    [detail] = answer.json()["error"]["details"]
    assert (detail["field"], detail["rule"]) == ("password", "minLength")


async def test_display_name_is_taken_for_the_name(api: Api) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD, "displayName": " Ada "}
    answer = await api.call("POST", "/email/signup", json=body)
    assert answer.json()["user"]["name"] == "Ada"


async def test_server_fields_in_a_sign_up_are_ignored(api: Api) -> None:
    stamp = "2020-01-01T00:00:00.000Z"
    result = await api.sign_up(
        id="00000000-0000-4000-8000-000000000000",
        role="admin",
        emailVerified=stamp,
        createdAt=stamp,
        createdBy="somebody",
        status="banned",
        mfaEnabled=True,
        passwordHash="$argon2id$",
        emailKey="eve@example.com",
        isPublic=True,
    )
    user = result["user"]
    assert user["id"] != "00000000-0000-4000-8000-000000000000"
    assert (user["role"], user["emailVerified"], user["mfaEnabled"]) == ("user", None, False)
    assert user["createdAt"] != stamp
    await api.sign_in()
