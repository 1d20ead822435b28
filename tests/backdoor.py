"""What no client can do: changes through the store of a running server, tokens with its secret."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import jwt
import orjson

from bkend.auth.collections import USERS
from bkend.clock import SystemClock
from bkend.core import Core, open_core
from bkend.ids import RecordIds
from bkend.manage.control import ENVIRONMENTS, PROJECTS
from bkend.manage.keys import KeyType
from bkend.secret import load_secret
from bkend.settings import Settings
from bkend.store import Equals, Find, Insert, Store, Update
from tests.servers import RunningServer

T = TypeVar("T")


def beside(server: RunningServer, work: Callable[[Core], Awaitable[T]]) -> T:
    """Do the work as a command would, while the server runs."""

    async def run() -> T:
        settings = Settings(data=server.data, database_url=server.database_url)
        async with open_core(settings, serving=False) as core:
            return await work(core)

    return asyncio.run(run())


def set_role(server: RunningServer, user_id: str, role: str) -> None:
    """Give a user another role, as an administrator would."""
    set_user(server, user_id, role=role)


def set_user(server: RunningServer, user_id: str, **fields: Any) -> None:
    """Write fields of a user of the `dev` environment."""

    async def work(core: Core) -> None:
        store = await _environment_store(core, "dev")
        await store.commit([Update(USERS, user_id, set=fields)])

    beside(server, work)


def insert_row(server: RunningServer, table: str, fields: dict[str, Any]) -> str:
    """A row as an older schema may have left it; its id."""

    async def work(core: Core) -> str:
        services = await core.environment("app", "dev")
        found = await services.tables.get(table)
        assert found is not None
        store, now = await _environment_store(core, "dev"), core.clock.now_ms()
        row = Insert(found.table.collection, RecordIds().next(now), fields, now, now)
        await store.commit([row])
        return row.id

    return beside(server, work)


def set_project(server: RunningServer, **fields: Any) -> None:
    """Write fields of the project's document."""

    async def work(core: Core) -> None:
        project_id = server.made["projectId"]
        await core.database.control.commit([Update(PROJECTS, project_id, set=fields)])

    beside(server, work)


def set_environment(server: RunningServer, name: str, **fields: Any) -> None:
    """Write fields of an environment's document."""

    async def work(core: Core) -> None:
        found = await _environment_document(core, name)
        await core.database.control.commit([Update(ENVIRONMENTS, found["id"], set=fields)])

    beside(server, work)


def make_key(
    server: RunningServer,
    type: KeyType = "secret",
    *,
    environment: str = "dev",
    scopes: tuple[str, ...] = (),
    expires_at: str | None = None,
    revoked: bool = False,
) -> dict[str, Any]:
    """A new key, even one that has expired already; the answer holds its `key`."""

    async def work(core: Core) -> dict[str, Any]:
        place = await _environment_document(core, environment)
        made = await core.keys.create(
            type=type,
            name="test",
            organization_id=server.made["organizationId"],
            project_id=server.made["projectId"],
            environment_id=place["id"],
            environment=environment,
            scopes=scopes,
            expires_at=expires_at,
        )
        if revoked:
            await core.keys.revoke(made["id"])
        return made

    return beside(server, work)


def resigned(server: RunningServer, token: str, **claims: Any) -> str:
    """The access token with other claims, signed with the server's own secret."""
    held: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    key = load_secret(server.data, None).key("jwt")
    return jwt.encode({**held, **claims}, key, algorithm="HS256")


def expired(server: RunningServer, token: str) -> str:
    """The access token as it was an hour after its end."""
    now = SystemClock().now_ms() // 1000
    return resigned(server, token, iat=now - 7200, exp=now - 3600)


async def _environment_document(core: Core, name: str) -> dict[str, Any]:
    query = Find(ENVIRONMENTS, Equals(("environment",), name), limit=1)
    [found] = orjson.loads((await core.database.control.find(query)).items)
    document: dict[str, Any] = found
    return document


async def _environment_store(core: Core, name: str) -> Store:
    found = await _environment_document(core, name)
    await core.environments.get(found["id"])
    return await core.database.environment(found["id"])
