"""Names and values that would be code elsewhere (attack rows 7, 8, 9, 10)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from tests.answers import ok, refusal
from tests.security.conftest import Callers

MARK = "injection"
EVIL_NAMES = [
    "' OR 1=1 --",
    "x') OR 1=1 --",
    '"; DROP TABLE posts; --',
    "a'||(SELECT doc FROM sqlite_master)||'",
    "id) FROM t_1 UNION SELECT value FROM keys --",
    'a":"b',
    "a]",
    "a[0]",
    "a[#-1]",
    "*",
    "**",
    "@",
    "a->b",
    "a->>'$b'",
    "rowid",
    "doc",
    "created_by",
    "json_extract(doc,'$')",
    "CASE WHEN 1 THEN id END",
    "1",
    "-1",
    "?1",
    ":1",
    "%s",
    "{0}",
    "a b",
    "é",
    "__proto__",
    "a\\",
    "a'",
    'a"',
    "a`",
    "a\nb",
    "a;b",
    "a/*",
]


@pytest.fixture(scope="module", autouse=True)
def _rows(admin: httpx.Client) -> None:
    """Rows of the table `plain` that only these tests look at, one for each evil name."""
    body: list[dict[str, Any]] = [{"title": MARK, "n": n} for n in range(3)]
    body += [{"title": MARK, "evil": name, name: f"value {name}"} for name in EVIL_NAMES]
    ok(admin.post("/v1/data/plain", json=body), 201)


TOTAL = 3 + len(EVIL_NAMES)


def listed(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """The marked rows that satisfy a filter."""
    sent: dict[str, Any] = {"limit": "100", "andFilters": [f'{{"title":"{MARK}"}}']}
    for name, value in query.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        sent.setdefault(name, []).append(text)
    answer = ok(client.get("/v1/data/plain", params=sent))
    items: list[dict[str, Any]] = answer["items"]
    assert answer["pagination"]["total"] == len(items)
    return items


@pytest.mark.parametrize("name", EVIL_NAMES)
class TestFieldNames:
    def test_in_filters_mean_just_that_field(self, admin: httpx.Client, name: str) -> None:
        value = f"value {name}"
        for condition in (
            {name: value},
            {name: {"$in": [value]}},
            {name: {"$gte": value, "$lte": value}},
            {name: {"$exists": True}},
        ):
            for parameter in ("andFilters", "orFilters"):
                found = listed(admin, **{parameter: condition})
                assert [row.get("evil") for row in found] == [name]
        assert len(listed(admin, andFilters={name: None})) == TOTAL - 1
        assert len(listed(admin, andFilters={name: {"$ne": value}})) == TOTAL - 1

    def test_in_nested_paths_reach_nothing(self, admin: httpx.Client, name: str) -> None:
        for path in (f"{name}.x", f"n.{name}", f"{name}.{name}"):
            assert listed(admin, andFilters={path: {"$exists": True}}) == []

    def test_in_sorts_move_just_their_row(self, admin: httpx.Client, name: str) -> None:
        rows = listed(admin, sortBy=name)
        assert len({row["id"] for row in rows}) == len(rows) == TOTAL
        assert rows[0].get("evil") == name.strip()

    def test_in_select_choose_just_that_field(self, admin: httpx.Client, name: str) -> None:
        rows = listed(admin, select=f"{name},n")
        extra = {"n", name.strip(), "id", "createdBy", "createdAt", "updatedAt"}
        assert len(rows) == TOTAL
        assert all(row.keys() <= extra for row in rows)

    def test_as_tables_and_ids_are_not_found(self, admin: httpx.Client, name: str) -> None:
        quoted = quote(name, safe="")
        for path in (f"/v1/data/{quoted}", f"/v1/data/plain/{quoted}"):
            assert admin.get(path).status_code == 404


@pytest.mark.parametrize("operator", ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"])
@pytest.mark.parametrize(
    "operand",
    [
        *(None, True, 0, 1.5, 10**400, "", "x", "' OR 1=1", [], {}, [[]], [None], [{}]),
        *({"length": 1, "0": "x"}, {"$eq": 1}, [{"$ne": None}], [["x"]], {"a": {"$gt": 0}}),
    ],
    ids=lambda operand: repr(operand)[:20],
)
def test_operands_of_any_type_are_compared_or_refused(
    admin: httpx.Client, operator: str, operand: Any
) -> None:
    filters = f'{{"title":{{"{operator}":{_json(operand)}}}}}'
    answer = admin.get("/v1/data/plain", params={"andFilters": filters, "limit": "1"})
    if operator in ("$in", "$nin") and not isinstance(operand, list):
        refusal(answer, 400, "data/validation-error")
        return
    if answer.status_code == 400:
        refusal(answer, 400, "data/validation-error")
        return
    if operator in ("$eq", "$in", "$gt", "$gte", "$lt", "$lte") and not isinstance(operand, str):
        rows = ok(answer)["items"]
        assert all(MARK not in str(row.get("title")) for row in rows)


def _json(value: Any) -> str:
    return str(value) if isinstance(value, int) and value > 2**70 else orjson.dumps(value).decode()


def test_empty_list_is_never_true(admin: httpx.Client) -> None:
    assert listed(admin, andFilters={"title": {"$in": []}}) == []
    assert listed(admin, orFilters={"title": {"$in": []}, "n": {"$in": []}}) == []


OBJECTS: list[Any] = [{"$ne": None}, {"$gt": ""}, ["x"], 5, True, None, {"$regex": ".*"}]


@pytest.mark.parametrize("value", OBJECTS, ids=repr)
@pytest.mark.parametrize(
    ("path", "field", "rest"),
    [
        ("email/signin", "email", {"password": "correct horse"}),
        ("email/signin", "password", {"email": "owner@people.example"}),
        ("email/signup", "email", {"password": "correct horse", "name": "x"}),
        ("email/signup", "password", {"email": "object@injection.example", "name": "x"}),
        ("email/signup", "name", {"email": "object@injection.example", "password": "x" * 9}),
        ("refresh", "refreshToken", {}),
    ],
)
def test_object_in_place_of_a_text_is_refused(
    bare: httpx.Client,
    callers: Callers,
    path: str,
    field: str,
    rest: dict[str, str],
    value: Any,
) -> None:
    headers = callers.headers["anonymous"]
    answer = bare.post(f"/v1/auth/{path}", json={**rest, field: value}, headers=headers)
    inner = refusal(answer, 400, "auth/invalid-request")
    assert inner["details"][0]["field"] == field


@pytest.mark.parametrize(
    "value", ['{"$ne":null}', "[object Object]", "*", "%", "_", "null", "true"]
)
def test_object_in_place_of_an_id_finds_nothing(
    bare: httpx.Client, callers: Callers, value: str
) -> None:
    headers = callers.headers["secret"]
    refusal(bare.get(f"/v1/data/plain/{quote(value)}", headers=headers), 404, "data/not-found")
    refusal(bare.delete(f"/v1/data/plain/{quote(value)}", headers=headers), 404, "data/not-found")


def test_query_parameters_as_objects_change_no_row(admin: httpx.Client) -> None:
    everything = len(listed(admin))
    for query in ({"id[$ne]": "x"}, {"$where": "1"}, {"page[$gt]": "1"}, {"_method": "DELETE"}):
        assert len(listed(admin, **query)) == everything


def test_method_override_is_not_a_thing(admin: httpx.Client) -> None:
    row = listed(admin)[0]
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = admin.get(f"/v1/data/plain/{row['id']}", headers={name: "DELETE"})
        assert ok(answer)["id"] == row["id"]
