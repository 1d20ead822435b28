"""Unique values: 409, and exactly one winner (20 §1.4, 21 §5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.answers import ok, refusal
from tests.servers import RunningServer


def test_second_equal_value_is_refused_and_the_field_named(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/members", json={"email": "ada@x", "note": "private"}), 201)
    answer = admin.post("/v1/data/members", json={"email": "ada@x"})
    inner = refusal(answer, 409, "data/duplicate-value", "email")
    [detail] = inner["details"]
    assert (detail["field"], detail["rule"]) == ("email", "unique")
    assert "private" not in answer.text
    assert "ada@x" not in answer.text


def test_rows_without_the_value_coexist(admin: httpx.Client) -> None:
    for _ in range(2):
        ok(admin.post("/v1/data/members", json={}), 201)
        ok(admin.post("/v1/data/members", json={"email": None}), 201)


def test_rows_without_the_values_collide_where_the_index_is_not_sparse(
    admin: httpx.Client,
) -> None:
    ok(admin.post("/v1/data/pairs", json={}), 201)
    inner = refusal(admin.post("/v1/data/pairs", json={"a": None}), 409, "data/duplicate-value")
    assert inner["details"][0]["field"] == "a,b"


def test_several_fields_are_unique_together(admin: httpx.Client) -> None:
    for a, b in ((1, 1), (1, 2), (2, 1)):
        ok(admin.post("/v1/data/pairs", json={"a": a, "b": b}), 201)
    inner = refusal(
        admin.post("/v1/data/pairs", json={"a": 1, "b": 2.0}), 409, "data/duplicate-value"
    )
    assert (inner["details"][0]["field"], inner["details"][0]["rule"]) == ("a,b", "unique")


def test_update_meets_the_same_rule(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/members", json={"email": "first@x"}), 201)
    second = ok(admin.post("/v1/data/members", json={"email": "second@x"}), 201)
    path = f"/v1/data/members/{second['id']}"
    refusal(admin.patch(path, json={"email": "first@x", "n": 1}), 409, "data/duplicate-value")
    assert ok(admin.get(path)) == second
    assert ok(admin.patch(path, json={"email": "second@x", "n": 1}))["n"] == 1


def test_classes_and_case_are_different_values(admin: httpx.Client) -> None:
    for email in ("Case@x", "case@x", "case@x "):
        ok(admin.post("/v1/data/members", json={"email": email}), 201)


def test_fifty_equal_creates_at_once_have_one_winner(server: RunningServer) -> None:
    def create(number: int) -> int:
        with server.client(server.secret) as client:
            answer = client.post("/v1/data/members", json={"email": "race@x", "n": number})
            if answer.status_code != 201:
                refusal(answer, 409, "data/duplicate-value")
            return answer.status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(create, range(50)))
    assert sorted(statuses) == [201] + [409] * 49
    with server.client(server.secret) as client:
        query: dict[str, Any] = {"andFilters": '{"email":"race@x"}'}
        assert ok(client.get("/v1/data/members", params=query))["pagination"]["total"] == 1
