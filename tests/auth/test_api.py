from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import jwt
import pytest
from structlog.testing import capture_logs

from bkend.auth.collections import USERS
from bkend.store import Delete, Update
from bkend.store.documents import format_time
from tests.auth.conftest import PASSWORD, Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUTH_USER = {
    "id",
    "email",
    "name",
    "role",
    "nickname",
    "image",
    "emailVerified",
    "onboardingStatus",
    "mfaEnabled",
    "createdAt",
    "updatedAt",
}
SESSION = {
    "id",
    "userId",
    "userAgent",
    "ipAddress",
    "deviceInfo",
    "lastActivityAt",
    "createdAt",
    "expiresAt",
    "current",
    "device",
    "ip",
    "lastAccessedAt",
}
SIGN_UP = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}


def code(answer: httpx.Response) -> str:
    """The code of a refusal, after looking at its whole body."""
    body = answer.json()
    assert body["success"] is False
    assert body["statusCode"] == answer.status_code
    assert (body["code"], body["message"]) == (body["error"]["code"], body["error"]["message"])
    found: str = body["code"]
    return found


# -- shapes ---------------------------------------------------------------------------------------


async def test_sign_up_answers_201_with_tokens_and_user(api: Api) -> None:
    answer = await api.call("POST", "/email/signup", json=SIGN_UP)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert (body["tokenType"], body["expiresIn"]) == ("Bearer", 3600)
    assert set(body["user"]) == AUTH_USER
    assert body["user"]["emailVerified"] is None
    assert body["user"]["mfaEnabled"] is False


async def test_sign_in_me_and_sign_up_show_the_same_user(api: Api) -> None:
    up = await api.sign_up()
    into = await api.sign_in()
    me = (await api.call("GET", "/me", into)).json()
    assert up["user"] == into["user"] == me


async def test_access_token_claims_name_project_environment_and_role(api: Api) -> None:
    claims = jwt.decode((await api.sign_up())["accessToken"], options={"verify_signature": False})
    assert (claims["typ"], claims["env"], claims["role"]) == ("access", api.environment, "user")
    assert claims["exp"] - claims["iat"] == 3600


async def test_refresh_answers_with_a_bare_pair(api: Api) -> None:
    result = await api.sign_up()
    body = {"refreshToken": result["refreshToken"]}
    answer = await api.call("POST", "/refresh", json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "refreshToken", "tokenType", "expiresIn"}


async def test_session_list_has_every_field_under_both_names(api: Api) -> None:
    result = await api.sign_up()
    await api.sign_in()
    answer = await api.call("GET", "/sessions", result)
    body = answer.json()
    assert set(body) == {"items", "pagination"}
    for item in body["items"]:
        assert set(item) == SESSION
        assert item["device"] == item["deviceInfo"] == "Python"
        assert item["ip"] == item["ipAddress"] == "203.0.113.7"
        assert item["lastAccessedAt"] == item["lastActivityAt"]
    assert sorted(item["current"] for item in body["items"]) == [False, True]
    assert body["pagination"] == {
        "total": 2,
        "page": 1,
        "limit": 10,
        "totalPages": 1,
        "hasNext": False,
        "hasPrev": False,
        "hasNextPage": False,
        "hasPrevPage": False,
    }


# -- malformed bodies -----------------------------------------------------------------------------

OPERATOR = {"$ne": None}


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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/email/signup",
            {"method": "magiclink", "email": "a@b.co", "callbackUrl": "https://b.co"},
        ),
        (
            "/email/signin",
            {"method": "magiclink", "email": "a@b.co", "callbackUrl": "https://b.co"},
        ),
    ],
)
async def test_magic_links_are_not_available(any_api: Api, path: str, body: dict[str, Any]) -> None:
    answer = await any_api.call("POST", path, json=body)
    assert answer.status_code == 400
    assert code(answer) == "auth/magiclink-disabled"


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


# -- keys and tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me"),
        ("GET", "/sessions"),
        ("DELETE", "/sessions/00000000-0000-4000-8000-000000000000"),
        ("POST", "/signout"),
        ("POST", "/password/change"),
    ],
)
@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "auth/unauthorized"),
        ("", "auth/unauthorized"),
        ("Bearer ", "auth/unauthorized"),
        ("Bearer pk_" + "0" * 64, "auth/unauthorized"),
        ("Bearer sk_" + "0" * 64, "auth/unauthorized"),
        ("Basic YTpi", "auth/unauthorized"),
        ("Bearer nonsense", "auth/invalid-token"),
        ("Bearer a.b.c", "auth/invalid-token"),
    ],
)
async def test_calls_about_the_caller_need_a_user_token(
    any_api: Api, method: str, path: str, authorization: str | None, expected: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await any_api.http.request(method, f"/v1/auth{path}", headers=headers)
    assert answer.status_code == 401
    assert code(answer) == expected


async def test_secret_key_alone_is_nobody(any_api: Api) -> None:
    answer = await any_api.http.get("/v1/auth/me", headers={"X-API-Key": any_api.secret_key})
    assert code(answer) == "auth/unauthorized"


async def test_refresh_token_opens_nothing(api: Api) -> None:
    result = await api.sign_up()
    answer = await api.call("GET", "/me", {"accessToken": result["refreshToken"]})
    assert code(answer) == "auth/invalid-token"


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin", "/refresh"])
async def test_calls_without_login_ignore_the_authorization_header(api: Api, path: str) -> None:
    result = await api.sign_up()
    body = {**SIGN_UP, "email": "eve@example.com"} if path == "/email/signup" else SIGN_IN
    if path == "/refresh":
        body = {"refreshToken": result["refreshToken"]}
    for stale in ("stale.access.token", f"pk_{'0' * 64}"):
        answer = await api.call("POST", path, {"accessToken": stale}, json=body)
        assert answer.is_success or code(answer) == "auth/email-already-exists"


async def test_expired_access_token_is_told_apart(api: Api) -> None:
    result = await api.sign_up()
    api.clock.advance(3600)
    assert code(await api.call("GET", "/me", result)) == "auth/token-expired"


async def test_token_and_address_of_another_environment_mean_nothing(api: Api) -> None:
    result = await api.sign_up()
    _, key, _ = await api.served.new_environment()
    headers = {"X-API-Key": key}
    token = {"Authorization": f"Bearer {result['accessToken']}"}
    answer = await api.http.get("/v1/auth/me", headers={**headers, **token})
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-token")
    body = {"refreshToken": result["refreshToken"]}
    answer = await api.http.post("/v1/auth/refresh", json=body, headers=headers)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-refresh-token")
    answer = await api.http.post("/v1/auth/email/signin", json=SIGN_IN, headers=headers)
    assert code(answer) == "auth/invalid-credentials"
    answer = await api.http.post("/v1/auth/email/signup", json=SIGN_UP, headers=headers)
    assert answer.status_code == 201
    assert answer.json()["user"]["id"] != result["user"]["id"]
    assert (await api.call("GET", "/me", result)).status_code == 200


async def test_me_of_a_vanished_user_is_404(api: Api) -> None:
    result = await api.sign_up()
    await api.store.commit([Delete(USERS, result["user"]["id"])])
    answer = await api.call("GET", "/me", result)
    assert (answer.status_code, code(answer)) == (404, "auth/user-not-found")
    assert code(await api.call("GET", "/sessions", result)) == "auth/invalid-token"


async def test_ban_acts_on_the_next_call(api: Api) -> None:
    result = await api.sign_up()
    await api.store.commit([Update(USERS, result["user"]["id"], set={"status": "banned"})])
    assert code(await api.call("GET", "/me", result)) == "auth/invalid-token"
    answer = await api.call("POST", "/email/signin", json=SIGN_IN)
    assert (answer.status_code, code(answer)) == (403, "auth/account-banned")


# -- refusals -------------------------------------------------------------------------------------


async def test_unknown_address_and_wrong_password_answer_byte_for_byte_alike(api: Api) -> None:
    await api.sign_up()
    bodies = [
        (await api.call("POST", "/email/signin", json={**SIGN_IN, **change})).content
        for change in ({"password": "wrong horse"}, {"email": "unknown@example.com"})
    ]
    assert bodies[0] == bodies[1]
    assert b"auth/invalid-credentials" in bodies[0]


@pytest.mark.parametrize(
    "body", [{**SIGN_IN, "password": ""}, {"email": "unknown@example.com", "password": ""}]
)
async def test_empty_password_opens_nothing(api: Api, body: dict[str, Any]) -> None:
    await api.sign_up()
    answer = await api.call("POST", "/email/signin", json=body)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-credentials")


async def test_taken_address_is_409(api: Api) -> None:
    await api.sign_up()
    answer = await api.call("POST", "/email/signup", json={**SIGN_UP, "email": "ADA@example.com"})
    assert (answer.status_code, code(answer)) == (409, "auth/email-already-exists")
    assert "already exists" in answer.json()["message"]


async def test_locked_address_is_429_with_the_time_to_wait(api: Api) -> None:
    await api.sign_up()
    wrong = {**SIGN_IN, "password": "wrong horse"}
    for _ in range(5):
        assert (await api.call("POST", "/email/signin", json=wrong)).status_code == 401
    answer = await api.call("POST", "/email/signin", json=SIGN_IN)
    assert (answer.status_code, code(answer)) == (429, "auth/too-many-login-attempts")
    assert "429" in answer.json()["message"]
    assert answer.headers["retry-after"] == "900"
    assert answer.headers["x-ratelimit-limit"] == "5"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert len(answer.headers.get_list("x-ratelimit-limit")) == 1


async def test_50_parallel_sign_ups_over_http_make_one_user(api: Api) -> None:
    answers = await asyncio.gather(
        *(api.call("POST", "/email/signup", json=SIGN_UP) for _ in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 2, 429: 47}


async def test_parallel_refreshes_over_http_give_one_refresh_token(api: Api) -> None:
    body = {"refreshToken": (await api.sign_up())["refreshToken"]}
    answers = await asyncio.gather(*(api.call("POST", "/refresh", json=body) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("wait", "status", "expected"),
    [(0, 200, None), (11, 401, "auth/invalid-refresh-token")],
)
async def test_used_refresh_token_is_good_for_ten_seconds(
    api: Api, wait: int, status: int, expected: str | None
) -> None:
    body = {"refreshToken": (await api.sign_up())["refreshToken"]}
    await api.call("POST", "/refresh", json=body)
    api.clock.advance(wait)
    answer = await api.call("POST", "/refresh", json=body)
    assert answer.status_code == status
    assert expected is None or code(answer) == expected


# -- sessions -------------------------------------------------------------------------------------


async def test_sign_out_ends_this_session_only(api: Api) -> None:
    here, there = await api.sign_up(), await api.sign_in()
    answer = await api.call("POST", "/signout", here)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert code(await api.call("POST", "/signout", here)) == "auth/invalid-token"
    assert code(await api.call("GET", "/me", here)) == "auth/invalid-token"
    assert (await api.call("GET", "/me", there)).status_code == 200


async def test_deleting_the_current_session_signs_out(api: Api) -> None:
    result = await api.sign_up()
    [item] = (await api.call("GET", "/sessions", result)).json()["items"]
    answer = await api.call("DELETE", f"/sessions/{item['id']}", result)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert code(await api.call("GET", "/me", result)) == "auth/invalid-token"


async def test_session_of_another_user_is_404(api: Api) -> None:
    ada, eve = await api.sign_up(), await api.sign_up("eve@example.com")
    [item] = (await api.call("GET", "/sessions", ada)).json()["items"]
    answer = await api.call("DELETE", f"/sessions/{item['id']}", eve)
    assert (answer.status_code, code(answer)) == (404, "auth/session-not-found")
    assert (await api.call("GET", "/me", ada)).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/signout"), ("DELETE", "/sessions/{id}")])
@pytest.mark.parametrize("content", [b"", b"{}", b"{"])
async def test_calls_without_a_body_work_with_a_json_content_type(
    api: Api, method: str, path: str, content: bytes
) -> None:
    result = await api.sign_up()
    [item] = (await api.call("GET", "/sessions", result)).json()["items"]
    headers = {
        "Authorization": f"Bearer {result['accessToken']}",
        "Content-Type": "application/json",
    }
    url = f"/v1/auth{path.format(id=item['id'])}"
    answer = await api.http.request(method, url, headers=headers, content=content)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "limit"), [("", 10), ("?limit=2", 2), ("?limit=100", 100), ("?limit=5000", 100)]
)
async def test_page_size_is_clamped_above_100(api: Api, query: str, limit: int) -> None:
    answer = await api.call("GET", f"/sessions{query}", await api.sign_up())
    assert answer.status_code == 200
    assert answer.json()["pagination"]["limit"] == limit


async def test_page_or_limit_that_is_no_positive_number_is_refused(api: Api) -> None:
    result = await api.sign_up()
    for name in ("page", "limit"):
        for value in ("0", "-1", "1.5", "1.0", "x", "", "1e2", "+1", " 1", "٣", "1_0", "9" * 99):
            answer = await api.call("GET", "/sessions", result, params={name: value})
            assert (answer.status_code, code(answer)) == (400, "auth/invalid-request"), value
            assert answer.json()["error"]["details"][0]["field"] == name


async def test_page_past_the_end_is_empty(api: Api) -> None:
    result = await api.sign_up()
    answer = await api.call("GET", "/sessions?page=999999999999&limit=100", result)
    assert answer.status_code == 200
    assert answer.json()["items"] == []


async def test_use_of_a_session_shows_in_the_list(api: Api) -> None:
    result = await api.sign_up()
    api.clock.advance(61)
    await api.call("GET", "/me", result)
    [item] = (await api.call("GET", "/sessions", result)).json()["items"]
    assert item["lastActivityAt"] == format_time(api.clock.now)


# -- password change ------------------------------------------------------------------------------


async def test_password_change_signs_out_everywhere(api: Api) -> None:
    result = await api.sign_up()
    body = {"currentPassword": PASSWORD, "newPassword": "battery staple"}
    answer = await api.call("POST", "/password/change", result, json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert code(await api.call("GET", "/me", result)) == "auth/invalid-token"
    await api.sign_in(password="battery staple")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 400, "auth/invalid-request"),
        ({"currentPassword": OPERATOR, "newPassword": "x"}, 400, "auth/invalid-request"),
        ({"currentPassword": "wrong", "newPassword": "x"}, 401, "auth/invalid-password"),
        ({"currentPassword": PASSWORD, "newPassword": "x"}, 400, "auth/invalid-password-format"),
        (
            {"currentPassword": PASSWORD, "newPassword": PASSWORD},
            400,
            "auth/same-as-previous-password",
        ),
    ],
)
async def test_refused_password_change_says_why(
    api: Api, body: dict[str, Any], status: int, expected: str
) -> None:
    result = await api.sign_up()
    answer = await api.call("POST", "/password/change", result, json=body)
    assert (answer.status_code, code(answer)) == (status, expected)
    assert (await api.call("GET", "/me", result)).status_code == 200


# -- secrets --------------------------------------------------------------------------------------


async def test_no_hash_digest_or_password_leaves_the_server(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[httpx.Response] = []
    change = {"currentPassword": PASSWORD, "newPassword": "short"}
    with capture_logs() as logs:
        answers.append(await api.call("POST", "/email/signup", json=SIGN_UP))
        result = answers[0].json()
        answers.append(await api.call("POST", "/email/signup", json=SIGN_UP))
        answers.append(await api.call("POST", "/email/signin", json=SIGN_IN))
        answers.append(await api.call("POST", "/email/signin", json={**SIGN_IN, "email": 1}))
        answers.append(await api.call("GET", "/me", result))
        answers.append(await api.call("GET", "/sessions", result))
        answers.append(await api.call("POST", "/password/change", result, json=change))
        body = {"refreshToken": result["refreshToken"]}
        answers.append(await api.call("POST", "/refresh", json=body))
        api.clock.advance(11)
        answers.append(await api.call("POST", "/refresh", json=body))

        async def fail(*_: Any) -> None:
            raise RuntimeError("something unexpected")

        monkeypatch.setattr(api.auth._store, "find", fail)
        answers.append(await api.call("POST", "/email/signin", json=SIGN_IN))
    assert answers[-1].status_code == 500
    assert "unexpected" not in answers[-1].text
    for text in (*(answer.text for answer in answers), str(logs)):
        assert PASSWORD not in text
        for name in ("argon2", "passwordHash", "passwordChangedAt", "emailKey", "Digest"):
            assert name not in text
    assert result["refreshToken"] not in str(logs)
    assert [entry["event"] for entry in logs] == ["refresh token replayed", "request failed"]


async def test_auth_never_answers_405_without_naming_the_method(api: Api) -> None:
    answer = await api.http.get("/v1/auth/email/signin")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
