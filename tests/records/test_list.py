"""`GET /v1/data/:table`: pages and exact totals (20 §4.4)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import names, ok, problems

COUNT = 23


@pytest.fixture(scope="module")
def rows(admin: httpx.Client) -> list[str]:
    """Ids of the only rows of the table `pages`, oldest first."""
    made = ok(admin.post("/v1/data/pages", json=[{"name": str(n)} for n in range(COUNT)]), 201)
    return [record["id"] for record in made]


def pagination(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = ok(answer)["pagination"]
    assert list(found) == [
        *("total", "page", "limit", "totalPages"),
        *("hasNext", "hasPrev", "hasNextPage", "hasPrevPage"),
    ]
    assert found["hasNext"] is found["hasNextPage"]
    assert found["hasPrev"] is found["hasPrevPage"]
    return found


@pytest.mark.parametrize(
    ("query", "items", "page", "limit", "pages", "has_next", "has_prev"),
    [
        ("", 20, 1, 20, 2, True, False),
        ("page=1", 20, 1, 20, 2, True, False),
        ("page=2", 3, 2, 20, 2, False, True),
        ("page=3", 0, 3, 20, 2, False, True),
        ("page=1000000", 0, 1000000, 20, 2, False, True),
        ("page=2&limit=10", 10, 2, 10, 3, True, True),
        ("page=3&limit=10", 3, 3, 10, 3, False, True),
        ("limit=1", 1, 1, 1, 23, True, False),
        ("limit=23", 23, 1, 23, 1, False, False),
        ("limit=22", 22, 1, 22, 2, True, False),
        ("limit=100", 23, 1, 100, 1, False, False),
        ("limit=101", 23, 1, 100, 1, False, False),
        ("limit=200", 23, 1, 100, 1, False, False),
        ("limit=99999999999999999999999", 23, 1, 100, 1, False, False),
        ("limit=&page=", 20, 1, 20, 2, True, False),
        ("limit=007", 7, 1, 7, 4, True, False),
        ("limit=%205%20", 5, 1, 5, 5, True, False),
        ("limit=3&limit=4", 4, 1, 4, 6, True, False),
        ("offset=0&limit=5", 5, 1, 5, 5, True, False),
        ("offset=3&limit=5", 5, 1, 5, 5, True, True),
        ("offset=5&limit=5", 5, 2, 5, 5, True, True),
        ("offset=18&limit=5", 5, 4, 5, 5, False, True),
        ("offset=20&limit=5", 3, 5, 5, 5, False, True),
        ("offset=23&limit=5", 0, 5, 5, 5, False, True),
        ("offset=10&page=1&limit=5", 5, 1, 5, 5, True, False),
        ("unknown=1&x[]=2&searchType=name&=&&a", 20, 1, 20, 2, True, False),
    ],
)
def test_pages(
    admin: httpx.Client,
    rows: list[str],
    query: str,
    items: int,
    page: int,
    limit: int,
    pages: int,
    has_next: bool,
    has_prev: bool,
) -> None:
    answer = admin.get(f"/v1/data/pages?{query}")
    found = pagination(answer)
    assert len(ok(answer)["items"]) == items
    assert found == {
        "total": COUNT,
        "page": page,
        "limit": limit,
        "totalPages": pages,
        "hasNext": has_next,
        "hasPrev": has_prev,
        "hasNextPage": has_next,
        "hasPrevPage": has_prev,
    }


@pytest.mark.parametrize("name", ["page", "limit"])
@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", "1e2", "0x1", "1,2", "%00", "٣", "--1"])
def test_bad_page_numbers_are_refused(admin: httpx.Client, name: str, value: str) -> None:
    assert problems(admin.get(f"/v1/data/pages?{name}={value}")) == [(name, "minimum")]


@pytest.mark.parametrize("value", ["-1", "abc", "1.5"])
def test_bad_offsets_are_refused(admin: httpx.Client, value: str) -> None:
    assert problems(admin.get(f"/v1/data/pages?offset={value}")) == [("offset", "minimum")]


def test_empty_table_has_no_pages(admin: httpx.Client) -> None:
    answer = admin.get("/v1/data/defaults?andFilters=" + '{"id":"none"}')
    assert ok(answer)["items"] == []
    found = pagination(answer)
    assert (found["total"], found["totalPages"], found["page"]) == (0, 0, 1)
    assert (found["hasNext"], found["hasPrev"]) == (False, False)


def test_newest_come_first_unless_ascending_is_asked_for(
    admin: httpx.Client, rows: list[str]
) -> None:
    newest = names(admin.get("/v1/data/pages?limit=100"), "id")
    assert newest == rows[::-1]
    ascending = admin.get("/v1/data/pages?limit=100&sortDirection=asc")
    assert names(ascending, "id") == rows


@pytest.mark.parametrize("limit", [1, 7, 23])
def test_walking_all_pages_yields_every_row_once(
    admin: httpx.Client, rows: list[str], limit: int
) -> None:
    seen: list[str] = []
    page, more = 1, True
    while more:
        answer = admin.get(f"/v1/data/pages?limit={limit}&page={page}")
        seen += names(answer, "id")
        more, page = pagination(answer)["hasNext"], page + 1
    assert seen == rows[::-1]


def test_total_follows_every_write(admin: httpx.Client) -> None:
    def total() -> int:
        query = '/v1/data/free?limit=1&andFilters={"counted":true}'
        return int(pagination(admin.get(query))["total"])

    assert total() == 0
    made = [ok(admin.post("/v1/data/free", json={"counted": True}), 201)["id"] for _ in range(3)]
    assert total() == 3
    ok(admin.patch(f"/v1/data/free/{made[0]}", json={"counted": False}))
    assert total() == 2
    ok(admin.delete(f"/v1/data/free/{made[1]}"))
    assert total() == 1
    ok(admin.post("/v1/data/free", json=[{"counted": True}] * 5), 201)
    assert total() == 6


def test_total_counts_what_the_filter_leaves(admin: httpx.Client, rows: list[str]) -> None:
    answer = admin.get('/v1/data/pages?limit=2&andFilters={"name":{"$in":["1","2","3","x"]}}')
    assert len(ok(answer)["items"]) == 2
    assert pagination(answer)["total"] == 3


def test_search_and_its_total(admin: httpx.Client, rows: list[str]) -> None:
    answer = admin.get("/v1/data/pages?limit=3&search=%201%20")
    assert all("1" in name for name in names(answer))
    assert pagination(answer)["total"] == len([n for n in range(COUNT) if "1" in str(n)])
    assert len(names(admin.get("/v1/data/pages?search=1&searchType=nothing"))) == 0
    assert pagination(admin.get("/v1/data/pages?search="))["total"] == COUNT
    assert problems(admin.get("/v1/data/pages?search=" + "a" * 257)) == [("search", "maxLength")]


def test_bracket_filters(admin: httpx.Client, rows: list[str]) -> None:
    for query in ("filter[name]=7", "andFilters[name][$in]=7,x", "filter%5Bname%5D%5Bregex%5D=^7"):
        assert names(admin.get(f"/v1/data/pages?{query}")) == ["7"]
    answer = admin.get("/v1/data/pages?filter[name][near]=7")
    assert problems(answer) == [("filter[name][near]", "operator")]
    assert problems(admin.get("/v1/data/pages?orFilters[name]=7"))[0][0] == "orFilters[name]"


def test_query_that_is_no_utf8_or_endless_is_refused(admin: httpx.Client) -> None:
    assert admin.get("/v1/data/pages?a=%FF").status_code == 400
    assert admin.get("/v1/data/pages?" + "&".join(["a=1"] * 201)).status_code == 400
    ok(admin.get("/v1/data/pages?" + "&".join(["a=1"] * 200)))


def test_a_repeated_list_shows_every_change_at_once(admin: httpx.Client) -> None:
    mark = "kept-list"
    address = f'/v1/data/pages?andFilters={{"title":"{mark}"}}'

    def titles() -> list[Any]:
        body = ok(admin.get(address))
        assert body["pagination"]["total"] == len(body["items"])
        return [item.get("n") for item in body["items"]]

    for _ in range(3):
        before = titles()
        assert titles() == before
        made = admin.post("/v1/data/pages", json={"title": mark, "n": 1}).json()
        assert titles() == [1, *before]
        admin.patch(f"/v1/data/pages/{made['id']}", json={"n": 2})
        assert titles() == [2, *before]
        admin.delete(f"/v1/data/pages/{made['id']}")
        assert titles() == before
