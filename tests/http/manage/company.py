"""People with accounts and sessions at the management API of a fresh server, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bkend.auth.sessions import Client
from bkend.ids import uuid4
from bkend.manage.members import new_member
from bkend.store import Insert
from bkend.tenants.accounts import new_account
from bkend.tenants.collections import TENANT_ACCOUNTS
from tests.asgi import Answer, InProcess, in_process
from tests.auth.conftest import FakeClock

MANAGE = "/manage/v1"
BROWSER = Client("Tests", "203.0.113.7")


@dataclass
class Caller:
    """Somebody who calls the management API; paths are below `/manage/v1`."""

    opened: InProcess
    headers: dict[str, str]
    account_id: str = ""
    email: str = ""

    async def call(
        self, method: str, path: str, body: Any = None, *, query: str = "", **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.opened.call(
            method,
            MANAGE + path,
            query=query.encode(),
            body=body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body),
            headers=list((self.headers | sent).items()),
            key="",
        )

    async def ok(self, method: str, path: str, body: Any = None, *, query: str = "") -> Any:
        """The body of an answer that must be a success."""
        answer = await self.call(method, path, body, query=query)
        assert answer.status < 300, answer.body
        return answer.json()

    async def refused(
        self, method: str, path: str, body: Any = None, *, query: str = "", **headers: str
    ) -> tuple[int, str]:
        """Status and code of a refusal."""
        answer = await self.call(method, path, body, query=query, **headers)
        found = answer.json()
        assert found["success"] is False, answer.body
        assert found["error"]["code"] == found["code"]
        return answer.status, found["code"]

    async def items(self, path: str, query: str = "") -> list[Any]:
        """The items of a list."""
        found: list[Any] = (await self.ok("GET", path, query=query))["items"]
        return found


@dataclass
class Company:
    """The server with its people."""

    opened: InProcess
    clock: FakeClock
    organization: str = ""
    people: dict[str, Caller] = field(default_factory=dict)

    async def person(self, name: str, role: str | None = None, **fields: Any) -> Caller:
        """Somebody who has signed in, with a role in the first organization if one is given."""
        core, id, now = self.opened.core, uuid4(), self.clock.now_ms()
        email = f"{name}@people.example"
        account = new_account(email, name.title(), now, password_hash=None, is_verified=True)
        made: list[Any] = [Insert(TENANT_ACCOUNTS, id, account | fields, now, now, id)]
        if role is not None:
            made.append(new_member(self.organization, id, role, now))
        session = await core.tenants.parts.sessions.open(id, BROWSER, made)
        headers = {
            "Cookie": f"bkend_session={session.cookie}",
            "X-Bkend-CSRF": session.csrf,
            "Host": "bkend.test",
        }
        self.people[name] = Caller(self.opened, headers, id, email)
        return self.people[name]

    def holder(self, token: str) -> Caller:
        """Whoever has a management token."""
        return Caller(self.opened, {"Authorization": f"Bearer {token}"})

    async def data(self, method: str, path: str, key: str, body: Any = None) -> Answer:
        """A call of an app."""
        encoded = b"" if body is None else orjson.dumps(body)
        return await self.opened.call(method, f"/v1/{path}", body=encoded, key=key)


@asynccontextmanager
async def company(
    directory: Path, database_url: str | None = None, **settings: Any
) -> AsyncIterator[Company]:
    """A server whose first organization has an owner, an admin, a member and a billing contact."""
    if database_url is not None:
        settings["database_url"] = database_url
    clock = FakeClock()
    async with in_process(directory, clock, **settings) as opened:
        found = Company(opened, clock, opened.made.organization_id)
        for role in ("owner", "admin", "member", "billing"):
            await found.person(role, role)
        yield found
