"""Forgotten passwords (10 §8)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.auth.links.collections import TOKENS
from bkend.mail.collections import OUTBOX
from bkend.store import Delete
from tests.auth.answers import OPERATOR, code
from tests.auth.conftest import PASSWORD
from tests.auth.links.conftest import ADA, BACK, HOUR, NEW, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST, CONFIRM = "/password/reset/request", "/password/reset/confirm"
NOT_FOUND = (404, "auth/verification-token-not-found")


async def refused(linked: Linked, **body: Any) -> tuple[int, str]:
    answer = await linked.post(CONFIRM, **body)
    return answer.status_code, code(answer)


async def test_a_reset_replaces_the_password_and_ends_all_sessions(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await linked.reset_token()
    answer = await linked.post(CONFIRM, email=" ADA@example.com", token=token, newPassword=NEW)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert (await linked.api.call("GET", "/me", made)).status_code == 401
    assert await linked.stored(SESSIONS) == []
    assert (await linked.signs_in(), await linked.signs_in(NEW)) == (401, 200)
    assert (await linked.user())["emailVerified"] is not None
    assert await refused(linked, email=ADA, token=token, newPassword="other horse") == NOT_FOUND


async def test_a_reset_keeps_the_time_of_an_earlier_verification(linked: Linked) -> None:
    await linked.api.sign_up()
    stamp = "2020-01-01T00:00:00.000Z"
    await linked.change_user(emailVerified=stamp)
    token = await linked.reset_token()
    await linked.asked(CONFIRM, email=ADA, token=token, newPassword=NEW)
    assert (await linked.user())["emailVerified"] == stamp


async def test_known_and_unknown_addresses_are_answered_alike(linked: Linked) -> None:
    await linked.api.sign_up()
    known = await linked.post(REQUEST, email=ADA)
    tokens, mails = await linked.stored(TOKENS), await linked.stored(OUTBOX)
    unknown = await linked.post(REQUEST, email="eve@example.com")
    assert known.status_code == unknown.status_code == 200
    assert known.content == unknown.content
    ignored = {"x-request-id"}
    assert {n: v for n, v in known.headers.items() if n not in ignored} == {
        n: v for n, v in unknown.headers.items() if n not in ignored
    }
    assert (await linked.stored(TOKENS), await linked.stored(OUTBOX)) == (tokens, mails)


async def test_the_link_leads_to_the_callback_else_the_apps_page_else_ours(
    linked: Linked,
) -> None:
    await linked.api.sign_up()
    await linked.asked(REQUEST, email=ADA)
    letter = await linked.letter("password_reset")
    assert letter.link.startswith("http://127.0.0.1:8000/auth/reset-password?token=")
    await linked.set(resetUrl="https://app.example/reset?lang=ko")
    await linked.asked(REQUEST, email=ADA)
    letter = await linked.letter("password_reset")
    assert letter.link.startswith("https://app.example/reset?lang=ko&token=")
    await linked.asked(REQUEST, email=ADA, callbackUrl=BACK)
    letter = await linked.letter("password_reset")
    assert letter.link.startswith(BACK + "?token=")
    assert letter.query == {"token": letter.values["token"], "email": ADA}


async def test_the_host_that_a_request_names_is_not_where_the_link_leads(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.http.post(
        f"/v1/auth{REQUEST}",
        json={"email": ADA},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert "evil" not in (await linked.letter("password_reset")).link


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (REQUEST, {}, "email"),
        (REQUEST, {"email": OPERATOR}, "email"),
        (REQUEST, {"email": ADA, "callbackUrl": "https://evil.example"}, "callbackUrl"),
        (REQUEST, {"email": ADA, "callbackUrl": OPERATOR}, "callbackUrl"),
        (CONFIRM, {"email": ADA, "token": "x"}, "newPassword"),
        (CONFIRM, {"email": ADA, "newPassword": NEW}, "token"),
        (CONFIRM, {"token": "x", "newPassword": NEW}, "email"),
        (CONFIRM, {"email": ADA, "token": OPERATOR, "newPassword": NEW}, "token"),
        (CONFIRM, {"email": ADA, "token": None, "newPassword": NEW}, "token"),
        (CONFIRM, {"email": ADA, "token": "x", "newPassword": OPERATOR}, "newPassword"),
        (CONFIRM, {"email": OPERATOR, "token": "x", "newPassword": NEW}, "email"),
    ],
)
async def test_wrong_fields_are_named(
    linked: Linked, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await linked.post(path, **body)
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_bad_address_is_told_before_the_token_is_looked_at(linked: Linked) -> None:
    assert (await linked.post(REQUEST, email="ada")).json()["code"] == "auth/invalid-email"
    found = await refused(linked, email="ada", token="x", newPassword="x")
    assert found == (400, "auth/invalid-email")


async def test_the_checks_come_in_the_contracts_order(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.set(**{"passwordPolicy.breachCheck": "list"})
    token = await linked.reset_token()
    confirm = {"email": ADA, "token": token}
    assert await refused(linked, email=ADA, token="x", newPassword="x") == NOT_FOUND
    other = {"email": "eve@example.com", "token": token, "newPassword": "x"}
    assert await refused(linked, **other) == NOT_FOUND
    short = await refused(linked, **confirm, newPassword="x")
    assert short == (400, "auth/invalid-password-format")
    weak = await refused(linked, **confirm, newPassword="password1")
    assert weak == (400, "auth/weak-password")
    same = await refused(linked, **confirm, newPassword=PASSWORD)
    assert same == (400, "auth/same-as-previous-password")
    linked.api.clock.advance(24 * HOUR)
    late = await refused(linked, **confirm, newPassword="x")
    assert late == (401, "auth/verification-token-expired")
    assert await refused(linked, **other) == NOT_FOUND


async def test_a_refused_password_leaves_the_token_good(linked: Linked) -> None:
    await linked.api.sign_up()
    token = await linked.reset_token()
    await refused(linked, email=ADA, token=token, newPassword="x")
    await refused(linked, email=ADA, token=token, newPassword=PASSWORD)
    await linked.asked(CONFIRM, email=ADA, token=token, newPassword=NEW)


async def test_a_user_who_has_gone_has_no_account(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await linked.reset_token()
    await linked.api.store.commit([Delete(USERS, made["user"]["id"])])
    found = await refused(linked, email=ADA, token=token, newPassword=NEW)
    assert found == (404, "auth/account-not-found")
    found = await refused(linked, email=ADA, token=token, newPassword="x")
    assert found == (400, "auth/invalid-password-format")


async def test_a_new_link_voids_the_one_before(linked: Linked) -> None:
    await linked.api.sign_up()
    first, second = await linked.reset_token(), await linked.reset_token()
    assert await refused(linked, email=ADA, token=first, newPassword=NEW) == NOT_FOUND
    await linked.asked(CONFIRM, email=ADA, token=second, newPassword=NEW)


async def test_a_token_of_another_purpose_or_environment_is_not_found(
    linked: Linked, elsewhere: Linked
) -> None:
    await linked.api.sign_up()
    await elsewhere.api.sign_up()
    magic = await linked.magic_token()
    assert await refused(linked, email=ADA, token=magic, newPassword=NEW) == NOT_FOUND
    token = await linked.reset_token()
    assert await refused(elsewhere, email=ADA, token=token, newPassword=NEW) == NOT_FOUND
    answer = await linked.post("/email/callback", token=token)
    assert code(answer) == "auth/invalid-token"


async def test_twenty_at_once_replace_the_password_once(linked: Linked) -> None:
    await linked.api.sign_up()
    token = await linked.reset_token()
    answers = await asyncio.gather(
        *(linked.post(CONFIRM, email=ADA, token=token, newPassword=f"{NEW} {n}") for n in range(20))
    )
    outcomes = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert outcomes == {(200, None): 1, NOT_FOUND: 19}
    [winner] = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert await linked.signs_in(f"{NEW} {winner}") == 200


async def test_a_reset_opens_a_locked_account(linked: Linked) -> None:
    await linked.api.sign_up()
    assert [await linked.signs_in("wrong") for _ in range(6)] == [401] * 5 + [429]
    token = await linked.reset_token()
    await linked.asked(CONFIRM, email=ADA, token=token, newPassword=NEW)
    assert await linked.signs_in(NEW) == 200


async def test_a_user_without_a_password_gets_a_first_one(linked: Linked) -> None:
    await linked.asked("/email/callback", token=await linked.magic_token())
    [account] = await linked.stored(ACCOUNTS)
    await linked.api.store.commit([Delete(ACCOUNTS, account["id"])])
    token = await linked.reset_token()
    await linked.asked(CONFIRM, email=ADA, token=token, newPassword=NEW)
    assert await linked.signs_in(NEW) == 200
    [account] = await linked.stored(ACCOUNTS)
    assert (account["provider"], account["providerAccountId"]) == ("email", ADA)


async def test_a_changed_password_voids_reset_links(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await linked.reset_token()
    change = {"currentPassword": PASSWORD, "newPassword": NEW}
    await linked.asked("/password/change", made, **change)
    assert await refused(linked, email=ADA, token=token, newPassword="third horse") == NOT_FOUND


async def test_unverified_addresses_get_no_link_where_that_is_set(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.set(resetRequiresVerifiedEmail=True)
    answer = await linked.post(REQUEST, email=ADA)
    assert (answer.status_code, await linked.letters()) == (200, [])
    await linked.change_user(emailVerified="2020-01-01T00:00:00.000Z")
    await linked.reset_token()


async def test_old_tokens_are_swept_a_week_after_their_end(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.reset_token()
    linked.api.clock.advance(7 * 24 * HOUR)
    await linked.links.sweep()
    assert len(await linked.stored(TOKENS)) == 1
    linked.api.clock.advance(24 * HOUR)
    await linked.links.sweep()
    assert await linked.stored(TOKENS) == []
