"""`PATCH /v1/data/:table/:id` (20 §4.5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.answers import ok, problems, refusal
from tests.backdoor import insert_row
from tests.people import People
from tests.servers import RunningServer


@pytest.fixture
def article(owner: httpx.Client) -> dict[str, Any]:
    """A record of the owner's."""
    body = {"title": "first", "tags": ["a"], "extra": {"x": 1, "y": {"z": 2}}, "views": 3}
    record: dict[str, Any] = ok(owner.post("/v1/data/articles", json=body), 201)
    return record


def patch(client: httpx.Client, record: dict[str, Any], **fields: Any) -> httpx.Response:
    return client.patch(f"/v1/data/articles/{record['id']}", json=fields)


def test_listed_fields_are_replaced_whole_and_others_stay(
    owner: httpx.Client, article: dict[str, Any]
) -> None:
    changed = ok(patch(owner, article, tags=["b", "c"], extra={"y": 1}, new=True))
    expected = {**article, "tags": ["b", "c"], "extra": {"y": 1}, "new": True}
    assert {**changed, "updatedAt": ""} == {**expected, "updatedAt": ""}
    assert ok(owner.get(f"/v1/data/articles/{article['id']}")) == changed
    assert next(iter(changed)) == "id"
    assert list(changed)[-3:] == ["createdBy", "createdAt", "updatedAt"]


def test_every_update_moves_the_time_even_an_empty_one(
    owner: httpx.Client, article: dict[str, Any]
) -> None:
    seen = {article["updatedAt"]}
    while len(seen) < 3:  # until the clock has moved twice
        changed = ok(patch(owner, article))
        assert changed["updatedAt"] >= max(seen)
        assert {**changed, "updatedAt": ""} == {**article, "updatedAt": ""}
        seen.add(changed["updatedAt"])


def test_null_is_stored_on_an_optional_field(owner: httpx.Client, article: dict[str, Any]) -> None:
    changed = ok(patch(owner, article, views=None, tags=None, extra=None))
    assert (changed["views"], changed["tags"], changed["extra"]) == (None, None, None)


def test_null_on_a_required_field_is_refused(owner: httpx.Client, article: dict[str, Any]) -> None:
    answer = patch(owner, article, title=None)
    assert problems(answer) == [("title", "required")]
    assert answer.json()["message"] == "title is required"


def test_nothing_is_stored_when_one_field_is_wrong(
    owner: httpx.Client, article: dict[str, Any]
) -> None:
    assert problems(patch(owner, article, title="new", views="7")) == [("views", "type")]
    assert ok(owner.get(f"/v1/data/articles/{article['id']}")) == article


def test_defaults_inside_an_object_are_for_new_rows_only(admin: httpx.Client) -> None:
    record = ok(admin.post("/v1/data/typed", json={"title": "ab", "place": {"city": "x"}}), 201)
    assert record["place"] == {"city": "x", "country": "kr"}
    changed = ok(admin.patch(f"/v1/data/typed/{record['id']}", json={"place": {"city": "y"}}))
    assert changed["place"] == {"city": "y"}


def test_defaults_are_not_applied(owner: httpx.Client, article: dict[str, Any]) -> None:
    ok(patch(owner, article, status=None))
    assert ok(patch(owner, article, title="again"))["status"] is None


@pytest.mark.parametrize("name", ["id", "_id", "createdBy", "createdAt", "updatedAt"])
@pytest.mark.parametrize("value", ["forged", None, 5, {"$ne": ""}])
def test_system_fields_are_ignored(
    owner: httpx.Client, admin: httpx.Client, article: dict[str, Any], name: str, value: Any
) -> None:
    for client in (owner, admin):
        changed = ok(patch(client, article, **{name: value}))
        assert {**changed, "updatedAt": ""} == {**article, "updatedAt": ""}
        assert changed["updatedAt"] >= article["updatedAt"]


def test_a_whole_record_can_be_sent_back(owner: httpx.Client, article: dict[str, Any]) -> None:
    changed = ok(patch(owner, article, **{**article, "title": "edited"}))
    assert changed["title"] == "edited"
    assert changed["createdBy"] == article["createdBy"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'[{"title":"x"}]', b"null", b"5", b'"x"'])
def test_body_that_is_no_object_is_refused(
    owner: httpx.Client, article: dict[str, Any], body: bytes
) -> None:
    answer = owner.patch(f"/v1/data/articles/{article['id']}", content=body)
    refusal(answer, 400, "data/validation-error")


@pytest.mark.parametrize("name", ["", "$set", "a\0b", "a.b", "extra.x"])
def test_impossible_field_names_are_refused(
    owner: httpx.Client, article: dict[str, Any], name: str
) -> None:
    assert problems(patch(owner, article, **{name: 1})) == [(name, "fieldName")]


def test_foreign_and_missing_records(
    owner: httpx.Client,
    other: httpx.Client,
    anonymous: httpx.Client,
    people: People,
    article: dict[str, Any],
) -> None:
    refusal(patch(other, article, title="taken"), 403, "data/permission-denied")
    refusal(patch(anonymous, article, title="taken"), 403, "data/permission-denied")
    missing = {"id": "0" * 24}
    refusal(patch(owner, missing, title="x"), 404, "data/not-found")
    refusal(patch(anonymous, missing, title="x"), 403, "data/permission-denied")
    with people.admin.client() as admin_user:
        assert ok(patch(admin_user, article, title="moderated"))["createdBy"] == people.owner.id


def test_old_row_that_breaks_a_newer_rule_stays_editable(
    server: RunningServer, admin: httpx.Client
) -> None:
    id = insert_row(server, "typed", {"count": 99, "kind": "old"})
    path = f"/v1/data/typed/{id}"
    assert ok(admin.patch(path, json={"done": True}))["count"] == 99
    assert problems(admin.patch(path, json={"count": 99})) == [("count", "maximum")]


def test_updates_of_different_fields_at_once_all_stay(
    owner: httpx.Client, article: dict[str, Any]
) -> None:
    with ThreadPoolExecutor(10) as pool:
        for answer in pool.map(lambda n: patch(owner, article, **{f"f{n}": n}), range(30)):
            ok(answer)
    record = ok(owner.get(f"/v1/data/articles/{article['id']}"))
    assert [record[f"f{number}"] for number in range(30)] == list(range(30))


def test_a_record_cannot_grow_past_its_limit(admin: httpx.Client) -> None:
    path = f"/v1/data/free/{ok(admin.post('/v1/data/free', json={}), 201)['id']}"
    large = "x" * (9 * 1024 * 1024)
    assert admin.patch(path, json={"a": large}).status_code == 200
    refusal(admin.patch(path, json={"b": large}), 413, "common/payload-too-large", "16 MiB")
    assert "b" not in ok(admin.get(path))
    ok(admin.delete(path))
