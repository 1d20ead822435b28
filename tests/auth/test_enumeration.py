"""Sign-in tells nobody whether an address is known; sign-up limits; odd types on every endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.users import email_account, new_user
from bkend.ids import uuid4
from bkend.store import Insert, Update
from tests.auth.answers import OPERATOR, SIGN_IN, SIGN_UP, code
from tests.auth.conftest import PASSWORD, Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "wrong horse"
KINDS = ("known", "unknown", "social", "banned", "second-factor", "unverified")


async def people(api: Api) -> None:
    """One user of each kind that must not be told apart without the password."""
    for kind in ("known", "banned", "second-factor", "unverified"):
        result = await api.sign_up(f"{kind}@example.com")
        changed: dict[str, Any] = {"banned": {"status": "banned"}}.get(kind, {})
        if kind == "second-factor":
            changed = {"mfaEnabled": True}
        if kind != "unverified":
            changed = {**changed, "emailVerified": "2027-01-15T08:00:00.000Z"}
        await api.store.commit([Update(USERS, result["user"]["id"], set=changed)])
    await api.auth.settings.update({"requireEmailVerification": True})
    now, id, address = api.clock.now_ms(), uuid4(), "social@example.com"
    user = new_user(address, "Sol", now, is_verified=True)
    await api.store.commit([Insert(USERS, id, user, now, now), email_account(id, address, now)])


def visible(answer: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    """Everything of an answer but what names the one request."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, answer.json(), headers


# -- enumeration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, {"mfaCode": "123456"}, {"mfaCode": "aaaaaaaa"}])
async def test_wrong_passwords_look_alike(api: Api, extra: dict[str, str]) -> None:
    await people(api)
    answers = []
    for kind in KINDS:
        body = {"email": f"{kind}@example.com", "password": WRONG, **extra}
        answers.append(visible(await api.call("POST", "/email/signin", json=body)))
    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "auth/invalid-credentials"
    assert answers == [answers[0]] * len(KINDS)


async def test_lock_of_an_address_looks_alike(api: Api) -> None:
    await people(api)
    answers = []
    for kind in KINDS:
        body = {"email": f"{kind}@example.com", "password": WRONG}
        for _ in range(5):
            await api.call("POST", "/email/signin", json=body)
        answers.append(visible(await api.call("POST", "/email/signin", json=body)))
    assert answers[0][0] == 429
    assert answers == [answers[0]] * len(KINDS)


# -- ways in that the environment closes ---------------------------------------------------------


async def test_signing_in_by_address_can_be_switched_off(api: Api) -> None:
    await api.sign_up()
    await api.auth.settings.update({"email.enabled": False})
    for path, body in (("signup", {**SIGN_UP, "email": "eve@example.com"}), ("signin", SIGN_IN)):
        refused = await api.call("POST", f"/email/{path}", json=body)
        assert (refused.status_code, code(refused)) == (400, "auth/unsupported-provider")
        malformed = await api.call("POST", f"/email/{path}", json={**body, "email": "nonsense"})
        assert code(malformed) == "auth/invalid-email"


@pytest.mark.parametrize("common", ["password", "PASSWORD", "iloveyou"])
async def test_common_passwords_can_be_refused(api: Api, common: str) -> None:
    body = {**SIGN_UP, "password": common}
    assert (await api.call("POST", "/email/signup", json=body)).status_code == 201
    await api.auth.settings.update({"passwordPolicy.breachCheck": "list"})
    refused = await api.call("POST", "/email/signup", json={**body, "email": "eve@example.com"})
    assert (refused.status_code, code(refused)) == (400, "auth/weak-password")
    signed_in = await api.call("POST", "/email/signin", json={**SIGN_IN, "password": common})
    assert signed_in.status_code == 200  # the policy is not for those who are in already


# -- sign-ups of one network address --------------------------------------------------------------


async def test_sign_ups_of_one_machine_are_free_unless_limited(api: Api) -> None:
    for number in range(11):
        await api.sign_up(f"user{number}@example.com")


async def test_sign_ups_of_one_machine_can_be_limited(api: Api) -> None:
    await api.auth.settings.update({"rateLimits.signUpsPerAddress": 2})
    await api.sign_up("one@example.com")
    invalid = await api.call("POST", "/email/signup", json={**SIGN_UP, "password": "short"})
    assert code(invalid) == "auth/invalid-password-format"  # not counted
    await api.sign_up("two@example.com")
    for _ in range(4):
        refused = await api.call("POST", "/email/signup", json=SIGN_UP)
        assert (refused.status_code, code(refused)) == (429, "auth/too-many-requests")
        assert refused.headers["x-ratelimit-limit"] == "2"
    api.clock.advance(3600)
    await api.sign_up()  # and the address itself was not counted


async def test_header_of_a_stranger_moves_no_limit(api: Api) -> None:
    await api.auth.settings.update({"rateLimits.signUpsPerAddress": 1})
    await api.sign_up("one@example.com")
    for spoofed in ("198.51.100.9", "127.0.0.1, 198.51.100.9", "::1"):
        refused = await api.http.post(
            "/v1/auth/email/signup", json=SIGN_UP, headers={"X-Forwarded-For": spoofed}
        )
        assert code(refused) == "auth/too-many-requests"


# -- odd types ------------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (OPERATOR, {}, [], ["text"], [OPERATOR], 7, 1.5, True)


@pytest_asyncio.fixture(loop_scope="module")
async def openapi(any_api: Api) -> AsyncIterator[dict[str, Any]]:
    yield (await any_api.http.get("/openapi.json")).json()


def bodies_of(schema: dict[str, Any]) -> list[str]:
    """The names of the bodies that an endpoint takes: one, or a choice."""
    choices = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [choice["$ref"].rpartition("/")[2] for choice in choices]


def constants(body: dict[str, Any]) -> dict[str, Any]:
    """What tells a body from the others of its endpoint."""
    described = body["properties"].items()
    return {name: value["const"] for name, value in described if "const" in value}


def text_fields(body: dict[str, Any]) -> list[str]:
    """The properties of a body that are strings, or null."""
    found = []
    for name, described in body["properties"].items():
        kinds = {kind.get("type") for kind in (described, *described.get("anyOf", ()))} - {None}
        if kinds <= {"string", "null"} and (kinds or "const" in described):
            found.append(name)
    return found


async def test_nothing_but_strings_passes_for_a_string(api: Api, openapi: dict[str, Any]) -> None:
    """Every text of every body under `/v1/auth`: no operator, list or number gets through."""
    result = await api.sign_up()
    token = f"Bearer {result['accessToken']}"
    headers = {"Authorization": token, "X-API-Key": api.secret_key}  # may invite as well
    before = await api.store.count(SESSIONS)
    tried = 0
    for path, operations in openapi["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        if not path.startswith("/v1/auth/") or "application/json" not in content:
            continue
        for choice in bodies_of(content["application/json"]["schema"]):
            described = openapi["components"]["schemas"][choice]
            names = text_fields(described)
            assert names, path
            for name in names:
                fitting = dict.fromkeys(names, "text@example.com") | constants(described)
                for odd in ODD:
                    body = fitting | {name: odd}
                    answer = await api.http.post(path, json=body, headers=headers)
                    assert answer.status_code == 400, (path, body, answer.text)
                    tried += 1
    assert tried >= 50 * len(ODD)
    assert await api.store.count(SESSIONS) == before


@pytest.mark.parametrize(
    "body", [{}, [], None, "text", 7, {"email": ""}, {"email": "", "password": ""}]
)
async def test_empty_and_partial_credentials_open_nothing(api: Api, body: Any) -> None:
    await api.sign_up()
    before = await api.store.count(SESSIONS)
    for path in ("/email/signup", "/email/signin", "/refresh"):
        answer = await api.call("POST", path, content=orjson.dumps(body))
        assert answer.status_code == 400
    assert await api.store.count(SESSIONS) == before


async def test_empty_password_of_a_user_without_one_opens_nothing(api: Api) -> None:
    result = await api.sign_up()
    for stored in (None, ""):
        change = Update(USERS, result["user"]["id"], set={"passwordHash": stored})
        await api.store.commit([change])
        for password in ("", "null", PASSWORD):
            body = {**SIGN_IN, "password": password}
            answer = await api.call("POST", "/email/signin", json=body)
            assert answer.status_code in (401, 429)


async def test_openapi_types_every_answer_of_the_second_factor(openapi: dict[str, Any]) -> None:
    for name in ("enable", "confirm", "disable"):
        answers = openapi["paths"][f"/v1/auth/mfa/{name}"]["post"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]
        assert schema["$ref"].startswith("#/components/schemas/")
        assert {"400", "401", "429"} <= answers.keys()
