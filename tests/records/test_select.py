"""`select`, on lists and single records (20 §8)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import ok, problems

RECORD: dict[str, Any] = {
    "name": "x",
    "n": None,
    "big": 1e20,
    "o": {"a": 1, "b": {"c": 2, "d": [1]}},
    "list": [{"k": 1, "l": 2}, {"l": 3}, 5, {"k": {"m": 1}}],
}
SYSTEM = ["createdBy", "createdAt", "updatedAt"]


@pytest.fixture(scope="module")
def id(admin: httpx.Client) -> str:
    """The id of the only row of the table `selects`."""
    return str(ok(admin.post("/v1/data/selects", json=RECORD), 201)["id"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select=name", {"name": "x"}),
        ("select=name,n", {"name": "x", "n": None}),
        ("select=n, name ,", {"name": "x", "n": None}),
        ("select=name&select=n", {"name": "x", "n": None}),
        ("select[]=name&select[]=n", {"name": "x", "n": None}),
        ("select=nothing", {}),
        ("select=id", {}),
        ("select=_id,createdAt,createdBy", {}),
        ("select=,", {}),
        ("select=o.a", {"o": {"a": 1}}),
        ("select=o.b.c,o.b.d", {"o": {"b": {"c": 2, "d": [1]}}}),
        ("select=o.a,o", {"o": RECORD["o"]}),
        ("select=o,o.a", {"o": RECORD["o"]}),
        ("select=o.a.z", {}),
        ("select=o.nothing", {}),
        ("select=list.k", {"list": [{"k": 1}, {"k": {"m": 1}}]}),
        ("select=list.k.m", {"list": [{"k": {"m": 1}}]}),
        ("fields=name", {"name": "x"}),
        ("fields[]=name", {"name": "x"}),
        ("select=n&fields=name", {"n": None}),
        ("select=&fields=name", {"name": "x"}),
        ("select=name&unknown=1", {"name": "x"}),
    ],
)
def test_only_the_selected_branches_and_system_fields_come(
    admin: httpx.Client, id: str, query: str, expected: dict[str, Any]
) -> None:
    one = ok(admin.get(f"/v1/data/selects/{id}?{query}"))
    assert {name: value for name, value in one.items() if name not in ["id", *SYSTEM]} == expected
    assert next(iter(one)) == "id"
    assert list(one)[-3:] == SYSTEM
    assert ok(admin.get(f"/v1/data/selects?{query}"))["items"] == [one]


def test_selected_numbers_keep_their_wire_form(admin: httpx.Client, id: str) -> None:
    for path in (f"/v1/data/selects/{id}?select=big", "/v1/data/selects?select=big"):
        assert b'"big":100000000000000000000,' in admin.get(path).content


@pytest.mark.parametrize("name", ["$x", "a..b", ".a", "a.$b", "%00", "a,$b"])
def test_malformed_names_are_refused(admin: httpx.Client, id: str, name: str) -> None:
    for path in (f"/v1/data/selects/{id}", "/v1/data/selects"):
        assert problems(admin.get(f"{path}?select={name}")) == [("select", "path")]


def test_thousands_of_names_are_taken(admin: httpx.Client, id: str) -> None:
    wanted = ",".join(f"list.{n:x}" for n in range(6000))
    assert ok(admin.get(f"/v1/data/selects?select={wanted},name"))["items"][0]["name"] == "x"
