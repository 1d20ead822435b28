"""The application in this process with tables of one's own, and callers of every kind.

Much faster than a server: for questions that are asked of hundreds of combinations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import orjson

from bkend.auth.collections import USERS
from bkend.query.row_filters import check_filter
from bkend.secret import load_secret
from bkend.store import Store, Update
from bkend.tables.file import read_tables
from bkend.tables.plan import make_plan, take
from bkend.tables.service import Tables
from tests.asgi import Answer, InProcess, in_process

PASSWORD = "correct horse"


@dataclass
class Room:
    """An application, its people and their headers by the caller's name."""

    opened: InProcess
    ids: dict[str, str] = field(default_factory=dict)
    """User ids by name."""
    tokens: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    callers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Key and token of each caller, either may be empty."""

    async def call(
        self, who: str, method: str, path: str, body: Any = None, /, **query: Any
    ) -> Answer:
        """One request as the caller; `body` bytes are sent as they are, query values as JSON
        unless they are texts."""
        key, token = self.callers[who]
        headers = [("authorization", f"Bearer {token}")] if token else []
        sent = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        pairs = [
            f"{name}={quote(value if isinstance(value, str) else orjson.dumps(value).decode())}"
            for name, value in query.items()
        ]
        return await self.opened.call(
            method, path, query="&".join(pairs).encode(), body=sent, headers=headers, key=key
        )

    async def ok(
        self, who: str, method: str, path: str, body: Any = None, /, status: int = 200, **query: Any
    ) -> Any:
        """As `call`, and require the status; the body."""
        answer = await self.call(who, method, path, body, **query)
        assert answer.status == status, answer.body
        return answer.json()

    async def refused(
        self, who: str, method: str, path: str, body: Any = None, /, **query: Any
    ) -> tuple[int, str]:
        """Status and code of a refusal."""
        answer = await self.call(who, method, path, body, **query)
        found = answer.json()
        assert found["success"] is False, found
        return answer.status, found["code"]

    async def tables(self) -> Tables:
        return (await self.opened.core.environment("app", "dev")).tables

    async def store(self, environment: str = "dev") -> Store:
        document = await self.opened.core.hierarchy.environment("app", environment)
        return await self.opened.core.database.environment(document["id"])

    async def apply(self, text: str, environment: str = "dev") -> None:
        """Bring the tables to what the text of a `bkend.yaml` declares."""
        tables = (await self.opened.core.environment("app", environment)).tables
        plan = await make_plan(tables, read_tables(text.encode(), "bkend.yaml", check_filter))
        for change in plan.changes:
            await take(change, tables)

    async def sign_up(self, name: str, role: str = "user", *, key: str | None = None) -> None:
        """Make a user, who becomes a caller with the publishable key."""
        key = key or self.opened.made.publishable_key or ""
        body = {"email": f"{name}@people.example", "password": PASSWORD, "name": name}
        answer = await self.opened.call(
            "POST", "/v1/auth/email/signup", body=orjson.dumps(body), key=key
        )
        assert answer.status == 201, answer.body
        made = answer.json()
        self.ids[name], self.tokens[name] = made["user"]["id"], made["accessToken"]
        if role != "user":
            await (await self.store()).commit([Update(USERS, self.ids[name], set={"role": role})])
        self.callers[name] = (key, self.tokens[name])

    async def make_key(self, type: Any, *, environment: str = "dev", **fields: Any) -> Any:
        """A key of the environment, even one that has expired already."""
        place = await self.opened.core.hierarchy.place("app", environment)
        return await self.opened.core.keys.create(
            type=type,
            name="test",
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            environment=environment,
            **fields,
        )

    def resigned(self, name: str, **claims: Any) -> str:
        """The user's token with other claims, signed with the server's own secret."""
        held = jwt.decode(self.tokens[name], options={"verify_signature": False})
        key = load_secret(self.opened.core.settings.data, None).key("jwt")
        return jwt.encode({**held, **claims}, key, algorithm="HS256")


@asynccontextmanager
async def room(directory: Path, tables: str = "") -> AsyncIterator[Room]:
    """A room with two plain users, one of role `guest`, two of custom roles, one admin, and the
    publishable and the secret key alone."""
    async with in_process(directory) as opened:
        found = Room(opened)
        publishable, secret = opened.made.publishable_key or "", opened.made.secret_key or ""
        found.callers |= {"anonymous": (publishable, ""), "secret": (secret, "")}
        for name in ("owner", "other"):
            await found.sign_up(name)
        for name in ("guest", "editor", "author", "admin"):
            await found.sign_up(name, role=name)
        found.callers["secret with user"] = (secret, found.tokens["owner"])
        if tables:
            await found.apply(tables)
        yield found
