"""`bkend secrets` beside a running server, and a data directory without its secret (51 §10)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyotp
import pytest

from bkend.auth.collections import SESSIONS
from bkend.auth.mfa.collections import MFA
from bkend.core import Core, open_core
from bkend.settings import Settings
from bkend.store import Find, Insert, StoreRefused
from tests.backdoor import beside
from tests.cli.conftest import Called, CommandLine, make
from tests.engines import ENGINES, new_url
from tests.servers import RunningServer

PASSWORD = "correct horse"


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    found = RunningServer(tmp_path)
    found.database_url = new_url(request.param, request)
    make(found)
    yield found
    found.stop()
    assert "Traceback" not in found.log


class Beside:
    """Commands on the data of the server, called in this process."""

    def __init__(self, bkend: CommandLine, server: RunningServer) -> None:
        self._bkend = bkend
        self._data = ("--data", str(server.data))

    def __call__(self, *arguments: str) -> Called:
        return self._bkend(*arguments, *self._data)

    def refused(self, *arguments: str) -> str:
        return self._bkend.refused(*arguments, *self._data)


@pytest.fixture
def command(bkend: CommandLine, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Beside:
    if server.database_url is not None:
        monkeypatch.setenv("BKEND_DATABASE_URL", server.database_url)
    return Beside(bkend, server)


def eventually(holds: Callable[[], bool]) -> None:
    """On PostgreSQL, word of another process's change takes a moment."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def me(server: RunningServer, token: str) -> int:
    with server.client(token=token) as client:
        return client.get("/v1/auth/me").status_code


def post(server: RunningServer, path: str, body: Any, token: str | None = None) -> httpx.Response:
    with server.client(token=token) as client:
        return client.post(f"/v1/auth{path}", json=body)


def sign_in(server: RunningServer, code: str | None = None) -> httpx.Response:
    body = {"email": "ada@example.com", "password": PASSWORD, "mfaCode": code}
    return post(server, "/email/signin", body)


def enrol(server: RunningServer) -> Any:
    """A user with a second factor: the sign-up with `secret` and `backupCodes`."""
    made = server.sign_up("ada@example.com")
    begun = post(server, "/mfa/enable", {"password": PASSWORD}, made["accessToken"]).json()
    code = pyotp.TOTP(begun["secret"]).now()
    answer = post(server, "/mfa/confirm", {"code": code}, made["accessToken"])
    assert answer.status_code == 200, answer.text
    return made | begun


def factors(server: RunningServer) -> list[dict[str, Any]]:
    async def work(core: Core) -> list[dict[str, Any]]:
        async for store in core.sealed.stores():
            found: list[dict[str, Any]] = orjson.loads((await store.find(Find(MFA))).items)
            return found
        return []

    return beside(server, work)


# -- rotating -------------------------------------------------------------------------------------


def test_running_server_signs_with_the_new_secret_and_takes_both(
    server: RunningServer, command: Beside
) -> None:
    server.start()
    user = enrol(server)
    [before] = factors(server)
    old = (server.data / "secret").read_text()
    done = command("secrets", "rotate", "--json").json
    assert (done["rotated"], done["resealed"], done["unopened"]) == (True, 1, 0)
    assert done["acceptedUntil"].endswith("Z")
    [after] = factors(server)
    assert after == before | {"secret": after["secret"]} != before
    assert (server.data / "secret").read_text().splitlines()[0] != old.strip()

    assert me(server, user["accessToken"]) == 200
    refreshed = post(server, "/refresh", {"refreshToken": user["refreshToken"]})
    assert refreshed.status_code == 200
    assert sign_in(server, user["backupCodes"][0]).status_code == 200
    fresh = sign_in(server, pyotp.TOTP(user["secret"]).now()).json()
    eventually(lambda: me(server, fresh["accessToken"]) == 200)

    # Without any grace for what was signed before, only tokens of the newest secret are left.
    command("secrets", "rotate", "--grace", "0s")
    eventually(lambda: me(server, user["accessToken"]) == 401)
    assert me(server, fresh["accessToken"]) == 401
    newest = sign_in(server, user["backupCodes"][1]).json()
    assert me(server, newest["accessToken"]) == 200

    assert server.stop() == 0
    server.start()
    assert me(server, newest["accessToken"]) == 200
    assert sign_in(server, user["backupCodes"][2]).status_code == 200


def test_interrupted_rotation_is_finished_later(server: RunningServer) -> None:
    server.start()
    user = enrol(server)

    async def only_the_file(core: Core) -> None:
        core.secrets.rotate(0, core.clock.now_ms())  # type: ignore[attr-defined]

    beside(server, only_the_file)
    [before] = factors(server)
    assert sign_in(server, user["backupCodes"][0]).status_code == 200
    assert server.stop() == 0
    server.start()  # the fingerprint is still the old one's
    assert sign_in(server, user["backupCodes"][1]).status_code == 200

    beside(server, Core.finish_rotation)
    assert len((server.data / "secret").read_text().splitlines()) == 1
    assert factors(server)[0]["secret"] != before["secret"]
    assert sign_in(server, user["backupCodes"][2]).status_code == 200


def test_many_values_are_all_sealed_anew(server: RunningServer, command: Beside) -> None:
    server.start()
    enrol(server)
    [held] = factors(server)

    async def add(core: Core) -> None:
        async for store in core.sealed.stores():
            for number in range(450):
                sealed = Insert(MFA, f"u{number:03}", {"secret": held["secret"]}, 0, 0)
                await store.commit([sealed])

    beside(server, add)
    done = command("secrets", "rotate", "--json").json
    # The copies were sealed for another user: they cannot be opened, and are told apart.
    assert (done["resealed"], done["unopened"]) == (1, 450)


def test_configured_secret_is_replaced_where_it_is_configured(
    bkend: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BKEND_SECRET", "a" * 32)
    bkend("init")
    asyncio.run(serve_once())
    told = bkend.refused("secrets", "rotate")
    assert "BKEND_SECRET_PREVIOUS" in told
    monkeypatch.setenv("BKEND_SECRET", "b" * 32)
    assert "BKEND_SECRET_PREVIOUS" in bkend.refused("secrets", "rotate")
    with pytest.raises(StoreRefused, match="BKEND_SECRET_PREVIOUS"):
        asyncio.run(serve_once())
    monkeypatch.setenv("BKEND_SECRET_PREVIOUS", "a" * 32)
    done = bkend("secrets", "rotate", "--json").json
    assert done == {"rotated": False, "acceptedUntil": None, "resealed": 0, "unopened": 0}
    monkeypatch.delenv("BKEND_SECRET_PREVIOUS")
    asyncio.run(serve_once())
    monkeypatch.delenv("BKEND_SECRET")
    monkeypatch.setenv("BKEND_SECRET_PREVIOUS", "a" * 32)
    assert "set both" in bkend.refused("keys", "list")


async def serve_once() -> None:
    async with open_core(Settings(), serving=True):
        pass


@pytest.mark.parametrize("grace", ["", "1", "h", "-1h", "1w", "1.5h", "1234567s"])
def test_grace_is_a_time(bkend: CommandLine, grace: str) -> None:
    bkend("init")
    assert "--grace" in bkend("secrets", "rotate", "--grace", grace, code=2).stderr


def test_rotation_for_people(bkend: CommandLine) -> None:
    bkend("init")
    shown = bkend("secrets", "rotate", "--grace", "30m").stdout
    assert "A new master secret is in force." in shown
    assert "Stored secrets encrypted anew: 0" in shown


# -- losing it ------------------------------------------------------------------------------------


def refusal(server: RunningServer) -> str:
    """What a start is refused with."""
    with pytest.raises(AssertionError, match="ended at once"):
        server.start()
    server.process = None
    last = server.log.strip().splitlines()[-1]
    assert last.startswith("bkend: "), server.log
    return last


def test_server_refuses_data_whose_secret_is_missing(
    server: RunningServer, command: Beside
) -> None:
    server.start()
    user = enrol(server)
    server.stop()
    kept = (server.data / "secret").rename(server.directory / "kept")

    told = refusal(server)
    for part in (str(server.data / "secret"), "sign in again", "second factors", "accept-loss"):
        assert part in told
    assert not (server.data / "secret").exists()
    command("keys", "list")  # commands that need no secret work
    assert "missing" in command.refused("secrets", "rotate")
    assert not (server.data / "secret").exists()

    (server.data / "secret").write_text("f" * 64 + "\n")
    assert "is not the master secret of this data" in refusal(server)

    kept.rename(server.data / "secret")
    server.start()
    assert me(server, user["accessToken"]) == 200

    # Nothing is lost while the secret is there.
    assert "nothing is lost" in command.refused("secrets", "accept-loss", "--yes")
    assert me(server, user["accessToken"]) == 200


def test_loss_can_be_accepted(server: RunningServer, command: Beside) -> None:
    server.start()
    user = enrol(server)
    server.stop()
    (server.data / "secret").unlink()
    refusal(server)

    assert "--yes" in command.refused("secrets", "accept-loss")
    assert not (server.data / "secret").exists()
    done = command("secrets", "accept-loss", "--yes", "--json").json
    assert done == {"sessionsEnded": 1, "secretsRemoved": 1}
    assert factors(server) == []

    server.start()
    assert me(server, user["accessToken"]) == 401
    answer = sign_in(server)
    assert answer.status_code == 200
    assert answer.json()["user"]["mfaEnabled"] is False

    async def sessions(core: Core) -> int:
        return sum([await store.count(SESSIONS) async for store in core.sealed.stores()])

    assert beside(server, sessions) == 1
