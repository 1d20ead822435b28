"""`POST /v1/data/:table` with an array: all or nothing (20 §4.2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import ok, problems, refusal


def total(client: httpx.Client, table: str) -> int:
    return int(ok(client.get(f"/v1/data/{table}?limit=1"))["pagination"]["total"])


def test_records_are_answered_in_input_order_with_ascending_ids(admin: httpx.Client) -> None:
    given = [{"email": f"order{number}@x"} for number in range(50)]
    made = ok(admin.post("/v1/data/members", json=given), 201)
    assert [record["email"] for record in made] == [one["email"] for one in given]
    ids = [record["id"] for record in made]
    assert ids == sorted(set(ids))
    assert len({record["createdAt"] for record in made}) == 1
    assert ok(admin.get(f"/v1/data/members/{ids[7]}")) == made[7]


def test_a_thousand_are_taken(admin: httpx.Client) -> None:
    made = ok(admin.post("/v1/data/free", json=[{"n": n} for n in range(1000)]), 201)
    assert [record["n"] for record in made] == list(range(1000))


@pytest.mark.parametrize("body", [[], [{}] * 1001])
def test_none_and_too_many_are_refused(admin: httpx.Client, body: list[Any]) -> None:
    refusal(admin.post("/v1/data/free", json=body), 400, "data/validation-error", "1 to 1000")


def test_one_invalid_element_among_a_thousand_stores_nothing(owner: httpx.Client) -> None:
    before = total(owner, "articles")
    body: list[dict[str, Any]] = [{"title": f"t{number}"} for number in range(1000)]
    body[999] = {"views": 1}
    answer = owner.post("/v1/data/articles", json=body)
    assert problems(answer) == [("[999].title", "required")]
    assert total(owner, "articles") == before


def test_every_invalid_element_is_pointed_at(owner: httpx.Client) -> None:
    body = [{"title": "ok"}, 5, {"title": 5}, {"title": "x", "tags": ["a", 1]}, {"$x": 1}, [], None]
    answer = owner.post("/v1/data/articles", json=body)
    assert problems(answer) == [
        ("[1]", "type"),
        ("[2].title", "type"),
        ("[3].tags[1]", "type"),
        ("[4].$x", "fieldName"),
        ("[5]", "type"),
        ("[6]", "type"),
    ]


def test_at_most_a_hundred_details_are_listed(owner: httpx.Client) -> None:
    assert len(problems(owner.post("/v1/data/articles", json=[{}] * 300))) == 100


def test_duplicate_of_a_stored_row_stores_nothing(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/members", json={"email": "taken@x"}), 201)
    before = total(admin, "members")
    body = [{"email": f"new{number}@x"} for number in range(5)]
    body[3] = {"email": "taken@x"}
    inner = refusal(admin.post("/v1/data/members", json=body), 409, "data/duplicate-value")
    assert [(d["field"], d["rule"]) for d in inner["details"]] == [("[3].email", "unique")]
    assert total(admin, "members") == before


def test_duplicate_inside_the_batch_stores_nothing(admin: httpx.Client) -> None:
    before = total(admin, "members")
    body = [{"email": "twin@x"}, {"email": "alone@x"}, {}, {"email": "twin@x"}]
    inner = refusal(admin.post("/v1/data/members", json=body), 409, "data/duplicate-value")
    assert inner["details"][0]["field"] == "[3].email"
    assert total(admin, "members") == before


def test_a_batch_needs_the_permission_of_a_single_create(
    anonymous: httpx.Client, owner: httpx.Client
) -> None:
    body = [{"title": "x"}]
    refusal(anonymous.post("/v1/data/articles", json=body), 403, "data/permission-denied")
    ok(owner.post("/v1/data/articles", json=body), 201)


def test_system_fields_are_ignored_in_each_element(owner: httpx.Client) -> None:
    body = [{"title": "x", "id": "mine", "createdBy": "x", "createdAt": "2000-01-01"}] * 2
    made = ok(owner.post("/v1/data/articles", json=body), 201)
    assert len({record["id"] for record in made}) == 2
    assert all(record["createdBy"] != "x" and record["createdAt"] > "2020" for record in made)
