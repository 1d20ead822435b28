"""A database that cannot be opened says why in one sentence, without the password."""

from __future__ import annotations

import secrets
from typing import Any

import asyncpg
import pytest

from bkend.store import StoreRefused
from bkend.store.postgres import Options, PostgresDatabase
from bkend.store.postgres import database as database_module
from bkend.store.postgres.database import place_of
from bkend.store.postgres.failures import refused
from tests.postgres import Postgres, run

PASSWORD = "hunter2"


async def refusal(url: str, **options: Any) -> str:
    with pytest.raises(StoreRefused) as found:
        await PostgresDatabase.open(Options(url, **options), serving=True)
    message = str(found.value)
    assert PASSWORD not in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://ada:{PASSWORD}@127.0.0.1:1/app", "is PostgreSQL running there?"),
        (f"postgresql://ada:{PASSWORD}@no-such-host.invalid/app", "cannot reach"),
        (f"postgresql://ada:{PASSWORD}@/app?host=/no/such/directory", "cannot reach"),
    ],
)
async def test_a_host_that_cannot_be_reached(url: str, words: str) -> None:
    message = await refusal(url)
    assert words in message
    assert place_of(url) in message


async def test_no_such_database(postgres_server: Postgres) -> None:
    assert "no such database" in await refusal(postgres_server.url_of("nothing_here"))


async def test_another_encoding(postgres_server: Postgres) -> None:
    url = postgres_server.make(encoding="LATIN1")
    assert "has the encoding LATIN1, and UTF8 is needed" in await refusal(url)


async def test_missing_privileges(postgres_server: Postgres, shared_url: str) -> None:
    role = f"bkend_{secrets.token_hex(4)}"
    name = postgres_server.make().partition("?")[0].rpartition("/")[2]
    await run(postgres_server.url, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    message = await refusal(postgres_server.url_of(name, user=role, password=PASSWORD))
    assert "GRANT CONNECT, CREATE ON DATABASE" in message
    await run(postgres_server.url, f"DROP ROLE {role}")


async def test_an_older_server(shared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "OLDEST_SERVER", 99)
    assert "99 or later is needed" in await refusal(shared_url)


async def test_data_of_a_newer_version(open_database: Any, shared_url: str) -> None:
    await open_database()
    await run(shared_url, "UPDATE bkend.format SET version=2")
    assert "written by a newer version" in await refusal(shared_url)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (asyncpg.InvalidPasswordError("password"), "refuses the user name or password"),
        (asyncpg.TooManyConnectionsError("full"), "takes no more connections"),
        (asyncpg.CannotConnectNowError("starting"), "starting up or shutting down"),
        (asyncpg.ReadOnlySQLTransactionError("standby"), "is read-only"),
        (TimeoutError(), "does not answer"),
    ],
)
def test_other_reasons(error: Exception, words: str) -> None:
    assert words in str(refused(error, "PostgreSQL at db/app"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"postgresql://ada:{PASSWORD}@db:5433/app", "PostgreSQL at db:5433/app"),
        (f"postgresql://ada:{PASSWORD}@/app?host=/run", "PostgreSQL at /run/app"),
        ("postgresql:///app", "PostgreSQL at localhost/app"),
        (f"postgresql:///app?user=ada&password={PASSWORD}", "PostgreSQL at localhost/app"),
    ],
)
def test_a_place_is_named_without_its_password(url: str, place: str) -> None:
    assert place_of(url) == place
