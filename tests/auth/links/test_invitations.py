"""Invitations and memberships (10 §12, 00 §11)."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import httpx
import jwt
import orjson
import pytest

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.links.collections import INVITATIONS, MEMBERSHIPS
from bkend.mail.collections import OUTBOX
from bkend.manage.control import PROJECTS
from bkend.store import Find
from tests.auth.answers import OPERATOR, code
from tests.auth.links.conftest import ADA, HOUR, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@example.com"
FIELDS = {
    "id",
    "resourceType",
    "resourceId",
    "resourceName",
    "resourceRole",
    "email",
    "name",
    "status",
    "expiresAt",
    "invitedBy",
    "inviterName",
    "createdAt",
    "updatedAt",
}
ORGANIZATION: dict[str, Any] = {
    "resourceType": "organization",
    "resourceId": "acme",
    "resourceName": "Acme",
    "resourceRole": "member",
    "email": BOB,
    "name": "Bob",
}
PATH = "/invitations"


async def project(linked: Linked, **fields: Any) -> dict[str, Any]:
    """The body of an invitation to the project."""
    found = await linked.api.served.core.database.control.find(Find(PROJECTS))
    [document] = orjson.loads(found.items)
    to_project = {"resourceType": "project", "resourceId": document["id"], "resourceRole": "admin"}
    return {**ORGANIZATION, **to_project, **fields}


async def call(
    linked: Linked, method: str, path: str = "", result: Any = None, **options: Any
) -> httpx.Response:
    """With the secret key, unless somebody has signed in."""
    linked.api.clock.now += 1
    headers = linked.with_secret_key()
    if result:
        headers = {"Authorization": f"Bearer {result['accessToken']}"}
    return await linked.http.request(method, f"/v1/auth{PATH}{path}", headers=headers, **options)


async def invite(linked: Linked, result: Any = None, **fields: Any) -> tuple[dict[str, Any], str]:
    """The invitation and its token."""
    answer = await call(linked, "POST", "", result, json={**ORGANIZATION, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body, (await linked.letter("invitation")).token


async def admin(linked: Linked) -> Any:
    made = await linked.api.sign_up("root@example.com")
    await linked.change_user("root@example.com", role="admin")
    return made


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, code(answer)


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


# -- answering ------------------------------------------------------------------------------------


async def test_accepting_makes_a_verified_user_with_the_role(linked: Linked) -> None:
    _, token = await invite(linked, **await project(linked))
    answer = await linked.post("/invitations/accept", token=token)
    assert answer.status_code == 200
    assert set(answer.json()) == FIELDS
    assert answer.json()["status"] == "accepted"
    user = await linked.user(BOB)
    assert (user["name"], user["role"], user["passwordHash"]) == ("Bob", "admin", None)
    assert user["emailVerified"] is not None
    assert [a["providerAccountId"] for a in await linked.stored(ACCOUNTS)] == [BOB]
    token = await linked.reset_token(BOB)
    reset = {"email": BOB, "token": token, "newPassword": "a good horse"}
    await linked.asked("/password/reset/confirm", **reset)
    assert await linked.signs_in("a good horse", BOB) == 200


async def test_accepting_gives_a_user_their_role_at_once(linked: Linked) -> None:
    bob = await linked.api.sign_up(BOB)
    _, token = await invite(linked, **await project(linked))
    await linked.asked("/invitations/accept", token=token, email=BOB.upper())
    assert (await linked.api.call("GET", "/me", bob)).json()["role"] == "admin"
    assert (await call(linked, "GET", "", bob)).json()["pagination"]["total"] == 1


async def test_an_invitation_is_accepted_once_also_by_twenty(linked: Linked) -> None:
    _, token = await invite(linked)
    answers = await asyncio.gather(
        *(linked.post("/invitations/accept", token=token) for _ in range(20))
    )
    outcomes = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert outcomes == {(200, None): 1, (400, "auth/invitation-already-accepted"): 19}
    assert len(await linked.stored(USERS)) == len(await linked.stored(MEMBERSHIPS)) == 1


async def test_a_second_invitation_changes_the_membership(linked: Linked) -> None:
    for role in ("member", "billing"):
        _, token = await invite(linked, resourceRole=role)
        await linked.asked("/invitations/accept", token=token)
    [membership] = await linked.stored(MEMBERSHIPS)
    assert (membership["organizationId"], membership["role"]) == ("acme", "billing")
    assert (await linked.user(BOB))["role"] == "user"


async def test_declining_ends_an_invitation(linked: Linked) -> None:
    sent, token = await invite(linked)
    answer = await linked.post("/invitations/reject", token=token, email=BOB)
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await call(linked, "GET", f"/{sent['id']}")).json()["status"] == "rejected"
    for path in ("accept", "reject"):
        again = await linked.post(f"/invitations/{path}", token=token, email=BOB)
        assert refusal(again) == (401, "auth/invalid-token")
    assert await linked.stored(USERS) == []


@pytest.mark.parametrize("path", ["accept", "reject"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": BOB}, (400, "auth/invalid-request")),
        ({"token": OPERATOR, "email": BOB}, (400, "auth/invalid-request")),
        ({"token": "", "email": BOB}, (400, "auth/invalid-request")),
        ({"token": "mailed", "email": OPERATOR}, (400, "auth/invalid-request")),
        ({"token": "mailed", "email": "bob"}, (400, "auth/invalid-email")),
        ({"token": "0" * 64, "email": BOB}, (401, "auth/invalid-token")),
        ({"token": "mailed", "email": ADA}, (401, "auth/invalid-token")),
    ],
)
async def test_answers_that_do_not_fit_are_refused(
    linked: Linked, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    _, token = await invite(linked)
    if body.get("token") == "mailed":
        body = {**body, "token": token}
    assert refusal(await linked.post(f"/invitations/{path}", **body)) == expected


async def test_rejecting_needs_the_address(linked: Linked) -> None:
    _, token = await invite(linked)
    answer = await linked.post("/invitations/reject", token=token)
    assert refusal(answer) == (400, "auth/invalid-request")


@pytest.mark.parametrize("path", ["accept", "reject"])
async def test_expired_accepted_and_foreign_invitations(
    linked: Linked, elsewhere: Linked, path: str
) -> None:
    _, old = await invite(linked)
    foreign = await elsewhere.post(f"/invitations/{path}", token=old, email=BOB)
    assert refusal(foreign) == (401, "auth/invalid-token")
    linked.api.clock.advance(7 * 24 * HOUR)
    answer = await linked.post(f"/invitations/{path}", token=old, email=BOB)
    assert refusal(answer) == (410, "auth/invitation-expired")
    _, token = await invite(linked)
    await linked.asked("/invitations/accept", token=token)
    answer = await linked.post(f"/invitations/{path}", token=token, email=BOB)
    assert refusal(answer) == (400, "auth/invitation-already-accepted")


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


# -- acting for an organization -------------------------------------------------------------------


async def member(linked: Linked) -> Any:
    bob = await linked.api.sign_up(BOB)
    _, token = await invite(linked)
    await linked.asked("/invitations/accept", token=token)
    return bob


def claims(pair: Any) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(pair["accessToken"], options={"verify_signature": False})
    return found


async def test_a_member_switches_and_refreshes_keep_the_claim(linked: Linked) -> None:
    bob = await member(linked)
    assert "org" not in claims(bob)
    pair = await linked.asked("/switch-organization", bob, organizationId="acme")
    assert set(pair) == {"accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert claims(pair)["org"] == "acme"
    assert claims(pair)["sid"] == claims(bob)["sid"]
    assert pair["refreshToken"] != bob["refreshToken"]
    linked.api.clock.advance(60)
    later = await linked.asked("/refresh", refreshToken=pair["refreshToken"])
    assert claims(later)["org"] == "acme"
    repeated = await linked.asked("/refresh", refreshToken=pair["refreshToken"])
    assert claims(repeated)["org"] == "acme"
    assert (await linked.api.call("GET", "/me", later)).json()["role"] == "user"


async def test_the_refresh_token_of_before_is_used_up(linked: Linked) -> None:
    bob = await member(linked)
    await linked.asked("/switch-organization", bob, organizationId="acme")
    linked.api.clock.advance(60)
    answer = await linked.post("/refresh", refreshToken=bob["refreshToken"])
    assert refusal(answer) == (401, "auth/invalid-refresh-token")


async def test_unknown_and_foreign_organizations_look_alike(linked: Linked) -> None:
    bob, eve = await member(linked), await linked.api.sign_up("eve@example.com")
    foreign = await linked.post("/switch-organization", eve, organizationId="acme")
    unknown = await linked.post("/switch-organization", bob, organizationId="none")
    assert refusal(foreign) == refusal(unknown) == (403, "auth/forbidden")
    assert foreign.content == unknown.content


@pytest.mark.parametrize("body", [{}, {"organizationId": OPERATOR}, {"organizationId": ""}])
async def test_switching_needs_an_id_and_a_user(linked: Linked, body: dict[str, Any]) -> None:
    made = await linked.api.sign_up()
    answer = await linked.post("/switch-organization", made, **body)
    assert refusal(answer) == (400, "auth/invalid-request")
    answer = await linked.post("/switch-organization", organizationId="acme")
    assert refusal(answer) == (401, "auth/unauthorized")


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
