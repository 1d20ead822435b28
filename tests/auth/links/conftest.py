"""An environment with what tests of links do in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest_asyncio

from bkend.auth.collections import USERS
from bkend.auth.links.service import Links
from bkend.store import Equals, Find, Update
from tests.auth.conftest import PASSWORD, Api, _api
from tests.auth.links.mails import Letter, letters

ADA = "ada@example.com"
NEW = "a new horse"
BACK = "http://localhost:3000/back"
HOUR = 3600


@dataclass
class Linked:
    """An environment of the test's own."""

    api: Api
    links: Links

    @property
    def http(self) -> httpx.AsyncClient:
        return self.api.http

    async def post(self, path: str, result: Any = None, **body: Any) -> httpx.Response:
        self.api.clock.now += 1  # mails are told apart by their times
        return await self.api.call("POST", path, result, json=body)

    async def asked(self, path: str, result: Any = None, **body: Any) -> Any:
        """A call that succeeds; its body."""
        answer = await self.post(path, result, **body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def letters(self, category: str | None = None) -> list[Letter]:
        return await letters(self.api.store, category)

    async def letter(self, category: str | None = None) -> Letter:
        """The newest mail."""
        return (await self.letters(category))[-1]

    async def magic_token(self, email: str = ADA, **fields: Any) -> str:
        await self.asked(
            "/email/signup", method="magiclink", email=email, callbackUrl=BACK, **fields
        )
        return (await self.letter("magic_link")).token

    async def reset_token(self, email: str = ADA) -> str:
        await self.asked("/password/reset/request", email=email)
        return (await self.letter("password_reset")).token

    async def set(self, **settings: Any) -> None:
        await self.links.settings.update(settings)

    async def user(self, email: str = ADA) -> dict[str, Any]:
        found = await self.api.store.find(Find(USERS, Equals(("emailKey",), email)))
        [user] = orjson.loads(found.items)
        document: dict[str, Any] = user
        return document

    async def change_user(self, email: str = ADA, **fields: Any) -> None:
        await self.api.store.commit([Update(USERS, (await self.user(email))["id"], set=fields)])

    async def stored(self, collection: str) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = orjson.loads(
            (await self.api.store.find(Find(collection, limit=1000))).items
        )
        return documents

    async def signs_in(self, password: str = PASSWORD, email: str = ADA) -> int:
        return (await self.post("/email/signin", email=email, password=password)).status_code

    def with_secret_key(self) -> dict[str, str]:
        return {"X-API-Key": self.api.secret_key}


async def _linked(api: Api) -> Linked:
    document = await api.served.core.hierarchy.environment("app", api.environment)
    opened = await api.served.core.environments.get(document["id"])
    assert opened is not None
    return Linked(api, opened.services.links)


@pytest_asyncio.fixture(loop_scope="module")
async def linked(api: Api) -> Linked:
    return await _linked(api)


@pytest_asyncio.fixture(loop_scope="module")
async def elsewhere(api: Api) -> Any:
    """Another environment of the same server."""
    async with _api(api.served) as other:
        yield await _linked(other)
