"""`sortBy` and `sortDirection` (20 §7)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import names, ok, problems

# Ascending type order: empty array, null or missing, number, string, object, boolean.
# An array stands where its smallest element does, descending where its largest does.
MIXED: list[tuple[str, Any]] = [
    ("empty array", []),
    ("null", None),
    ("missing", ...),
    ("minus", -1.5),
    ("array from zero", [9, 0]),
    ("one", 1),
    ("ten", 10),
    ("empty text", ""),
    ("capital", "Z"),
    ("small", "a"),
    ("word ten", "word 10"),
    ("word two", "word 2"),
    ("accent", "é"),
    ("emoji", "😀"),
    ("object", {"z": 1}),
    ("other object", {"a": 2}),
    ("false", False),
    ("true", True),
]
# Equal keys come by id, and later rows of MIXED are made first.
TIED = {"null": "missing", "missing": "null", "object": "other object", "other object": "object"}
ASCENDING = [TIED.get(name, name) for name, _ in MIXED]


@pytest.fixture(scope="module")
def rows(admin: httpx.Client) -> list[str]:
    """The only rows of the table `sorts`, made in another order than they sort in."""
    body = [
        {"name": name, **({} if value is ... else {"v": value}), "deep": {"v": len(name)}}
        for name, value in reversed(MIXED)
    ]
    made = ok(admin.post("/v1/data/sorts", json=body), 201)
    return [record["id"] for record in made]


def test_types_sort_in_their_order(admin: httpx.Client, rows: list[str]) -> None:
    query = "/v1/data/sorts?limit=100&sortBy=v&sortDirection=asc"
    assert names(admin.get(query)) == ASCENDING


def test_descending_is_the_exact_reverse_but_for_arrays(
    admin: httpx.Client, rows: list[str]
) -> None:
    expected = [name for name in ASCENDING[::-1] if name != "array from zero"]
    expected.insert(expected.index("ten") + 1, "array from zero")  # 9 is its largest
    assert names(admin.get("/v1/data/sorts?limit=100&sortBy=v")) == expected
    assert names(admin.get("/v1/data/sorts?limit=100&sortBy=v&sortDirection=DESC")) == expected


@pytest.mark.parametrize("by", ["v", "deep.v", "name", "createdAt", "id", "nothing", "updatedAt"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 4])
def test_walking_all_pages_yields_every_row_once(
    admin: httpx.Client, rows: list[str], by: str, direction: str, limit: int
) -> None:
    seen: list[str] = []
    for page in range(1, len(rows) // limit + 2):
        query = f"sortBy={by}&sortDirection={direction}&limit={limit}&page={page}"
        seen += names(admin.get(f"/v1/data/sorts?{query}"), "id")
    assert sorted(seen) == sorted(rows)
    assert len(seen) == len(rows)


@pytest.mark.parametrize("by", ["name", "id", "_id", "deep.v", "nothing", "createdAt", "createdBy"])
def test_descending_reverses_ascending(admin: httpx.Client, rows: list[str], by: str) -> None:
    def ids(direction: str) -> list[str]:
        query = f"/v1/data/sorts?limit=100&sortBy={by}&sortDirection={direction}"
        return [str(id) for id in names(admin.get(query), "id")]

    assert ids("asc") == ids("desc")[::-1]


@pytest.mark.parametrize("by", ["nothing", "createdAt", "name.deeper", "deep"])
def test_equal_keys_follow_the_id_in_the_same_direction(
    admin: httpx.Client, rows: list[str], by: str
) -> None:
    query = f"/v1/data/sorts?limit=100&sortBy={by}&sortDirection="
    assert names(admin.get(query + "asc"), "id") == rows
    assert names(admin.get(query + "desc"), "id") == rows[::-1]


def test_direction_alone_turns_the_creation_order(admin: httpx.Client, rows: list[str]) -> None:
    assert names(admin.get("/v1/data/sorts?limit=100&sortDirection=AsC"), "id") == rows


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sortDirection=up", "sortDirection"),
        ("sortDirection=1", "sortDirection"),
        ("sortBy=$name", "sortBy"),
        ("sortBy=a..b", "sortBy"),
        ("sortBy=.", "sortBy"),
        ("sortBy=a.", "sortBy"),
        ("sortBy=a.$b", "sortBy"),
        ("sortBy=%00", "sortBy"),
        ("sortBy=" + ".".join("abcdefghijk"), "sortBy"),
        ("sortBy=" + "a" * 257, "sortBy"),
    ],
)
def test_malformed_sorts_are_refused(admin: httpx.Client, query: str, field: str) -> None:
    [(place, _)] = problems(admin.get(f"/v1/data/sorts?{query}"))
    assert place == field


def test_path_at_its_limits_is_taken(admin: httpx.Client, rows: list[str]) -> None:
    for path in (".".join("abcdefghij"), "a" * 256):
        assert len(names(admin.get(f"/v1/data/sorts?limit=100&sortBy={path}"))) == len(rows)
