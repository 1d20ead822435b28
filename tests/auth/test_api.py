"""`/v1/auth`: shapes, keys and tokens, refusals, secrets."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import jwt
import pytest
from structlog.testing import capture_logs

from bkend.auth.collections import USERS
from bkend.store import Delete, Update
from tests.auth.answers import AUTH_USER, SESSION, SIGN_IN, SIGN_UP, code
from tests.auth.conftest import PASSWORD, Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
