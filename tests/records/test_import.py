"""`?import=true` with a secret key keeps ids and times (20 §2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import ok, problems, refusal
from tests.people import People
from tests.servers import RunningServer

OLD = {"createdAt": "2020-01-02T03:04:05.678Z", "updatedAt": "2021-01-01T00:00:00.000Z"}


def test_id_times_and_creator_are_kept(admin: httpx.Client) -> None:
    body = {"id": "data_a-1.b~c", "name": "x", "createdBy": "u1", **OLD}
    made = ok(admin.post("/v1/data/free?import=true", json=body), 201)
    assert made == body
    assert ok(admin.get("/v1/data/free/data_a-1.b~c")) == body


@pytest.mark.parametrize(
    ("given", "created", "updated"),
    [
        ({"createdAt": "2020-01-01"}, "2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"),
        (
            {"createdAt": "2020-01-01T09:00:00+09:00", "updatedAt": "2020-01-02"},
            "2020-01-01T00:00:00.000Z",
            "2020-01-02T00:00:00.000Z",
        ),
        (
            {"createdAt": "1969-12-31T23:59:59.999Z"},
            "1969-12-31T23:59:59.999Z",
            "1969-12-31T23:59:59.999Z",
        ),
    ],
)
def test_what_is_not_said_is_made_up(
    admin: httpx.Client, given: Any, created: str, updated: str
) -> None:
    made = ok(admin.post("/v1/data/free?import=true", json=given), 201)
    assert len(made["id"]) == 24
    assert (made["createdAt"], made["updatedAt"]) == (created, updated)
    assert made["createdBy"] == ""


def test_an_id_in_use_is_a_duplicate(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/free?import=true", json={"id": "twice"}), 201)
    answer = admin.post("/v1/data/free?import=true", json={"id": "twice"})
    assert refusal(answer, 409, "data/duplicate-value")["details"][0]["field"] == "id"
    batch = admin.post("/v1/data/free?import=true", json=[{"id": "once"}, {"id": "once"}])
    assert refusal(batch, 409, "data/duplicate-value")["details"][0]["field"] == "[1].id"
    refusal(admin.get("/v1/data/free/once"), 404, "data/not-found")


@pytest.mark.parametrize(
    "id", ["", "a" * 65, "a/b", "é", "a b", "spec", "openapi", 5, {"$ne": 1}, ["a"], "a\n"]
)
def test_ids_that_cannot_be(admin: httpx.Client, id: Any) -> None:
    assert problems(admin.post("/v1/data/free?import=true", json={"id": id})) == [("id", "id")]


@pytest.mark.parametrize("time", [5, "yesterday", "", True, {}])
def test_times_that_cannot_be(admin: httpx.Client, time: Any) -> None:
    answer = admin.post("/v1/data/free?import=true", json=[{}, {"createdAt": time}])
    assert problems(answer) == [("[1].createdAt", "type")]


@pytest.mark.parametrize("query", ["", "?import=false", "?import=1", "?imports=true"])
def test_without_the_flag_system_fields_are_ignored(admin: httpx.Client, query: str) -> None:
    made = ok(admin.post(f"/v1/data/free{query}", json={"id": "a/b", **OLD}), 201)
    assert made["id"] != "a/b"
    assert made["createdAt"] > "2026"


def test_without_a_secret_key_the_flag_is_ignored(
    owner: httpx.Client, anonymous: httpx.Client
) -> None:
    for client, table in ((owner, "free"), (anonymous, "guests")):
        body = {"id": "mine", "createdBy": "somebody", **OLD}
        made = ok(client.post(f"/v1/data/{table}?import=true", json=body), 201)
        assert made["id"] != "mine"
        assert made["createdBy"] != "somebody"
        assert made["createdAt"] > "2026"


def test_with_a_user_the_user_is_the_creator(server: RunningServer, people: People) -> None:
    with people.owner.client(server.secret) as client:
        body = {"id": "by-user", "createdBy": "somebody", **OLD}
        made = ok(client.post("/v1/data/free?import=true", json=body), 201)
        assert (made["id"], made["createdBy"]) == ("by-user", people.owner.id)


def test_an_imported_record_is_changed_like_any_other(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/free?import=true", json={"id": "data_x", **OLD}), 201)
    changed = ok(admin.patch("/v1/data/free/data_x", json={"name": "y", "createdAt": "2030-01-01"}))
    assert changed["createdAt"] == OLD["createdAt"]
    assert changed["updatedAt"] > OLD["updatedAt"]
