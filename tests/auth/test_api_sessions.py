"""`/v1/auth`: sessions and the change of a password."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store.documents import format_time
from tests.auth.answers import OPERATOR, code
from tests.auth.conftest import PASSWORD, Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
