"""`DELETE /v1/data/:table/:id` (20 §4.6)."""

from __future__ import annotations

import httpx

from tests.answers import ok, refusal
from tests.people import People


def make(client: httpx.Client) -> str:
    return str(ok(client.post("/v1/data/articles", json={"title": "x"}), 201)["id"])


def test_deleted_record_is_gone_for_every_call(owner: httpx.Client) -> None:
    id = make(owner)
    answer = owner.delete(f"/v1/data/articles/{id}")
    ok(answer)
    assert answer.content == b'{"success":true}'
    refusal(owner.get(f"/v1/data/articles/{id}"), 404, "data/not-found")
    refusal(owner.patch(f"/v1/data/articles/{id}", json={}), 404, "data/not-found")
    refusal(owner.delete(f"/v1/data/articles/{id}"), 404, "data/not-found")
    listed = owner.get("/v1/data/articles", params={"andFilters": f'{{"id":"{id}"}}'})
    assert ok(listed)["items"] == []


def test_foreign_and_missing_records(
    owner: httpx.Client, other: httpx.Client, anonymous: httpx.Client, people: People
) -> None:
    id = make(owner)
    refusal(other.delete(f"/v1/data/articles/{id}"), 403, "data/permission-denied")
    refusal(anonymous.delete(f"/v1/data/articles/{id}"), 403, "data/permission-denied")
    refusal(other.delete("/v1/data/articles/none"), 404, "data/not-found")
    refusal(anonymous.delete("/v1/data/articles/none"), 403, "data/permission-denied")
    ok(owner.get(f"/v1/data/articles/{id}"))
    with people.admin.client() as admin_user:
        ok(admin_user.delete(f"/v1/data/articles/{id}"))


def test_a_body_is_ignored(owner: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"", b"{", b'{"id":"x"}'):
        path = f"/v1/data/articles/{make(owner)}"
        ok(owner.request("DELETE", path, content=content, headers=headers))


def test_a_deleted_unique_value_is_free_again(admin: httpx.Client) -> None:
    for _ in range(2):
        made = ok(admin.post("/v1/data/members", json={"email": "again@x"}), 201)
        ok(admin.delete(f"/v1/data/members/{made['id']}"))


def test_users_delete_their_rows_in_a_loop(people: People) -> None:
    with people.guest.client() as client:
        refusal(client.post("/v1/data/notes", json={"text": "x"}), 403, "data/permission-denied")
    with people.editor.client() as client:
        for number in range(5):
            ok(client.post("/v1/data/notes", json={"text": str(number)}), 201)
        for item in ok(client.get("/v1/data/notes"))["items"]:
            ok(client.delete(f"/v1/data/notes/{item['id']}"))
        assert ok(client.get("/v1/data/notes"))["pagination"]["total"] == 0
