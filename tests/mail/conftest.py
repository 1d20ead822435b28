"""A store of either engine with mail on it, a clock that stands still, a manager over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from bkend.mail.delivery import Delivery
from bkend.mail.outbox import Outbox
from bkend.mail.service import Category, Mail
from bkend.mail.smtp_url import parse_smtp_url
from bkend.store import ALWAYS, Find, Store
from tests.auth.conftest import (
    FakeClock,
    Served,
    clock,
    database_url,
    environment_state,
    served,
    store,
)
from tests.mail.smtp import Inbox, smtp_server

__all__ = ["clock", "database_url", "served", "store"]

TOKEN = "Secret-Token-In-A-Link-0123456789"
RESET = {
    "userName": "Ada",
    "resetLink": f"https://app.example.com/reset?token={TOKEN}&email=ada%40example.com",
    "token": TOKEN,
}


@dataclass
class Desk:
    """One process's mail in one environment."""

    store: Store
    clock: FakeClock
    url: str | None
    name: str = "dev"
    delivery: Delivery = field(init=False)
    mail: Mail = field(init=False)

    def __post_init__(self) -> None:
        smtp = parse_smtp_url(self.url) if self.url else None
        self.delivery = Delivery(smtp, "api.example.com", self.clock)
        state = environment_state(self.name)
        self.mail = Mail(self.store, state, self.clock, self.delivery)
        self.delivery.attach(self.mail.outbox)

    def another_process(self, url: str | None = None) -> Desk:
        """A desk that shares nothing with this one but the database."""
        return Desk(self.store, self.clock, url or self.url, self.name)

    async def write(
        self,
        to: str = "ada@example.com",
        category: Category = "password_reset",
        values: dict[str, str] | None = None,
        locale: str | None = None,
    ) -> None:
        """Put a mail in the outbox."""
        await self.store.commit([await self.mail.compose(category, to, values or RESET, locale)])

    async def stored(self) -> list[dict[str, Any]]:
        """All documents of the outbox, oldest first."""
        page = await self.store.find(Find("outbox", ALWAYS, descending=False, limit=5000))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found

    @property
    def outbox(self) -> Outbox:
        return self.mail.outbox


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp_url(inbox: Inbox) -> Iterator[str]:
    with smtp_server(inbox) as port:
        yield f"smtp://127.0.0.1:{port}"


@pytest.fixture
def desk(store: Store, clock: FakeClock, smtp_url: str) -> Desk:
    return Desk(store, clock, smtp_url)


@pytest.fixture
def capturing(store: Store, clock: FakeClock) -> Desk:
    return Desk(store, clock, None)


@dataclass
class Manager:
    """Calls of the management API in an environment of the test's own."""

    http: httpx.AsyncClient
    served: Served
    id: str
    organization: str

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = await self.http.request(method, path, json=body)
        found = answer.json()
        assert found["success"] is False
        assert found["error"]["code"] == found["code"]
        return answer.status_code, found["code"]

    async def as_role(self, role: str) -> Manager:
        """The same environment, with a token of another role."""
        made = await self.served.core.keys.create(
            type="bearer", name=role, organization_id=self.organization, role=role
        )
        http = _client(self.served, str(self.http.base_url), made["key"])
        return Manager(http, self.served, self.id, self.organization)


def _client(served: Served, base: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=served.app, client=("203.0.113.7", 4711)),
        base_url=base,
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest_asyncio.fixture(loop_scope="module")
async def manager(served: Served) -> AsyncIterator[Manager]:
    id, _, _ = await served.new_environment()
    project = await served.core.hierarchy.place(None, f"e{served.environments}")
    made = await served.core.keys.create(
        type="bearer", name="test", organization_id=project.organization_id, role="owner"
    )
    base = f"http://bkend.test/manage/v1/projects/app/environments/e{served.environments}"
    async with _client(served, base, made["key"]) as http:
        yield Manager(http, served, id, project.organization_id)
