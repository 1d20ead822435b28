"""Clients that write through the REST API until the server is gone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.crash.ledger import Ledger, fields_of
from tests.servers import RunningServer

TABLE = "/v1/data/records"
PASSWORD = "correct horse battery"
RECORD_WRITERS = 12
BATCH_WRITERS = 2

Writer = Callable[[httpx.AsyncClient, str], Awaitable[None]]


class Writers:
    """All writers of one round, and where they note what they were told."""

    def __init__(self, server: RunningServer, records: Ledger, users: Ledger) -> None:
        self._url = server.url
        self._key = server.secret
        self._records = records
        self._users = users
        self.first_answer = asyncio.Event()
        self.first_sign_up = asyncio.Event()

    async def run(self, round: str) -> None:
        """Write from many connections; returns when every one has broken."""
        writers: list[tuple[Writer, str]] = [
            *((self._write_records, f"{round}-w{n}") for n in range(RECORD_WRITERS)),
            *((self._write_batches, f"{round}-b{n}") for n in range(BATCH_WRITERS)),
            (self._sign_up, f"{round}-u"),
        ]
        await asyncio.gather(*(self._until_gone(writer, name) for writer, name in writers))

    async def _until_gone(self, writer: Writer, name: str) -> None:
        headers = {"X-API-Key": self._key}
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, limits=limits, timeout=30, verify=False
        ) as client:
            try:
                await writer(client, name)
            except httpx.TransportError:
                return

    async def _write_records(self, client: httpx.AsyncClient, writer: str) -> None:
        """Make records; change each third twice, remove each fourth."""
        for turn in itertools.count():
            name = f"{writer}-{turn}"
            self._records.send(turn, name)
            made = await self._ask(client, "POST", TABLE, 201, fields_of(name, turn))
            self._records.acknowledge(turn, name)
            place = f"{TABLE}/{made['id']}"
            if turn % 3 == 0:
                for changed in (1000 + turn, 2000 + turn):
                    self._records.send(changed, name)
                    await self._ask(client, "PATCH", place, 200, fields_of(name, changed))
                    self._records.acknowledge(changed, name)
            if turn % 4 == 0:
                self._records.send(None, name)
                await self._ask(client, "DELETE", place, 200)
                self._records.acknowledge(None, name)

    async def _write_batches(self, client: httpx.AsyncClient, writer: str) -> None:
        """Make several records with one request: all are stored, or none."""
        for turn in itertools.count():
            names = tuple(f"{writer}-{turn}-{n}" for n in range(10))
            self._records.groups.append(names)
            self._records.send(turn, *names)
            await self._ask(client, "POST", TABLE, 201, [fields_of(name, turn) for name in names])
            self._records.acknowledge(turn, *names)

    async def _sign_up(self, client: httpx.AsyncClient, writer: str) -> None:
        for turn in itertools.count():
            email = f"{writer}-{turn}@example.com"
            body = {"email": email, "password": PASSWORD, "name": "Ada"}
            self._users.send(1, email)
            await self._ask(client, "POST", "/v1/auth/email/signup", 201, body)
            self._users.acknowledge(1, email)
            self.first_sign_up.set()

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, expected: int, body: Any = None
    ) -> Any:
        answer = await client.request(method, path, json=body)
        if answer.status_code != expected:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        self.first_answer.set()
        return answer.json()
