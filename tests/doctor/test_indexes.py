"""Lists that are slow for want of an index: noticed, noted without values, told by the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from bkend.doctor import indexes
from bkend.doctor.findings import Finding
from bkend.doctor.patient import Patient
from bkend.slow_queries.notes import SLOW_QUERIES
from bkend.slow_queries.watch import FEWEST_ROWS
from bkend.store import Insert, QueryTimeout, Store
from tests.asgi import InProcess, in_process
from tests.conftest import StartServer
from tests.engines import ENGINES, new_url

TABLES = "/manage/v1/projects/app/environments/dev/tables"
SCHEMA = {
    "customer": {"type": "string"},
    "total": {"type": "number"},
    "notes": {"type": "object"},
}
SLOW = b'andFilters={"customer":"alice@example.com"}&sortBy=total&sortDirection=desc'
PADDING = "x" * 200


@dataclass
class Shop:
    """A server with a table of orders, where a millisecond is slow."""

    opened: InProcess
    store: Store
    table_id: str

    async def fill(self, count: int) -> None:
        await self.store.commit(
            [
                Insert(self.table_id, f"{n:024x}", {"customer": f"c{n % 9}", "x": PADDING}, n, n)
                for n in range(count)
            ]
        )

    async def list(self, query: bytes, times: int = 1) -> None:
        for _ in range(times):
            await self.store.commit([Insert(self.table_id, f"n{self._next()}", {}, 0, 0)])
            answer = await self.opened.call("GET", "/v1/data/orders", query=query)
            assert answer.status == 200, answer.body

    def _next(self) -> int:
        self._made = getattr(self, "_made", 0) + 1
        return self._made

    async def manage(self, method: str, path: str, body: Any) -> Any:
        token = self.opened.made.management_token
        answer = await self.opened.call(
            method,
            f"{TABLES}{path}",
            body=orjson.dumps(body),
            headers=[("Authorization", f"Bearer {token}")],
            key="",
        )
        assert answer.status < 300, answer.body
        return answer.json()

    async def write(self) -> None:
        core = self.opened.core
        await core.slow_queries.write(core.environments.get)

    async def look(self) -> Finding:
        core = self.opened.core
        return await indexes.look(Patient(core.settings, core.clock, core))


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str | None:
    return new_url(request.param, request)


async def open_shop(opened: InProcess) -> Shop:
    shop = Shop(opened, (await of_dev(opened)).store, "")
    made = await shop.manage("POST", "", {"tableName": "orders", "schema": SCHEMA})
    shop.table_id = made["id"]
    return shop


async def of_dev(opened: InProcess) -> Any:
    place = await opened.core.hierarchy.place("app", "dev")
    return await opened.core.environments.get(place.environment_id)


@pytest_asyncio.fixture
async def shop(tmp_path: Path, database_url: str | None) -> AsyncIterator[Shop]:
    async with in_process(tmp_path / "data", slow_query_ms=1, database_url=database_url) as opened:
        yield await open_shop(opened)


async def test_a_slow_list_is_told_with_its_index_until_it_is_there(shop: Shop) -> None:
    await shop.fill(5000)
    assert (await shop.look()).outcome == "ok"
    await shop.list(SLOW, times=3)
    await shop.write()
    found = await shop.look()
    assert found.outcome == "warning"
    assert "bkend apply" in found.advice
    [line], [item] = found.details, found.items
    assert line.startswith("app/dev: orders (equal customer, sorted by total descending) 3 times, ")
    assert line.endswith("\n  - {name: by_customer_total, fields: {customer: 1, total: -1}}")
    index = {"name": "by_customer_total", "fields": {"customer": 1, "total": -1}}
    assert item["index"] == {**index, "unique": False, "sparse": False}
    assert (item["place"], item["table"], item["times"]) == ("app/dev", "orders", 3)
    assert item["worstMs"] >= 1
    assert item["queries"][0]["equals"] == ["customer"]

    await shop.list(SLOW, times=2)
    await shop.write()
    assert (await shop.look()).items[0]["times"] == 5

    change = {"indexesToAddOrUpdate": [item["index"]]}
    await shop.manage("POST", "/orders/indexes/manage", change)
    assert (await shop.look()).outcome == "ok"
    assert await shop.store.count(SLOW_QUERIES) == 0
    await shop.list(SLOW)
    await shop.write()
    assert (await shop.look()).outcome == "ok"


async def test_one_index_is_told_for_all_that_it_serves(shop: Shop) -> None:
    await shop.fill(5000)
    await shop.list(b'andFilters={"customer":"a"}')
    await shop.list(SLOW)
    await shop.list(b'andFilters={"total":{"$gt":5}}')
    await shop.write()
    found = await shop.look()
    assert {one["index"]["name"] for one in found.items} == {"by_customer_total", "by_total"}
    by_name = {one["index"]["name"]: one for one in found.items}
    assert by_name["by_customer_total"]["times"] == 2


async def test_nothing_that_people_typed_is_kept_or_logged(shop: Shop) -> None:
    await shop.fill(5000)
    with capture_logs() as logs:
        await shop.list(SLOW)
        await shop.list(
            b'andFilters={"customer":"bob@example.com","carol@example.com":1,'
            b'"notes.dora":{"$gte":"erin"},"customer":{"$regex":"frank"}}&search=grace'
        )
        await shop.list(b"sortBy=heidi.ivan")
        await shop.write()
    page = await shop.opened.call("GET", "/v1/data/orders")
    assert page.status == 200
    kept = [await shop.store.get(SLOW_QUERIES, one) for one in await ids(shop.store)]
    told = [entry for entry in logs if entry["event"] == "slow query"]
    assert [entry["log_level"] for entry in told] == ["warning"] * len(told)
    assert told[0]["table"] == "orders"
    assert told[0]["query"] == "equal customer, sorted by total descending"
    assert told[0]["lacks_index"] == {"customer": 1, "total": -1}
    shown = f"{kept} {logs} {await shop.look()}"
    for name in ("alice", "bob", "carol", "dora", "erin", "frank", "grace", "heidi", "ivan"):
        assert name not in shown
    assert "other conditions" in shown


async def ids(store: Store) -> list[str]:
    from bkend.store import Find

    page = await store.find(Find(SLOW_QUERIES))
    return [held["id"] for held in orjson.loads(page.items)]


async def test_each_kind_is_logged_once_until_it_is_written_down(shop: Shop) -> None:
    await shop.fill(5000)
    for _ in range(2):
        with capture_logs() as logs:
            await shop.list(SLOW, times=3)
        assert [entry["event"] for entry in logs] == ["slow query"]
        await shop.write()


async def test_a_list_that_is_given_up_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.fill(FEWEST_ROWS)
    await shop.opened.call("GET", "/v1/data/orders/none")  # so that the table is known

    async def find(query: Any) -> Any:
        await asyncio.sleep(0.005)
        raise QueryTimeout("no answer within 10 s")

    with monkeypatch.context() as patched:
        patched.setattr(shop.store, "find", find)
        answer = await shop.opened.call("GET", "/v1/data/orders", query=SLOW)
        assert answer.status == 503
    await shop.write()
    assert [one["index"]["name"] for one in (await shop.look()).items] == ["by_customer_total"]


async def test_small_tables_are_left_out(shop: Shop) -> None:
    await shop.fill(FEWEST_ROWS - 10)
    with capture_logs() as logs:
        (await of_dev(shop.opened)).services.records._slow.seconds = 0.0
        await shop.list(SLOW)
    assert [entry["event"] for entry in logs] == ["slow query"]
    await shop.write()
    assert shop.store.collection(SLOW_QUERIES) is None
    assert (await shop.look()).outcome == "ok"


async def test_notes_of_a_dropped_table_are_forgotten(shop: Shop) -> None:
    await shop.fill(5000)
    await shop.list(SLOW)
    await shop.write()
    await shop.list(SLOW)
    token = [("Authorization", f"Bearer {shop.opened.made.management_token}")]
    dropped = await shop.opened.call(
        "DELETE", f"{TABLES}/orders", query=b"confirm=orders", headers=token, key=""
    )
    assert dropped.status == 200
    await shop.write()  # of a table that is gone
    assert (await shop.look()).outcome == "ok"
    assert await shop.store.count(SLOW_QUERIES) == 0


@pytest.mark.parametrize("milliseconds", [0, 60_000])
async def test_nothing_is_written_when_nothing_is_slow(
    tmp_path: Path, database_url: str | None, milliseconds: int
) -> None:
    async with in_process(
        tmp_path / "data", slow_query_ms=milliseconds, database_url=database_url
    ) as opened:
        shop = await open_shop(opened)
        await shop.fill(2000)
        with capture_logs() as logs:
            await shop.list(SLOW)
            await shop.write()
        assert logs == []
        assert shop.store.collection(SLOW_QUERIES) is None


def test_another_process_tells_of_it(start_server: StartServer) -> None:
    server = start_server(BKEND_SLOW_QUERY_MS="1")
    with server.client(server.secret) as client:
        for _ in range(3):
            rows = [{"title": f"t{n}", "content": PADDING} for n in range(1000)]
            assert client.post("/v1/data/posts", json=rows).status_code == 201
        assert client.get("/v1/data/posts", params={"sortBy": "views"}).status_code == 200
    assert server.stop() == 0  # what was noticed is written down
    assert "slow query" in server.log
    shown = server.bkend("doctor").stdout
    assert "- {name: by_views, fields: {views: " in shown
    assert "app/dev: posts (sorted by views" in shown
