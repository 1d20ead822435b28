"""Links beside passwords, the second factor and withdrawal: what holds at one door holds at all."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.auth.answers import code
from tests.auth.conftest import PASSWORD
from tests.auth.links.conftest import ADA, BACK, NEW, Linked
from tests.auth.mfa.conftest import STEP, Enrolled, enrol

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@example.com"


async def sign_in(linked: Linked, email: str = ADA, **fields: Any) -> httpx.Response:
    return await linked.post("/email/signin", **{"email": email, "password": PASSWORD, **fields})


async def redeem(linked: Linked, token: str, **fields: Any) -> httpx.Response:
    return await linked.post("/email/callback", token=token, **fields)


async def enrolled_with_link(linked: Linked) -> tuple[Enrolled, str]:
    enrolled = await enrol(linked.api)
    linked.api.clock.advance(STEP)
    return enrolled, await linked.magic_token()


async def test_a_link_asks_for_the_code_and_waits_for_the_right_one(linked: Linked) -> None:
    enrolled, token = await enrolled_with_link(linked)
    refused = [await redeem(linked, token), await redeem(linked, token, mfaCode="000000")]
    assert [(a.status_code, code(a)) for a in refused] == [
        (403, "auth/mfa-required"),
        (401, "auth/invalid-mfa-code"),
    ]
    answer = await redeem(linked, token, mfaCode=enrolled.code())
    assert answer.status_code == 200, answer.text
    assert answer.json()["is_new_user"] is False
    assert answer.json()["user"]["mfaEnabled"] is True
    again = await redeem(linked, await linked.magic_token(), mfaCode=enrolled.code())
    assert code(again) == "auth/invalid-mfa-code"
    backup = await redeem(linked, (await linked.letter()).token, mfaCode=enrolled.backup[0])
    assert backup.status_code == 200


@pytest.mark.parametrize("kind", ["shown", "backup"])
async def test_one_code_opens_one_door(linked: Linked, kind: str) -> None:
    """The same code with the password and with a link, at the same moment and later."""
    enrolled, token = await enrolled_with_link(linked)
    used = enrolled.code() if kind == "shown" else enrolled.backup[3]
    answers = await asyncio.gather(
        *(sign_in(linked, mfaCode=used) for _ in range(2)),
        *(redeem(linked, token, mfaCode=used) for _ in range(2)),
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1, [answer.text for answer in answers]
    assert set(statuses) == {200, 401}
    assert code(await sign_in(linked, mfaCode=used)) == "auth/invalid-mfa-code"


async def test_a_reset_leaves_the_second_factor_on(linked: Linked) -> None:
    enrolled, _ = await enrolled_with_link(linked)
    token = await linked.reset_token()
    await linked.asked("/password/reset/confirm", email=ADA, token=token, newPassword=NEW)
    assert code(await sign_in(linked, password=NEW)) == "auth/mfa-required"
    answer = await sign_in(linked, password=NEW, mfaCode=enrolled.code())
    assert answer.status_code == 200


async def test_the_second_factor_moves_with_the_address(linked: Linked) -> None:
    enrolled, _ = await enrolled_with_link(linked)
    await linked.asked("/email/verify/send", enrolled.signed_up, email=BOB)
    token = (await linked.letter("email_verification")).token
    await linked.asked("/email/verify/confirm", email=BOB, token=token)
    assert code(await sign_in(linked)) == "auth/invalid-credentials"
    assert code(await sign_in(linked, BOB)) == "auth/mfa-required"
    assert (await sign_in(linked, BOB, mfaCode=enrolled.code())).status_code == 200


async def test_whoever_comes_back_after_a_withdrawal_inherits_nothing(linked: Linked) -> None:
    enrolled, link = await enrolled_with_link(linked)
    reset = await linked.reset_token()
    before = enrolled.signed_up
    assert (await linked.api.call("DELETE", "/withdraw", before)).status_code == 200
    assert code(await sign_in(linked, mfaCode=enrolled.code())) == "auth/invalid-credentials"
    for answer, expected in (
        (await redeem(linked, link, mfaCode=enrolled.code()), "auth/invalid-token"),
        (
            await linked.post("/password/reset/confirm", email=ADA, token=reset, newPassword=NEW),
            "auth/verification-token-not-found",
        ),
        (
            await linked.post("/refresh", refreshToken=before["refreshToken"]),
            "auth/invalid-refresh-token",
        ),
    ):
        assert code(answer) == expected
    sent = len(await linked.letters())
    await linked.asked("/password/reset/request", email=ADA)
    await linked.asked("/email/signin", method="magiclink", email=ADA, callbackUrl=BACK)
    assert len(await linked.letters()) == sent
    question = {"type": "credentials", "provider": "email", "providerAccountId": ADA}
    assert await linked.asked("/accounts/check", **question) == {"exists": False}
    after = await linked.api.sign_up(password=NEW)
    assert after["user"]["id"] != before["user"]["id"]
    assert after["user"]["mfaEnabled"] is False
    assert (await sign_in(linked, password=NEW)).status_code == 200


async def test_a_user_made_by_an_admin_comes_in_by_link_or_reset(linked: Linked) -> None:
    admin = linked.with_secret_key()
    for address, way in ((ADA, "link"), (BOB, "reset")):
        made = await linked.http.post(
            "/v1/users", json={"name": "Made", "email": address}, headers=admin
        )
        assert made.status_code == 201
        assert code(await sign_in(linked, address)) == "auth/invalid-credentials"
        if way == "link":
            answer = await redeem(linked, await linked.magic_token(address))
            assert answer.json()["is_new_user"] is False
            found = answer.json()["user"]
        else:
            body = {"email": address, "token": await linked.reset_token(address)}
            await linked.asked("/password/reset/confirm", **body, newPassword=PASSWORD)
            found = (await sign_in(linked, address)).json()["user"]
        assert found["id"] == made.json()["id"]
        assert found["emailVerified"] is not None


async def test_a_banned_user_finds_every_door_shut(linked: Linked) -> None:
    made = await linked.api.sign_up()
    link, reset = await linked.magic_token(), await linked.reset_token()
    ban = await linked.http.patch(
        f"/v1/users/{made['user']['id']}",
        json={"status": "banned"},
        headers=linked.with_secret_key(),
    )
    assert ban.status_code == 200
    await linked.asked("/password/reset/confirm", email=ADA, token=reset, newPassword=NEW)
    for answer, status, expected in (
        (await sign_in(linked, password=NEW), 403, "auth/account-banned"),
        (await sign_in(linked, password=PASSWORD), 401, "auth/invalid-credentials"),
        (await redeem(linked, link), 403, "auth/account-banned"),
        (await linked.api.call("GET", "/me", made), 401, "auth/invalid-token"),
        (
            await linked.post("/refresh", refreshToken=made["refreshToken"]),
            401,
            "auth/invalid-refresh-token",
        ),
        (await linked.post("/email/signup", email=ADA, password=NEW, name="A"), 409, None),
    ):
        assert answer.status_code == status, answer.text
        assert expected in (None, code(answer))
