"""Whoever was let in before is let in again only while nothing that decided it has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bkend.auth.collections import USERS
from bkend.environment import EnvironmentServices
from bkend.manage.control import ENVIRONMENTS, PROJECTS
from bkend.store import Delete, Equals, Find, Store, Update
from bkend.store.documents import format_time
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition
from tests.asgi import InProcess, in_process

PATH = "/v1/data/posts"


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.now


@dataclass(frozen=True)
class House:
    """An application with one table, whose clock we hold, and a signed-in user."""

    opened: InProcess
    clock: HandClock
    services: EnvironmentServices
    store: Store
    tokens: dict[str, Any]

    async def list(self, *, signed_in: bool = False, key: str | None = None) -> tuple[int, str]:
        """Status and code of a list request."""
        headers = [("authorization", f"Bearer {self.tokens['accessToken']}")] if signed_in else []
        answer = await self.opened.call("GET", PATH, headers=headers, key=key)
        return answer.status, answer.json().get("code", "")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = HandClock()
    async with in_process(tmp_path, clock, rate_limit="1000/1000") as opened:
        services = await opened.core.environment("app", "dev")
        await services.tables.create(Definition("posts", canonical_schema({"title": "string"})))
        [place] = orjson.loads((await opened.core.database.control.find(Find(ENVIRONMENTS))).items)
        person = {"email": "ada@example.com", "password": "correct horse", "name": "Ada"}
        body = orjson.dumps({"method": "password", **person})
        answer = await opened.call("POST", "/v1/auth/email/signup", body=body)
        assert answer.status == 201
        store = await opened.core.database.environment(place["id"])
        found = House(opened, clock, services, store, answer.json())
        assert await found.list() == await found.list(signed_in=True) == (200, "")
        assert await found.list() == await found.list(signed_in=True) == (200, "")
        yield found


async def the_document(store: Store, collection: str) -> dict[str, Any]:
    [found] = orjson.loads((await store.find(Find(collection, limit=1))).items)
    document: dict[str, Any] = found
    return document


async def test_revoked_key_is_refused_on_the_next_request(house: House) -> None:
    keys = await house.opened.core.keys.list()
    [used] = [key for key in keys if key.get("key") == house.opened.made.publishable_key]
    await house.opened.core.keys.revoke(used["id"])
    assert await house.list() == (401, "auth/token-revoked")


async def test_key_is_refused_from_the_moment_it_expires(house: House) -> None:
    project = await the_document(house.opened.core.database.control, PROJECTS)
    place = await the_document(house.opened.core.database.control, ENVIRONMENTS)
    made = await house.opened.core.keys.create(
        type="publishable",
        name="short",
        organization_id=project["organizationId"],
        project_id=project["id"],
        environment_id=place["id"],
        environment="dev",
        expires_at=format_time(house.clock.now + 2000),
    )
    house.clock.now += 1999
    assert await house.list(key=made["key"]) == (200, "")
    house.clock.now += 1
    assert await house.list(key=made["key"]) == (401, "auth/token-expired")


async def test_access_token_is_refused_from_the_moment_it_expires(house: House) -> None:
    house.clock.now += house.tokens["expiresIn"] * 1000 - 1
    assert await house.list(signed_in=True) == (200, "")
    house.clock.now += 1
    assert await house.list(signed_in=True) == (401, "auth/token-expired")


async def test_signed_out_session_is_refused_on_the_next_request(house: House) -> None:
    headers = [("authorization", f"Bearer {house.tokens['accessToken']}")]
    assert (await house.opened.call("POST", "/v1/auth/signout", headers=headers)).status == 200
    assert await house.list(signed_in=True) == (401, "auth/invalid-token")


async def test_banned_user_is_refused_on_the_next_request(house: House) -> None:
    user = await the_document(house.store, USERS)
    await house.store.commit([Update(USERS, user["id"], set={"status": "banned"})])
    assert await house.list(signed_in=True) == (401, "auth/invalid-token")


async def test_removed_user_is_refused_on_the_next_request(house: House) -> None:
    user = await the_document(house.store, USERS)
    await house.store.commit([Delete(USERS, user["id"])])
    assert (await house.list(signed_in=True))[0] == 401


async def test_changed_permission_holds_on_the_next_request(house: House) -> None:
    live = await house.services.tables.get("posts")
    assert live is not None
    table = live.table
    definition = Definition(table.name, table.schema, table.indexes, {"user": {"read": True}})
    await house.services.tables.update(table, definition)
    assert await house.list() == (403, "data/permission-denied")
    assert await house.list(signed_in=True) == (200, "")
    live = await house.services.tables.get("posts")
    assert live is not None
    await house.services.tables.update(live.table, replace(definition, permissions={}))
    assert await house.list(signed_in=True) == (403, "data/permission-denied")


async def test_new_role_holds_on_the_next_request(house: House) -> None:
    live = await house.services.tables.get("posts")
    assert live is not None
    table = live.table
    definition = Definition(table.name, table.schema, table.indexes, {"user": {"read": True}})
    await house.services.tables.update(table, definition)
    assert await house.list(signed_in=True) == (200, "")
    user = await the_document(house.store, USERS)
    await house.store.commit([Update(USERS, user["id"], set={"role": "guest"})])
    assert await house.list(signed_in=True) == (403, "data/permission-denied")


async def test_table_that_was_dropped_is_gone_on_the_next_request(house: House) -> None:
    live = await house.services.tables.get("posts")
    assert live is not None
    await house.services.tables.delete(live.table)
    assert await house.list() == (404, "data/table-not-found")


@pytest.mark.parametrize("collection", [ENVIRONMENTS, PROJECTS])
async def test_closed_environment_is_closed_on_the_next_request(
    house: House, collection: str
) -> None:
    control = house.opened.core.database.control
    document = await the_document(control, collection)
    await control.commit([Update(collection, document["id"], set={"status": "inactive"})])
    assert await house.list() == (403, "environment/not-active")


async def test_remembered_callers_use_up_their_rate_limit(tmp_path: Path) -> None:
    async with in_process(tmp_path, HandClock(), rate_limit="2/3") as opened:
        services = await opened.core.environment("app", "dev")
        await services.tables.create(Definition("posts", canonical_schema({"title": "string"})))
        statuses = [(await opened.call("GET", PATH)).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_use_of_a_key_is_noted_again_after_a_minute(house: House) -> None:
    async def used() -> set[Any]:
        keys = await house.opened.core.keys.list()
        return {key["lastUsedAt"] for key in keys if key["lastUsedAt"]}

    await house.opened.app.finish()
    first = await used()
    house.clock.now += 61_000
    assert await house.list() == (200, "")
    await house.opened.app.finish()
    assert await used() == {format_time(house.clock.now)} != first


async def test_same_token_with_another_key_is_judged_anew(house: House) -> None:
    wrong = await house.list(signed_in=True, key="pk_" + "0" * 64)
    assert wrong == (401, "auth/invalid-token")


async def test_guest_is_not_let_in_by_what_a_user_may_do(house: House) -> None:
    query = Find(USERS, Equals(("email",), "ada@example.com"))
    assert (await house.store.find(query)).total == 1
    body = orjson.dumps({"title": "mine"})
    headers = [("authorization", f"Bearer {house.tokens['accessToken']}")]
    assert (await house.opened.call("POST", PATH, body=body, headers=headers)).status == 201
    assert (await house.opened.call("POST", PATH, body=body)).status == 403
