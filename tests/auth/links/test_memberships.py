"""Answering an invitation, and acting for the organization it leads to (10 §12, 00 §11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import jwt
import pytest

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.links.collections import MEMBERSHIPS
from tests.auth.answers import OPERATOR
from tests.auth.links.conftest import ADA, HOUR, Linked
from tests.auth.links.inviting import (
    BOB,
    FIELDS,
    call,
    invite,
    project,
    refusal,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
