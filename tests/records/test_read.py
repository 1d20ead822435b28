"""`GET /v1/data/:table/:id` (20 §4.3)."""

from __future__ import annotations

import httpx
import pytest

from tests.answers import ok, refusal
from tests.people import People


def test_record_is_answered_as_it_was_made(admin: httpx.Client) -> None:
    created = admin.post("/v1/data/free", json={"name": "x", "n": None, "o": {"b": 1, "a": 2}})
    answer = admin.get(f"/v1/data/free/{ok(created, 201)['id']}")
    assert ok(answer) == created.json()
    assert answer.content == created.content


@pytest.mark.parametrize(
    "id",
    ["000000000000000000000000", "x", "spec%20", "0", "null", "$ne", "a" * 65, "%F0%9F%98%80", "'"],
)
def test_unknown_or_impossible_ids_are_not_found(admin: httpx.Client, id: str) -> None:
    refusal(admin.get(f"/v1/data/free/{id}"), 404, "data/not-found")


def test_record_of_another_table_is_not_found(admin: httpx.Client) -> None:
    id = ok(admin.post("/v1/data/free", json={}), 201)["id"]
    refusal(admin.get(f"/v1/data/members/{id}"), 404, "data/not-found")


def test_foreign_record_is_forbidden_and_a_missing_one_not_found(
    owner: httpx.Client, other: httpx.Client, anonymous: httpx.Client
) -> None:
    id = ok(owner.post("/v1/data/notes", json={"text": "mine"}), 201)["id"]
    missing = "0" * 24
    refusal(other.get(f"/v1/data/notes/{id}"), 403, "data/permission-denied")
    refusal(other.get(f"/v1/data/notes/{missing}"), 404, "data/not-found")
    refusal(anonymous.get(f"/v1/data/notes/{id}"), 403, "data/permission-denied")
    refusal(anonymous.get(f"/v1/data/notes/{missing}"), 403, "data/permission-denied")


def test_head_answers_as_get_without_a_body(admin: httpx.Client) -> None:
    id = ok(admin.post("/v1/data/free", json={"name": "x"}), 201)["id"]
    for path in (f"/v1/data/free/{id}", "/v1/data/free?limit=1"):
        got, head = admin.get(path), admin.head(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["content-type"] == got.headers["content-type"]
    missing = admin.head("/v1/data/free/none")
    assert (missing.status_code, missing.content) == (404, b"")


def test_a_body_on_get_is_ignored(owner: httpx.Client) -> None:
    id = ok(owner.post("/v1/data/articles", json={"title": "x"}), 201)["id"]
    headers = {"Content-Type": "application/json"}
    for content in (b"", b"{", b'{"title":"y"}'):
        answer = owner.request("GET", f"/v1/articles/{id}", content=content, headers=headers)
        assert ok(answer)["title"] == "x"


def test_admin_user_reads_what_only_its_owner_may(people: People, owner: httpx.Client) -> None:
    record = ok(owner.post("/v1/data/notes", json={"text": "mine"}), 201)
    with people.admin.client() as client:
        assert ok(client.get(f"/v1/data/notes/{record['id']}")) == record
