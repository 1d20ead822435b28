"""In which order `/v1/auth` asks: the key, who calls, may they, the body (10 §1)."""

from __future__ import annotations

import pytest

from tests.auth.answers import code
from tests.auth.conftest import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNED_IN = [
    ("POST", "/password/change"),
    ("POST", "/switch-organization"),
    ("POST", "/mfa/enable"),
    ("POST", "/mfa/confirm"),
    ("POST", "/mfa/disable"),
    ("POST", "/accounts"),
    ("POST", "/signout"),
    ("POST", "/invitations"),
]
BODIES = [b"{", b"", b"[]", b"null", b'"text"', b"{}", b"\xff"]


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
@pytest.mark.parametrize("body", BODIES)
async def test_who_calls_is_asked_before_the_body(
    any_api: Api, method: str, path: str, body: bytes
) -> None:
    for headers, expected in (
        ({}, "auth/unauthorized"),
        ({"Authorization": "Bearer nonsense"}, "auth/invalid-token"),
        ({"Authorization": f"Bearer {any_api.secret_key}"}, "auth/unauthorized"),
    ):
        answer = await any_api.http.request(
            method, f"/v1/auth{path}", content=body, headers=headers
        )
        assert (answer.status_code, code(answer)) == (401, expected)


@pytest.mark.parametrize("body", [*BODIES, b'{"resourceType":"team"}'])
async def test_who_may_invite_is_asked_before_the_body(api: Api, body: bytes) -> None:
    answer = await api.call("POST", "/invitations", await api.sign_up(), content=body)
    assert (answer.status_code, code(answer)) == (403, "auth/forbidden")
    admin = {"X-API-Key": api.secret_key}
    answer = await api.http.post("/v1/auth/invitations", content=body, headers=admin)
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")


@pytest.mark.parametrize("body", BODIES)
async def test_malformed_bodies_of_the_signed_in_are_refused_as_before(
    api: Api, body: bytes
) -> None:
    answer = await api.call("POST", "/password/change", await api.sign_up(), content=body)
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    assert answer.json()["error"]["details"]
