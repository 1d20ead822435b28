"""Whatever stands in a query string, the answer is 200 or 400, and JSON (design: promises)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import orjson
import pytest

from bkend.tables.indexes import check_indexes
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition
from tests.asgi import Answer, InProcess, in_process
from tests.query.generated import BRACKET_OPERATORS, COLUMNS, OPERATORS, Maker

CASES = 3000
SCRAPS = [b"%", b"&", b"=", b"[", b"]", b"%00", b"%FF", b"+", b"%22", b"{", b"}", b"$", b"%5Cud800"]
SCRAPS += [b"9" * 400, b"%5B" * 300, b"null", b",", b".", b"..", b"%ED%A0%80", b"\xff", b"#", b"e5"]
NAMES = ["andFilters", "orFilters", "search", "searchType", "sort", "sortBy", "sortDirection"]
NAMES += ["select", "select[]", "fields", "page", "limit", "offset", "filter", "andFilters[s]"]
NAMES += ["orFilters[s]", "filter[s][regex]", "filter[n][in]", "filter[d]", "filter[", "_id", "x"]


class Wild(Maker):
    """Queries of which most are wrong somewhere."""

    def bytes(self) -> bytes:
        text = self.query() if self._chance(0.5) else self.heap()
        found = text.encode("utf-8", "surrogatepass")
        while self._chance(0.4):
            start = self.random.randint(0, len(found))
            end = min(len(found), start + self.random.choice([0, 0, 1, 3, 20]))
            found = found[:start] + self.random.choice(SCRAPS) + found[end:]
        return found

    def heap(self) -> str:
        """Any parameter with any value."""
        pairs = []
        for _ in range(self.random.randint(1, 4)):
            name = self.random.choice(NAMES)
            if self._chance(0.2):
                name = f"filter[{self.path()}]{self.random.choice(BRACKET_OPERATORS)}"
            pairs.append(f"{quote_plus(name)}={quote_plus(self.anything())}")
        return "&".join(pairs)

    def anything(self) -> str:
        def tree(depth: int) -> Any:
            if depth == 0 or self._chance(0.3):
                return self.scalar()
            if self._chance(0.3):
                return [tree(depth - 1) for _ in range(self.random.randint(0, 3))]
            keys = [*OPERATORS, "$options", "$or", "a.$b", "", self.path(), self.path()]
            return {self.random.choice(keys): tree(depth - 1) for _ in range(2)}

        made: str = self._one(
            self.text,
            self.path,
            lambda: str(self.number()),
            lambda: json.dumps(tree(4), ensure_ascii=self._chance(0.5)),
            lambda: json.dumps({self.path(): tree(2)}),
        )
        return made


class Target:
    """The application in this process, with one table and some rows."""

    def __init__(self, loop: asyncio.AbstractEventLoop, opened: InProcess) -> None:
        self._loop = loop
        self._opened = opened

    def list(self, query: bytes) -> Answer:
        """One list, with the secret key."""
        key = self._opened.made.secret_key
        call = self._opened.call("GET", "/v1/data/t", query=query, key=key)
        return self._loop.run_until_complete(call)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with asyncio.Runner() as runner:
        opening = in_process(tmp_path_factory.mktemp("lists") / "data", log_level="error")
        opened = runner.run(opening.__aenter__())
        schema = canonical_schema(COLUMNS)
        indexes = check_indexes([{"name": "s", "fields": {"s": 1}}], schema)
        services = runner.run(opened.core.environment("app", "dev"))
        runner.run(services.tables.create(Definition("t", schema, indexes)))
        key, maker = opened.made.secret_key, Maker(0)
        bodies = [
            {"s": maker.text(), "x": maker.scalar(), "제목": [maker.text()]} for _ in range(9)
        ]
        body = orjson.dumps(bodies)
        answer = runner.run(opened.call("POST", "/v1/data/t", body=body, key=key))
        assert answer.status == 201, answer
        yield Target(runner.get_loop(), opened)
        runner.run(opening.__aexit__(None, None, None))


def test_no_query_string_is_the_servers_fault(target: Target) -> None:
    wild = Wild(20)
    statuses = {200: 0, 400: 0}
    for _ in range(CASES):
        query = wild.bytes()
        answer = target.list(query)
        assert answer.status in statuses, (query, answer)
        statuses[answer.status] += 1
        body = answer.json()
        if answer.status == 200:
            assert len(body["items"]) <= body["pagination"]["limit"] <= 100
        else:
            assert body["code"] == body["error"]["code"] == "data/validation-error", query
            assert body["message"]
            assert all(detail["field"] for detail in body["error"].get("details", []))
    assert min(statuses.values()) > CASES // 10, "both kinds of query are made"


@pytest.mark.parametrize("seed", range(3))
def test_a_filter_only_narrows(target: Target, seed: int) -> None:
    maker = Wild(seed)

    def total(query: str) -> int | None:
        answer = target.list(query.encode())
        return answer.json()["pagination"]["total"] if answer.status == 200 else None

    compared = 0
    for _ in range(100):
        one, two = maker.query(), maker.query()
        first, both = total(one), total(f"{one}&{two}")
        if first is not None and both is not None:
            assert both <= first, (one, two)
            compared += 1
    assert compared > 30
