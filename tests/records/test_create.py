"""`POST /v1/data/:table` with one object (20 §4.1, §2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import ok, problems, refusal
from tests.people import People


def test_created_record_equals_the_one_read_afterwards(owner: httpx.Client, people: People) -> None:
    created = owner.post("/v1/data/articles", json={"title": "First", "tags": ["a", "b"]})
    record = ok(created, 201)
    assert list(record) == [
        *("id", "title", "tags", "status", "views"),
        *("createdBy", "createdAt", "updatedAt"),
    ]
    assert record["createdBy"] == people.owner.id
    assert record["createdAt"] == record["updatedAt"]
    assert owner.get(f"/v1/data/articles/{record['id']}").content == created.content


def test_defaults_fill_only_what_is_absent(owner: httpx.Client) -> None:
    record = ok(owner.post("/v1/data/articles", json={"title": "a", "views": None}), 201)
    assert record["status"] == "draft"
    assert record["views"] is None


def test_fields_never_set_are_absent(owner: httpx.Client) -> None:
    record = ok(owner.post("/v1/data/articles", json={"title": "bare"}), 201)
    assert "tags" not in record
    assert "slug" not in record


def test_undeclared_fields_are_stored_as_they_come(owner: httpx.Client) -> None:
    extra: dict[str, Any] = {
        "dotted": {"a.b": 1, "deep": [[], {}, [None, True, "x"]]},
        "text": "Grüße 😀 \u0000 \u2028",
        "with space": 1,
    }
    record = ok(owner.post("/v1/data/articles", json={"title": "x", **extra}), 201)
    assert {name: record[name] for name in extra} == extra


@pytest.mark.parametrize("name", ["id", "_id", "createdBy", "createdAt", "updatedAt"])
def test_system_fields_in_the_body_are_ignored(
    owner: httpx.Client, people: People, name: str
) -> None:
    record = ok(owner.post("/v1/data/articles", json={"title": "x", name: "forged"}), 201)
    assert "_id" not in record
    assert "forged" not in record.values()
    assert record["createdBy"] == people.owner.id


def test_anonymous_writes_belong_to_nobody(
    anonymous: httpx.Client, owner: httpx.Client, people: People
) -> None:
    record = ok(anonymous.post("/v1/data/guests", json={"createdBy": people.owner.id}), 201)
    assert record["createdBy"] == ""
    refusal(owner.patch(f"/v1/data/guests/{record['id']}", json={}), 403, "data/permission-denied")


class TestTheCreator:
    def test_of_a_bare_secret_key_is_what_the_body_says(
        self, admin: httpx.Client, people: People
    ) -> None:
        body = {"text": "order", "createdBy": people.owner.id}
        record = ok(admin.post("/v1/data/notes", json=body), 201)
        assert record["createdBy"] == people.owner.id
        with people.owner.client() as owner:
            assert ok(owner.get(f"/v1/data/notes/{record['id']}")) == record

    @pytest.mark.parametrize("named", [None, 5, ["u"], {"$ne": ""}, "x" * 65])
    def test_of_a_bare_secret_key_is_nobody_unless_a_short_text_says_otherwise(
        self, admin: httpx.Client, named: Any
    ) -> None:
        record = ok(admin.post("/v1/data/free", json={"createdBy": named}), 201)
        assert record["createdBy"] == ""

    def test_of_a_secret_key_with_a_user_is_the_user(
        self, admin: httpx.Client, people: People
    ) -> None:
        with people.owner.client(admin.headers["x-api-key"]) as both:
            body = {"createdBy": people.other.id}
            assert ok(both.post("/v1/data/free", json=body), 201)["createdBy"] == people.owner.id

    def test_of_an_admin_user_is_that_user(self, people: People) -> None:
        with people.admin.client() as client:
            body = {"createdBy": people.other.id}
            assert ok(client.post("/v1/data/free", json=body), 201)["createdBy"] == people.admin.id


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"nope", b"{'title':'x'}", b'{"title":"x"}x', b'{"title":NaN}'),
        *(b'{"title":1e999}', b'{"title":"\xff"}', b'{"title":"\\ud800"}', b"\x00"),
        b"[" * 5000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_malformed_json_is_refused(owner: httpx.Client, body: bytes) -> None:
    answer = owner.post("/v1/data/articles", content=body)
    assert "details" not in refusal(answer, 400, "data/validation-error", "not valid JSON")


@pytest.mark.parametrize("body", [b"null", b"5", b'"title"', b"true"])
def test_json_that_is_no_object_is_refused(owner: httpx.Client, body: bytes) -> None:
    refusal(owner.post("/v1/data/articles", content=body), 400, "data/validation-error", "object")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"": 1}, ""),
        ({"$set": 1}, "$set"),
        ({"a\0b": 1}, "a\0b"),
        ({"a.b": 1}, "a.b"),
        ({"o": {"": 1}}, "o."),
        ({"o": {"$x": 1}}, "o.$x"),
        ({"o": {"l": [1, {"$x": 1}]}}, "o.l[1].$x"),
        ({"l": [[{"a\0": 1}]]}, "l[0][0].a\0"),
    ],
)
def test_impossible_field_names_are_refused_at_any_depth(
    owner: httpx.Client, body: dict[str, Any], field: str
) -> None:
    answer = owner.post("/v1/data/articles", json={"title": "x", **body})
    assert problems(answer) == [(field, "fieldName")]


def test_nesting_has_a_limit(owner: httpx.Client) -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(depth - 1):
            value = [value]
        return {"title": "x", "deep": value}

    record = ok(owner.post("/v1/data/articles", json=nested(64)), 201)
    assert record["deep"] == nested(64)["deep"]
    [(field, rule)] = problems(owner.post("/v1/data/articles", json=nested(65)))
    assert rule == "depth"
    assert field.startswith("deep")


def test_empty_object_is_a_record_where_nothing_is_required(admin: httpx.Client) -> None:
    assert ok(admin.post("/v1/data/free", json={}), 201)["createdBy"] == ""


@pytest.mark.parametrize("type", ["", "text/plain", "application/x-www-form-urlencoded", "x", "/"])
def test_json_is_accepted_whatever_its_declared_type(owner: httpx.Client, type: str) -> None:
    headers = {"Content-Type": type} if type else {}
    answer = owner.post("/v1/data/articles", content=b'{"title":"typed"}', headers=headers)
    assert ok(answer, 201)["title"] == "typed"


def test_numbers_that_grow_when_written_out_meet_the_limit_of_a_record(
    admin: httpx.Client,
) -> None:
    small = b'{"n":[' + b",".join([b"1e308"] * 100_000) + b"]}"
    assert len(small) < 1_000_000
    answer = admin.post("/v1/data/free", content=small)
    refusal(answer, 413, "common/payload-too-large", "16 MiB")
    batch = b"[" + b",".join([b'{"n":[' + b",".join([b"1e308"] * 600) + b"]}"] * 150) + b"]"
    refusal(admin.post("/v1/data/free", content=batch), 413, "common/payload-too-large")
