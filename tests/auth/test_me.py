"""`GET /v1/auth/me` is answered from memory and still says what is true now (10 §1, §10)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bkend.auth.collections import SESSIONS, USERS
from bkend.store import Delete, Equals, Find, Update
from bkend.store.documents import decode
from tests.auth.answers import code
from tests.auth.conftest import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def asked_twice(api: Api, result: Any) -> httpx.Response:
    """The second answer, which needs nothing from the database."""
    first = await api.call("GET", "/me", result)
    second = await api.call("GET", "/me", result)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    kept = {"content-type", "cache-control", "content-length"}
    assert {n: first.headers[n] for n in kept} == {n: second.headers[n] for n in kept}
    return second


async def change(api: Api, result: Any, **fields: Any) -> None:
    change = Update(USERS, result["user"]["id"], set=fields, updated_at=api.clock.now_ms())
    await api.store.commit([change])


async def test_a_changed_user_is_shown_changed(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    await change(api, result, name="Grace", role="admin")
    found = (await asked_twice(api, result)).json()
    assert (found["name"], found["role"]) == ("Grace", "admin")


async def test_a_banned_user_is_refused(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    await change(api, result, status="banned")
    assert code(await api.call("GET", "/me", result)) == "auth/invalid-token"


async def test_an_ended_session_is_refused(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    await api.call("POST", "/signout", result)
    assert code(await api.call("GET", "/me", result)) == "auth/invalid-token"


async def test_a_user_without_a_row_is_not_found(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    await api.store.commit([Delete(USERS, result["user"]["id"])])
    assert code(await api.call("GET", "/me", result)) == "auth/user-not-found"


async def test_an_expired_token_is_refused(api: Api) -> None:
    result = await api.sign_up()
    api.clock.advance(3595)
    await asked_twice(api, result)
    api.clock.advance(6)
    assert code(await api.call("GET", "/me", result)) == "auth/token-expired"


async def test_one_users_answer_is_no_other_users(api: Api) -> None:
    ada, bob = await api.sign_up(), await api.sign_up("bob@example.com")
    for _ in range(2):
        for one in (ada, bob):
            assert (await asked_twice(api, one)).json()["email"] == one["user"]["email"]
    assert code(await api.call("GET", "/me")) == "auth/unauthorized"
    token = {"Authorization": f"Bearer {ada['accessToken']}", "X-API-Key": "pk_" + "0" * 64}
    assert (await api.http.get("/v1/auth/me", headers=token)).status_code == 401


async def test_an_inactive_project_refuses(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    core = api.served.core
    project = (await core.hierarchy.place("app", api.environment)).project_id
    now = api.clock.now_ms()
    control = core.database.control
    await control.commit([Update("projects", project, set={"status": "inactive"}, updated_at=now)])
    try:
        assert (await api.call("GET", "/me", result)).status_code == 403
    finally:
        change = Update("projects", project, set={"status": "active"}, updated_at=now)
        await control.commit([change])
    await asked_twice(api, result)


async def test_a_revoked_key_is_refused(api: Api) -> None:
    result = await api.sign_up()
    await asked_twice(api, result)
    found = await api.served.core.keys.find(api.http.headers["X-API-Key"])
    assert found is not None
    await api.served.core.keys.revoke(found.id)
    assert (await api.call("GET", "/me", result)).status_code == 401


async def test_being_asked_counts_as_activity(api: Api) -> None:
    result = await api.sign_up()

    async def last() -> Any:
        page = await api.store.find(Find(SESSIONS, where=Equals(("userId",), user)))
        return decode(page.items[1:-1])["lastActivityAt"]

    user = result["user"]["id"]
    before = await last()
    api.clock.advance(120)
    await asked_twice(api, result)
    assert await last() > before
