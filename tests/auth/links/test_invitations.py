"""Inviting, reading invitations and taking them back (10 §12, 00 §11)."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import orjson
import pytest

from bkend.auth.links.collections import INVITATIONS
from bkend.mail.collections import OUTBOX
from bkend.store import Find
from tests.auth.answers import OPERATOR
from tests.auth.links.conftest import ADA, HOUR, Linked
from tests.auth.links.inviting import (
    BOB,
    FIELDS,
    ORGANIZATION,
    admin,
    call,
    invite,
    project,
    refusal,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

# -- inviting -------------------------------------------------------------------------------------


async def test_a_secret_key_invites(linked: Linked) -> None:
    answer = await call(linked, "POST", json={**ORGANIZATION, "email": " BOB@example.com"})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == FIELDS
    assert (body["status"], body["email"], body["invitedBy"]) == ("pending", BOB, None)
    letter = await linked.letter("invitation")
    assert re.fullmatch("[0-9a-f]{64}", letter.token)
    assert letter.token not in str(await linked.stored(INVITATIONS))
    assert letter.link.startswith("http://127.0.0.1:8000/auth/invitation?environment=env_")
    assert (letter.to, letter.values["resourceName"]) == (BOB, "Acme")


async def test_an_admin_invites_in_their_name_or_another(linked: Linked) -> None:
    made = await admin(linked)
    body, _ = await invite(linked, made)
    assert (body["invitedBy"], body["inviterName"]) == (made["user"]["id"], "Ada")
    body, _ = await invite(linked, made, inviterName="The team")
    assert body["inviterName"] == "The team"
    assert (await linked.letter()).values["inviterName"] == "The team"


async def test_the_apps_own_page_gets_the_token(linked: Linked) -> None:
    await linked.set(inviteUrl="https://app.example/join?x=1")
    await invite(linked)
    letter = await linked.letter()
    assert letter.link.startswith("https://app.example/join?x=1&token=")
    assert letter.query.keys() == {"x", "token", "email"}


async def test_plain_users_and_strangers_do_not_invite(linked: Linked) -> None:
    made = await linked.api.sign_up()
    assert refusal(await call(linked, "POST", "", made, json=ORGANIZATION)) == (
        403,
        "auth/forbidden",
    )
    stranger = await linked.http.post("/v1/auth/invitations", json=ORGANIZATION)
    assert refusal(stranger) == (401, "auth/unauthorized")
    assert await linked.letters() == []


async def test_a_key_with_scopes_needs_one_for_invitations(linked: Linked) -> None:
    core = linked.api.served.core
    place = await core.hierarchy.environment("app", linked.api.environment)
    for scopes, expected in ((("posts:create",), 403), (("invitations:create",), 201)):
        made = await core.keys.create(
            type="secret",
            name="test",
            organization_id="org",
            project_id=place["projectId"],
            environment_id=place["id"],
            environment=linked.api.environment,
            scopes=scopes,
        )
        headers = {"X-API-Key": made["key"]}
        answer = await linked.http.post("/v1/auth/invitations", json=ORGANIZATION, headers=headers)
        assert answer.status_code == expected


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"resourceType": "user"}, "resourceType"),
        ({"resourceType": None}, "resourceType"),
        ({"resourceId": ""}, "resourceId"),
        ({"resourceId": "x" * 101}, "resourceId"),
        ({"resourceName": None}, "resourceName"),
        ({"name": None}, "name"),
        ({"name": "Bob\r\nBcc: x"}, "name"),
        ({"resourceRole": None}, "resourceRole"),
        ({"resourceRole": "owner"}, "resourceRole"),
        ({"resourceRole": "user"}, "resourceRole"),
        ({"email": OPERATOR}, "email"),
    ],
)
async def test_wrong_fields_are_named(linked: Linked, fields: dict[str, Any], field: str) -> None:
    answer = await call(linked, "POST", json={**ORGANIZATION, **fields})
    assert refusal(answer) == (400, "auth/invalid-request")
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_bad_address_and_another_project_have_their_codes(linked: Linked) -> None:
    answer = await call(linked, "POST", json={**ORGANIZATION, "email": "bob"})
    assert refusal(answer) == (400, "auth/invalid-email")
    other = await project(linked, resourceId="another")
    assert refusal(await call(linked, "POST", json=other)) == (403, "auth/forbidden")
    member = await project(linked, resourceRole="member")
    assert refusal(await call(linked, "POST", json=member)) == (400, "auth/invalid-request")


async def test_a_new_invitation_revokes_the_pending_one(linked: Linked) -> None:
    first, old = await invite(linked)
    second, _ = await invite(linked, resourceRole="admin")
    other, _ = await invite(linked, resourceId="other")
    states = {i["id"]: i["status"] for i in (await call(linked, "GET")).json()["items"]}
    assert states == {
        first["id"]: "revoked",
        second["id"]: "pending",
        other["id"]: "pending",
    }
    answer = await linked.post("/invitations/accept", token=old)
    assert refusal(answer) == (401, "auth/invalid-token")


async def test_parallel_invitations_leave_one_pending(linked: Linked) -> None:
    await asyncio.gather(*(call(linked, "POST", json=ORGANIZATION) for _ in range(8)))
    found = (await call(linked, "GET")).json()["items"]
    assert Counter(i["status"] for i in found) == {"pending": 1, "revoked": 7}


# -- reading --------------------------------------------------------------------------------------


async def test_lists_show_ones_own_and_admins_everything(linked: Linked) -> None:
    root, bob = await admin(linked), await linked.api.sign_up(BOB)
    eve = await linked.api.sign_up("eve@example.com")
    sent, _ = await invite(linked, root)
    by_key, _ = await invite(linked, email="carol@example.com")

    async def seen(result: Any) -> set[str]:
        answer = await call(linked, "GET", "", result)
        return {item["id"] for item in answer.json()["items"]}

    assert await seen(None) == await seen(root) == {sent["id"], by_key["id"]}
    assert await seen(bob) == {sent["id"]}
    assert await seen(eve) == set()
    await linked.change_user("root@example.com", role="user")
    assert await seen(root) == {sent["id"]}
    stranger = await linked.http.get("/v1/auth/invitations")
    assert refusal(stranger) == (401, "auth/unauthorized")


async def test_lists_are_filtered_and_paged(linked: Linked) -> None:
    for number in range(3):
        await invite(linked, resourceId=f"org{number}")
    await call(linked, "POST", json=await project(linked))

    async def total(query: str) -> int:
        answer = await call(linked, "GET", f"?{query}")
        found: int = answer.json()["pagination"]["total"]
        return found

    assert await total("") == 4
    assert await total("resourceType=organization") == 3
    assert await total("resourceType=project") == 1
    assert await total("resourceType=user") == 0
    assert await total("resourceId=org1") == 1
    assert await total("status=pending") == 4
    assert await total("status=expired") == 0
    linked.api.clock.advance(7 * 24 * HOUR)
    assert await total("status=pending") == 0
    assert await total("status=expired") == 4
    body = (await call(linked, "GET", "?page=2&limit=3")).json()
    assert [item["resourceId"] for item in body["items"]] == ["org0"]
    assert body["items"][0]["status"] == "expired"
    assert body["pagination"]["hasPrevPage"] is True
    assert (await call(linked, "GET", "?limit=1000")).json()["pagination"]["limit"] == 100


@pytest.mark.parametrize(
    "query", ["status=open", "resourceType=table", "page=0", "limit=0", "limit=x", "page=1.5"]
)
async def test_malformed_queries_are_refused(linked: Linked, query: str) -> None:
    assert refusal(await call(linked, "GET", f"?{query}")) == (400, "auth/invalid-request")


async def test_one_is_read_by_inviter_and_admins_alone(linked: Linked) -> None:
    root, bob = await admin(linked), await linked.api.sign_up(BOB)
    sent, _ = await invite(linked, root)
    path = f"/{sent['id']}"
    assert (await call(linked, "GET", path)).json() == sent
    assert (await call(linked, "GET", path, root)).json() == sent
    not_found = (404, "auth/invitation-not-found")
    assert refusal(await call(linked, "GET", path, bob)) == not_found
    assert refusal(await call(linked, "GET", "/none")) == not_found
    assert refusal(await linked.http.get(f"/v1/auth/invitations{path}"))[0] == 401


async def test_an_invitation_speaks_the_language_of_a_user_who_has_chosen_one(
    linked: Linked,
) -> None:
    made = await linked.api.sign_up(ADA)
    await linked.http.patch(
        f"/v1/users/{made['user']['id']}/preferences",
        json={"locale": "ko-KR"},
        headers={"Authorization": f"Bearer {made['accessToken']}"},
    )
    for address in (ADA, BOB):
        await invite(linked, email=address)
    found = await linked.api.store.find(Find(OUTBOX))
    languages = {mail["to"]: mail["locale"] for mail in orjson.loads(found.items)}
    assert languages == {ADA: "ko", BOB: "en"}


# -- taking back ----------------------------------------------------------------------------------


async def test_inviter_and_secret_key_take_an_invitation_back(linked: Linked) -> None:
    root = await admin(linked)
    for result in (root, None):
        sent, token = await invite(linked, root)
        answer = await call(linked, "DELETE", f"/{sent['id']}", result)
        assert (answer.status_code, set(answer.json())) == (200, {"message"})
        assert (await call(linked, "GET", f"/{sent['id']}")).json()["status"] == "revoked"
        answer = await linked.post("/invitations/accept", token=token)
        assert refusal(answer) == (401, "auth/invalid-token")
        again = await call(linked, "DELETE", f"/{sent['id']}", result)
        assert refusal(again) == (404, "auth/invitation-not-found")


async def test_others_do_not(linked: Linked) -> None:
    root, bob = await admin(linked), await linked.api.sign_up(BOB)
    sent, _ = await invite(linked)
    path = f"/{sent['id']}"
    assert refusal(await call(linked, "DELETE", path, bob)) == (404, "auth/invitation-not-found")
    assert refusal(await call(linked, "DELETE", path, root)) == (403, "auth/forbidden")
    stranger = await linked.http.delete(f"/v1/auth/invitations{path}")
    assert refusal(stranger) == (401, "auth/unauthorized")
    assert refusal(await call(linked, "DELETE", "/none"))[0] == 404


async def test_what_was_answered_is_not_taken_back(linked: Linked) -> None:
    sent, token = await invite(linked)
    await linked.asked("/invitations/accept", token=token)
    answer = await call(linked, "DELETE", f"/{sent['id']}")
    assert refusal(answer) == (400, "auth/invitation-already-accepted")
    late, _ = await invite(linked)
    linked.api.clock.advance(7 * 24 * HOUR)
    answer = await call(linked, "DELETE", f"/{late['id']}")
    assert refusal(answer) == (410, "auth/invitation-expired")
