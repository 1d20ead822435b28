"""The whole application, a clock that stands still, and browsers at the management API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
import pytest_asyncio

from bkend.app import build_app
from bkend.auth.collections import BUCKETS
from bkend.core import Core, open_core
from bkend.http.application import Application
from bkend.ids import uuid4
from bkend.mail.collections import OUTBOX
from bkend.manage.control import (
    ACTIVITIES,
    ENVIRONMENTS,
    IDEMPOTENCY,
    INVITATIONS,
    KEYS,
    MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
)
from bkend.manage.hierarchy import Bootstrap
from bkend.manage.members import new_member
from bkend.settings import Settings
from bkend.store import ALWAYS, DeleteWhere, Find, Insert, Update
from bkend.tenants.accounts import new_account
from bkend.tenants.collections import (
    DEVICE_CODES,
    LOGIN_EVENTS,
    TENANT_ACCOUNTS,
    TENANT_LINKS,
    TENANT_SESSIONS,
)
from tests.auth.conftest import FakeClock, cheap_hasher
from tests.engines import ENGINES
from tests.prepared import lay_out, prepared_url

BASE = "/manage/v1"
PASSWORD = "four brown horses"
EMAIL = "ada@example.com"
AWAY = "203.0.113.7"
ACCOUNT = {
    "id",
    "email",
    "name",
    "avatarUrl",
    "locale",
    "theme",
    "emailVerifiedAt",
    "isServerAdmin",
    "hasPassword",
    "mfaEnabled",
    "providers",
    "status",
    "lastLoginAt",
    "createdAt",
    "updatedAt",
}
_EMPTIED = (
    *(TENANT_ACCOUNTS, TENANT_SESSIONS, TENANT_LINKS, DEVICE_CODES, LOGIN_EVENTS, BUCKETS),
    *(OUTBOX, ACTIVITIES, INVITATIONS, MEMBERS, KEYS, ENVIRONMENTS, PROJECTS, ORGANIZATIONS),
    IDEMPOTENCY,
)


@dataclass
class Browser:
    """Keeps cookies, and sends the token for changes that it was told last."""

    http: httpx.AsyncClient
    csrf: str | None = None

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """One call below `/manage/v1`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.csrf is not None:
            sent.setdefault("X-Bkend-CSRF", self.csrf)
        content = None if body is None else orjson.dumps(body)
        answer = await self.http.request(method, BASE + path, content=content, headers=sent)
        self.csrf = answer.headers.get("x-bkend-csrf", self.csrf)
        return answer

    async def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The body of an answer that must be a success."""
        answer = await self.call(method, path, body)
        assert answer.status_code == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    async def refused(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, str]:
        """Status and code of an answer that must be a well-formed refusal."""
        answer = await self.call(method, path, body, **headers)
        found = answer.json()
        assert found["success"] is False, answer.text
        assert found["error"]["code"] == found["code"]
        return answer.status_code, found["code"]

    async def log_in(
        self, email: str = EMAIL, password: str = PASSWORD, code: str | None = None
    ) -> Any:
        """Sign in; the account."""
        body = {"email": email, "password": password} | ({"code": code} if code else {})
        return await self.ok("POST", "/session/login", body)

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get("bkend_session")


@dataclass
class Server:
    """The application, and what no client can do."""

    core: Core
    app: Application
    clock: FakeClock
    made: Bootstrap | None = None
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, address: str = AWAY, base: str = "http://bkend.test") -> Browser:
        """A new browser at a network address."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711))
        http = httpx.AsyncClient(transport=transport, base_url=base)
        self.opened.append(http)
        return Browser(http)

    async def signed_in(self, email: str = EMAIL, **options: Any) -> Browser:
        """A browser with a session of a known account."""
        browser = self.browser(**options)
        await browser.log_in(email)
        return browser

    async def add(self, email: str = EMAIL, role: str | None = None, **fields: Any) -> str:
        """A verified account, with a role in the first organization if one is given; its id."""
        now, id = self.clock.now_ms(), uuid4()
        encoded = await self.core.tenants.parts.hasher.hash(PASSWORD)
        account = new_account(email, "Ada", now, password_hash=encoded, is_verified=True)
        made: list[Any] = [Insert(TENANT_ACCOUNTS, id, account | fields, now, now, id)]
        if role is not None:
            made.append(new_member(self.organization, id, role, now))
        await self.core.database.control.commit(made)
        return id

    async def set(self, id: str, **fields: Any) -> None:
        """Write fields of an account."""
        await self.core.database.control.commit([Update(TENANT_ACCOUNTS, id, set=fields)])

    async def all(self, collection: str) -> list[dict[str, Any]]:
        """Every document of a collection of the control store, the newest first."""
        page = await self.core.database.control.find(Find(collection, limit=500))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found

    async def mails(self) -> list[dict[str, Any]]:
        """Mails of the server itself, the newest first."""
        found, _ = await self.core.tenants.mail.outbox.readable(limit=100)
        return found

    async def mailed_token(self) -> str:
        """The token in the link of the newest mail."""
        [newest, *_] = await self.mails()
        [link] = [link for link in newest["links"] if "token=" in link][:1]
        return str(parse_qs(urlsplit(link).query)["token"][0])

    def let(self, mode: str, *invited: str) -> None:
        """Who may sign up from now on: the mode, and addresses invited with the token `inv`."""

        async def asked(email: str, token: str | None) -> bool:
            return email in invited and token in (None, "inv")

        async def signup_mode() -> str:
            return mode

        object.__setattr__(self.core.tenants.parts, "signup_mode", signup_mode)
        object.__setattr__(self.core.tenants.parts, "invited", asked)

    @property
    def organization(self) -> str:
        assert self.made is not None
        return self.made.organization_id


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from prepared_url(request.param, request)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(
    tmp_path_factory: pytest.TempPathFactory, database_url: str | None
) -> AsyncIterator[Callable[[], Server]]:
    clock = FakeClock()
    data: Path = tmp_path_factory.mktemp("data")
    settings = Settings(data=data, rate_limit="off", database_url=database_url)
    await lay_out(data, database_url)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bkend.core.PasswordHasher", cheap_hasher)
        async with open_core(settings, serving=True, clock=clock) as core:
            app = build_app(core)
            yield lambda: Server(core, app, clock)
            await app.finish()


@pytest_asyncio.fixture(loop_scope="module")
async def server(application: Callable[[], Server]) -> AsyncIterator[Server]:
    """A server on which nobody has an account yet."""
    found = application()
    control = found.core.database.control
    await control.commit([DeleteWhere(name, ALWAYS) for name in _EMPTIED])
    found.made = await found.core.hierarchy.bootstrap()
    found.let("invite")
    yield found
    for http in found.opened:
        await http.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def ada(server: Server) -> str:
    """The id of an account that owns the first organization."""
    return await server.add(EMAIL, "owner", isServerAdmin=True)
