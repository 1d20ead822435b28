"""A real store and a clock that stands still, for the services; the real app for endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bkend.app import build_app
from bkend.auth.identity import Identities, Identity
from bkend.auth.mfa.service import Mfa
from bkend.auth.parts import AuthParts
from bkend.auth.passwords import PasswordHasher
from bkend.auth.service import AuthService
from bkend.auth.sessions import Client
from bkend.auth.shapes import AuthResult
from bkend.auth.tokens import Tokens
from bkend.core import Core, open_core
from bkend.http.application import Application
from bkend.mail.service import Mail
from bkend.manage.control import ENVIRONMENTS
from bkend.manage.environments import EnvironmentState, ProjectState
from bkend.sealing import Sealer
from bkend.secret import Rings, Secret
from bkend.settings import Settings
from bkend.store import Delete, Missing, Store
from tests.engines import ENGINES, open_engine
from tests.prepared import lay_out, lay_out_environment, prepared_url, take_back

PASSWORD = "correct horse"
CLIENT = Client("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/131.0", "203.0.113.7")


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_250

    def now_ms(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


def cheap_hasher() -> PasswordHasher:
    """The real algorithm with parameters that cost nothing."""
    return PasswordHasher(memory_kib=8, time_cost=1, workers=2)


def environment_state(name: str = "dev", project: str = "p1") -> EnvironmentState:
    """An active environment."""
    state = ProjectState(project, "App", True, "bare", frozenset(), frozenset())
    return EnvironmentState(f"env_{name}", name, True, state)


@dataclass
class World:
    """The authentication of one environment, opened."""

    store: Store
    clock: FakeClock
    hasher: PasswordHasher
    secret: Rings = field(default_factory=lambda: Secret(b"x" * 32))
    environment: EnvironmentState = field(default_factory=environment_state)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.secret, self.clock)
        self.identities = Identities(self.tokens, self.store, self.environment, self.clock)
        self.auth = self.another_process()

    def another_process(self, hasher: PasswordHasher | None = None) -> AuthService:
        """A service that shares nothing with the first but the database."""
        parts = self.parts(hasher)
        return AuthService(parts, Mfa(parts))

    def parts(self, hasher: PasswordHasher | None = None) -> AuthParts:
        """What the services of authentication are made of, new each time."""
        return AuthParts.on(
            self.store,
            self.clock,
            self.environment,
            self.tokens,
            hasher or self.hasher,
            Sealer(self.secret),
            Mail(self.store, self.environment, self.clock),
        )

    async def sign_up(self, email: str = "ada@example.com") -> AuthResult:
        return await self.auth.sign_up(email, PASSWORD, "Ada", CLIENT)

    async def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> AuthResult:
        return await self.auth.sign_in(email, password, CLIENT)

    async def identify(self, result: Any) -> Identity:
        return await self.identities.identify(result["accessToken"])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    found = cheap_hasher()
    yield found
    found.close()


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from prepared_url(request.param, request)


@pytest.fixture
async def store(tmp_path: Path, database_url: str | None) -> AsyncIterator[Store]:
    directory = tmp_path / "store"
    await lay_out(directory, database_url)
    await lay_out_environment(directory, database_url, "env_dev")
    database = await open_engine(database_url, directory, serving=True)
    yield await database.environment("env_dev")
    await database.close()


@pytest.fixture
def world(store: Store, clock: FakeClock, hasher: PasswordHasher) -> World:
    return World(store, clock, hasher)


@dataclass
class Api:
    """The whole application, called without a socket."""

    served: Served
    http: httpx.AsyncClient
    auth: AuthService
    store: Store
    environment: str
    secret_key: str

    @property
    def clock(self) -> FakeClock:
        return self.served.clock

    async def sign_up(self, email: str = "ada@example.com", **fields: Any) -> Any:
        body = {"email": email, "password": PASSWORD, "name": "Ada", **fields}
        answer = await self.http.post("/v1/auth/email/signup", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
        body = {"email": email, "password": password}
        answer = await self.http.post("/v1/auth/email/signin", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def call(
        self, method: str, path: str, result: Any = None, **options: Any
    ) -> httpx.Response:
        """A call with the access token of an earlier answer."""
        headers = {"Authorization": f"Bearer {result['accessToken']}"} if result else {}
        return await self.http.request(method, f"/v1/auth{path}", headers=headers, **options)


@dataclass
class Served:
    """One application for all tests of a module, each with an environment of its own."""

    core: Core
    app: Application
    clock: FakeClock
    environments: int = 0

    async def new_environment(self) -> tuple[str, str, str]:
        """Its id, publishable and secret key."""
        self.environments += 1
        name = f"e{self.environments}"
        made = await self.core.hierarchy.bootstrap(environment=name)
        document = await self.core.hierarchy.environment(made.project_slug, name)
        settings = self.core.settings
        await lay_out_environment(settings.data, settings.database_url, document["id"])
        assert made.publishable_key is not None
        assert made.secret_key is not None
        return document["id"], made.publishable_key, made.secret_key

    async def end_environment(self, id: str) -> None:
        """Nobody needs it any more."""
        try:
            await self.core.database.control.commit([Delete(ENVIRONMENTS, id)])
        except Missing:
            pass  # the test has deleted it
        self.core.environments.forget(id)
        await self.core.database.close_environment(id)
        await take_back(self.core.settings.database_url, id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    tmp_path_factory: pytest.TempPathFactory, database_url: str | None
) -> AsyncIterator[Served]:
    clock = FakeClock()
    settings = Settings(
        data=tmp_path_factory.mktemp("data"), rate_limit="off", database_url=database_url
    )
    await lay_out(settings.data, database_url)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bkend.core.PasswordHasher", cheap_hasher)
        async with open_core(settings, serving=True, clock=clock) as core:
            app = build_app(core)
            yield Served(core, app, clock)
            await app.finish()


@asynccontextmanager
async def _api(served: Served) -> AsyncIterator[Api]:
    environment, key, secret_key = await served.new_environment()
    opened = await served.core.environments.get(environment)
    assert opened is not None
    transport = httpx.ASGITransport(app=served.app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bkend.test", headers={"X-API-Key": key}
    ) as http:
        yield Api(served, http, opened.services.auth, opened.store, opened.state.name, secret_key)
    await served.end_environment(environment)


@pytest_asyncio.fixture(loop_scope="module")
async def api(served: Served) -> AsyncIterator[Api]:
    """An environment of the test's own."""
    async with _api(served) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def any_api(served: Served) -> AsyncIterator[Api]:
    """An environment shared by tests whose calls change nothing."""
    async with _api(served) as opened:
        yield opened
