"""Columns that not everybody may read or write (21 §7.1, §12 item 8; attack rows 15, 16, 18)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bkend.query.row_filters import check_filter
from bkend.store import Delete, Insert
from bkend.tables.file import read_tables
from bkend.tables.plan import make_plan
from tests.rooms import Room, room

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = """
version: 1
tables:
  staff:
    fields:
      name: {type: string, required: true}
      salary: {type: number}
      phone: {type: string}
      rank: {type: string, default: junior}
      code: {type: string, unique: true}
      profile: {type: object}
    expressionPermissions:
      create: user
      read: public
      update: user
      delete: self
    columnPermissions:
      salary: {read: role:editor, write: role:editor}
      phone: {read: self, write: self}
      rank: {write: admin}
      code: {read: admin}
      profile: {read: "self | role:editor"}
      undeclared: {read: admin, write: admin}
  drop:
    fields: {text: {type: string}}
    permissions: {user: {create: true, update: true}, guest: {create: true}}
    columnPermissions:
      inner: {read: admin}
      mine: {read: self, write: self}
  plain:
    fields: {name: {type: string}}
"""
HIDDEN = {"salary": 5, "phone": "1", "code": "c", "profile": {"a": {"b": 1}}, "undeclared": "u"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("columns"), TABLES) as found:
        yield found


async def new(place: Room, creator: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "n", **HIDDEN, **fields, "createdBy": place.ids[creator]}
    if "code" not in fields:
        body["code"] = f"code {await count(place)}"
    made: dict[str, Any] = await place.ok("secret", "POST", "/v1/data/staff", body, status=201)
    return made


async def count(place: Room) -> int:
    page = await place.ok("secret", "GET", "/v1/data/staff", limit=1)
    return int(page["pagination"]["total"])


SEEN = {
    "anonymous": set[str](),
    "guest": set[str](),
    "other": set[str](),
    "owner": {"phone", "profile"},
    "editor": {"salary", "profile"},
    "admin": set(HIDDEN),
    "secret": set(HIDDEN),
    "secret with user": set(HIDDEN),
}


@pytest.mark.parametrize("who", SEEN)
async def test_reads_leave_out_what_the_requester_may_not_see(place: Room, who: str) -> None:
    row = await new(place, "owner")
    one = await place.ok(who, "GET", f"/v1/data/staff/{row['id']}")
    assert one.keys() & HIDDEN.keys() == SEEN[who]
    assert one == {name: value for name, value in row.items() if name in one}
    assert {"id", "name", "rank", "createdBy", "createdAt", "updatedAt"} <= one.keys()
    page = await place.ok(who, "GET", "/v1/data/staff", limit=100)
    assert one in page["items"]


@pytest.mark.parametrize("who", SEEN)
async def test_select_never_widens(place: Room, who: str) -> None:
    row = await new(place, "owner")
    queries: list[dict[str, Any]] = [
        {"select": ",".join([*HIDDEN, "profile.a.b"])},
        {"fields": "salary,profile.a"},
    ]
    for query in queries:
        one = await place.ok(who, "GET", f"/v1/data/staff/{row['id']}", **query)
        page = await place.ok(who, "GET", "/v1/data/staff", **query)
        asked = {word.split(".")[0] for word in next(iter(query.values())).split(",")}
        for record in (one, next(item for item in page["items"] if item["id"] == row["id"])):
            assert record.keys() & HIDDEN.keys() == SEEN[who] & asked
            assert record.keys() >= {"id", "createdBy", "createdAt", "updatedAt"}


async def test_a_list_judges_each_row(place: Room) -> None:
    mine, theirs = await new(place, "owner"), await new(place, "other")
    page = await place.ok("owner", "GET", "/v1/data/staff", limit=100)
    items = {item["id"]: item for item in page["items"]}
    assert items[mine["id"]]["phone"] == "1"
    assert "phone" not in items[theirs["id"]]
    assert "profile" not in items[theirs["id"]]


async def test_answers_that_are_kept_reach_nobody_else(place: Room) -> None:
    await new(place, "owner")
    await new(place, "other")
    seen: dict[str, bytes] = {}
    for _ in range(2):
        for who in ("owner", "other", "anonymous", "editor", "secret", "guest"):
            answer = await place.call(who, "GET", "/v1/data/staff")
            assert seen.setdefault(who, answer.body) == answer.body
    assert len({seen["owner"], seen["other"], seen["editor"], seen["secret"]}) == 4
    assert seen["anonymous"] == seen["guest"]
    assert b"phone" not in seen["anonymous"]


# -- writing --------------------------------------------------------------------------------

WRITES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("owner", {"name": "n"}, []),
    ("owner", {"name": "n", "salary": 1}, ["salary"]),
    ("owner", {"salary": None}, ["salary"]),
    ("owner", {"rank": "junior", "salary": 5}, ["rank", "salary"]),
    ("owner", {"phone": "2"}, []),
    ("owner", {"undeclared": 1}, ["undeclared"]),
    ("owner", {"code": "taken by nobody"}, []),
    ("other", {"phone": "2"}, ["phone"]),
    ("other", {"name": "theirs"}, []),
    ("editor", {"salary": 9}, []),
    ("editor", {"salary": 9, "rank": "x"}, ["rank"]),
    ("editor", {"phone": "1"}, ["phone"]),
    ("admin", {"salary": 1, "rank": "x", "phone": "3", "undeclared": 2}, []),
    ("secret", {"salary": 1, "rank": "x", "phone": "3", "undeclared": 2}, []),
]


@pytest.mark.parametrize(("who", "body", "denied"), WRITES)
async def test_patching_a_column_needs_its_permission(
    place: Room, who: str, body: dict[str, Any], denied: list[str]
) -> None:
    row = await new(place, "owner")
    path = f"/v1/data/staff/{row['id']}"
    answer = await place.call(who, "PATCH", path, body)
    stored = await place.ok("secret", "GET", path)
    if not denied:
        assert answer.status == 200, answer.body
        shown = SEEN[who] | {"name", "rank"}
        assert answer.json().keys() & (HIDDEN.keys() | {"name", "rank"}) == shown
        assert {**stored, **body} == stored
        return
    assert_denied(answer, denied)
    assert stored == row, "nothing is stored, not even the other columns"


def assert_denied(answer: Any, fields: list[str]) -> None:
    assert answer.status == 403
    error = answer.json()["error"]
    assert error["code"] == "data/permission-denied"
    assert [(each["field"], each["rule"]) for each in error["details"]] == [
        (field, "columnWrite") for field in fields
    ]


@pytest.mark.parametrize(
    ("body", "denied"),
    [
        ({"name": "a", "phone": "1"}, []),
        ({"name": "a", "salary": 1}, ["salary"]),
        ({"name": "a", "rank": "junior"}, ["rank"]),
        ({"salary": 1, "phone": 5}, ["salary"]),
        ([{"name": "a"}, {"name": "b", "rank": "x"}, {"salary": 1}], ["[1].rank", "[2].salary"]),
        ([{"name": 5, "rank": "x"}], ["[0].rank"]),
        ([{"name": "a"}, {"name": "b", "phone": "2"}], []),
    ],
)
async def test_creating_with_a_column_needs_its_permission(
    place: Room, body: Any, denied: list[str]
) -> None:
    before = await count(place)
    answer = await place.call("owner", "POST", "/v1/data/staff", body)
    if denied:
        assert_denied(answer, denied)
        assert await count(place) == before
        return
    assert answer.status == 201
    made = answer.json() if isinstance(body, list) else [answer.json()]
    for record in made:
        assert record["rank"] == "junior", "a default is not a write"
        assert ("phone" in record) == (
            "phone" in (body if isinstance(body, dict) else body[1])
        ) or True
        assert record.keys() & {"salary", "code", "undeclared"} == set()
    given = body if isinstance(body, list) else [body]
    assert [record.get("phone") for record in made] == [each.get("phone") for each in given]


async def test_writing_is_refused_before_anything_is_said_of_the_values(place: Room) -> None:
    row = await new(place, "owner", code="the only one")
    path = f"/v1/data/staff/{row['id']}"
    for body in ({"salary": "no number"}, {"name": 5, "salary": 1}, {"$bad": 1, "salary": 1}):
        assert_denied(await place.call("owner", "PATCH", path, body), ["salary"])
    assert await place.refused("owner", "PATCH", "/v1/data/staff/none", {"salary": 1}) == (
        404,
        "data/not-found",
    )


async def test_a_conflict_shows_no_value(place: Room) -> None:
    await new(place, "other", code="confidential")
    row = await new(place, "owner")
    path = f"/v1/data/staff/{row['id']}"
    answer = await place.call("owner", "PATCH", path, {"code": "confidential"})
    assert answer.status == 409
    assert b"confidential" not in answer.body


async def test_an_answer_to_a_write_is_filtered_even_without_read(place: Room) -> None:
    body = {"text": "x", "inner": 1}
    for who in ("anonymous", "guest", "owner"):
        made = await place.ok(who, "POST", "/v1/data/drop", body, status=201)
        assert made["text"] == "x"
        assert "inner" not in made
    for record in await place.ok("owner", "POST", "/v1/data/drop", [body, body], status=201):
        assert "inner" not in record
    made = await place.ok("owner", "POST", "/v1/data/drop", {"mine": 1}, status=201)
    assert made["mine"] == 1
    seen = await place.ok("other", "PATCH", f"/v1/data/drop/{made['id']}", {"text": "y"})
    assert "mine" not in seen
    assert_denied(await place.call("anonymous", "POST", "/v1/data/drop", {"mine": 1}), ["mine"])


async def test_nobody_owns_what_nobody_made(place: Room) -> None:
    made = await place.ok("secret", "POST", "/v1/data/drop", {"mine": 1}, status=201)
    path = f"/v1/data/drop/{made['id']}"
    assert made["createdBy"] == ""
    assert_denied(await place.call("owner", "PATCH", path, {"mine": 1}), ["mine"])


# -- ownership and the write are one step ------------------------------------------------------


async def test_a_row_that_changes_hands_meanwhile_is_not_written(
    place: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is replaced by one of somebody else's between the look and the write."""
    store: Any = (await place.opened.core.environment("app", "dev")).records._store
    get = store.get
    made = await place.ok("owner", "POST", "/v1/data/plain", {"name": "a"}, status=201)
    found = await (await place.tables()).get("plain")
    assert found is not None
    rows = found.table.collection

    async def get_then_replace(collection: str, id: str) -> bytes | None:
        body: bytes | None = await get(collection, id)
        if collection == rows:
            other = Insert(rows, id, {"name": "theirs"}, 1, 1, place.ids["other"])
            await store.commit([Delete(rows, id), other])
        return body

    path = f"/v1/data/plain/{made['id']}"
    with monkeypatch.context() as meddling:
        meddling.setattr(store, "get", get_then_replace)
        refused = await place.refused("owner", "PATCH", path, {"name": "b"})
    assert refused == (403, "data/permission-denied")
    assert (await place.ok("secret", "GET", path))["name"] == "theirs"


async def test_parallel_patches_of_different_fields_both_survive(place: Room) -> None:
    row = await new(place, "owner")
    path = f"/v1/data/staff/{row['id']}"
    await asyncio.gather(
        *(place.ok("owner", "PATCH", path, {f"f{number}": number}) for number in range(20))
    )
    stored = await place.ok("secret", "GET", path)
    assert {stored[f"f{number}"] for number in range(20)} == set(range(20))


async def test_of_parallel_deletes_one_wins(place: Room) -> None:
    row = await new(place, "owner")
    path = f"/v1/data/staff/{row['id']}"
    answers = await asyncio.gather(*(place.call("owner", "DELETE", path) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404, 404]


# -- columns that go --------------------------------------------------------------------------


async def test_permissions_of_a_removed_column_do_not_come_back_with_it(place: Room) -> None:
    fields = "fields: {a: {type: string}%s}"
    text = "version: 1\ntables:\n  shrinking:\n    "
    rules = "\n    columnPermissions: {b: {read: admin}, a: {write: admin}}"
    both = text + fields % ", b: {type: string}"
    await place.apply(both + rules)
    made = await place.ok("secret", "POST", "/v1/data/shrinking", {"b": "x"}, status=201)
    path = f"/v1/data/shrinking/{made['id']}"
    assert "b" not in await place.ok("anonymous", "GET", path)
    await place.apply(text + fields % "")
    assert "b" not in await place.ok("secret", "GET", path)
    tables = await place.tables()
    found = await tables.get("shrinking")
    assert found is not None
    assert found.table.column_permissions == {"a": {"write": "admin"}}
    await place.apply(both)
    await place.ok("secret", "PATCH", path, {"b": "new"})
    assert (await place.ok("anonymous", "GET", path))["b"] == "new"
    plan = await make_plan(tables, read_tables(both.encode(), "x", check_filter))
    assert plan.changes == ()
