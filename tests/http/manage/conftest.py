"""A tenant at the management API of a fresh server, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from bkend.manage.members import new_member
from tests.asgi import Answer, InProcess, in_process
from tests.engines import ENGINES
from tests.http.manage.company import Company, company
from tests.prepared import prepared_url

BASE = "/manage/v1/projects/app/environments/dev"
TABLES = f"{BASE}/tables"


@dataclass
class Tenant:
    """Calls with a management token."""

    opened: InProcess
    token: str | None

    async def call(
        self, method: str, path: str, body: Any = None, *, query: str = "", **headers: str
    ) -> Answer:
        """One call; a path without a leading slash is below `tables/`."""
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if self.token:
            sent.append(("Authorization", f"Bearer {self.token}"))
        encoded = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.opened.call(
            method,
            path if path.startswith("/") else f"{TABLES}/{path}".rstrip("/"),
            query=query.encode(),
            body=b"" if body is None else encoded,
            headers=sent,
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
        """Status and code of an answer that must be a refusal, whose body must be well formed."""
        answer = await self.call(method, path, body, query=query, **headers)
        found = answer.json()
        assert found["success"] is False
        assert found["statusCode"] == answer.status
        assert found["error"]["code"] == found["code"]
        assert found["error"]["message"] == found["message"]
        return answer.status, found["code"]

    async def rules(self, method: str, path: str, body: Any = None) -> list[tuple[str, str]]:
        """Field and rule of each detail of a refusal."""
        found = (await self.call(method, path, body)).json()
        return [(d["field"], d["rule"]) for d in found["error"]["details"]]

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the data API with the secret key, which must succeed."""
        answer = await self.opened.call(
            method,
            f"/v1/data/{path}",
            body=b"" if body is None else orjson.dumps(body),
            key=self.opened.made.secret_key,
        )
        assert answer.status < 300, answer.body
        return answer.json()


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path / "data") as found:
        yield found


@pytest_asyncio.fixture
async def tenant(opened: InProcess) -> Tenant:
    """The holder of the first token, an owner."""
    return Tenant(opened, opened.made.management_token)


MakeTenant = Callable[..., Any]


@pytest_asyncio.fixture
async def make_tenant(opened: InProcess) -> MakeTenant:
    """A tenant with a token of one's own: `await make_tenant(role="member", scopes=[…])`."""

    async def make(**options: Any) -> Tenant:
        options = {"role": "owner", "organization_id": opened.made.organization_id} | options
        author = options.get("created_by")
        if author:
            joining = new_member(options["organization_id"], author, options["role"], 0)
            await opened.core.database.control.commit([joining])
        made = await opened.core.keys.create(type="bearer", name="test", **options)
        return Tenant(opened, made["key"])

    return make


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from prepared_url(request.param, request)


@pytest_asyncio.fixture
async def firm(tmp_path: Path, database_url: str | None) -> AsyncIterator[Company]:
    """A server with people, on each engine."""
    async with company(tmp_path / "data", database_url) as found:
        yield found
