"""Magic links (10 §6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.links.collections import TOKENS
from bkend.mail.collections import OUTBOX
from bkend.store import Delete, Insert
from tests.auth.answers import AUTH_USER, OPERATOR, code
from tests.auth.conftest import PASSWORD
from tests.auth.links.conftest import ADA, BACK, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINK = {"method": "magiclink", "email": ADA, "callbackUrl": BACK}


async def test_a_link_signs_a_new_address_up(linked: Linked) -> None:
    answer = await linked.post("/email/signup", **{**LINK, "email": " Ada@Example.com "})
    assert answer.status_code == 201
    assert set(answer.json()) == {"message", "email"}
    assert answer.json()["email"] == ADA
    assert await linked.stored(USERS) == []
    letter = await linked.letter("magic_link")
    assert letter.to == ADA
    assert letter.link.startswith(BACK + "?token=")
    answer = await linked.post("/email/callback", token=letter.token)
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {
        "accessToken",
        "refreshToken",
        "tokenType",
        "expiresIn",
        "user",
        "is_new_user",
    }
    assert set(body["user"]) == AUTH_USER
    assert body["is_new_user"] is True
    assert (body["user"]["name"], body["user"]["role"]) == ("ada", "user")
    assert body["user"]["emailVerified"] == body["user"]["createdAt"]
    me = await linked.api.call("GET", "/me", body)
    assert me.json() == body["user"]


async def test_the_name_of_a_sign_up_is_kept_until_the_link_is_used(linked: Linked) -> None:
    token = await linked.magic_token(name="Ada L.")
    assert (await linked.asked("/email/callback", token=token))["user"]["name"] == "Ada L."


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin"])
async def test_a_known_user_is_signed_in_and_verified(linked: Linked, path: str) -> None:
    made = await linked.api.sign_up()
    await linked.asked(path, **LINK)
    body = await linked.asked("/email/callback", token=(await linked.letter()).token)
    assert body["is_new_user"] is False
    assert body["user"]["id"] == made["user"]["id"]
    assert body["user"]["emailVerified"] is not None
    assert (await linked.api.call("GET", "/me", body)).json() == body["user"]
    assert await linked.signs_in() == 200


async def test_sign_in_of_an_unknown_address_looks_alike_and_leaves_no_trace(
    linked: Linked,
) -> None:
    await linked.api.sign_up()
    known = await linked.post("/email/signin", **LINK)
    before = len(await linked.stored(TOKENS)), len(await linked.stored(OUTBOX))
    unknown = await linked.post("/email/signin", **{**LINK, "email": "eve@example.com"})
    assert known.status_code == unknown.status_code == 200
    assert known.json()["message"] == unknown.json()["message"]
    assert known.headers.keys() == unknown.headers.keys()
    assert (len(await linked.stored(TOKENS)), len(await linked.stored(OUTBOX))) == before


async def test_a_sign_in_that_finds_nobody_leaves_a_sign_up_link_alone(linked: Linked) -> None:
    token = await linked.magic_token()
    await linked.asked("/email/signin", **LINK)
    assert (await linked.asked("/email/callback", token=token))["is_new_user"] is True


async def test_a_new_link_voids_the_one_before(linked: Linked) -> None:
    first, second = await linked.magic_token(), await linked.magic_token()
    refused = await linked.post("/email/callback", token=first)
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-token")
    await linked.asked("/email/callback", token=second)


async def test_a_link_works_once_also_for_twenty_at_once(linked: Linked) -> None:
    token = await linked.magic_token()
    answers = await asyncio.gather(
        *(linked.post("/email/callback", token=token) for _ in range(20))
    )
    outcomes = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert outcomes == {(200, None): 1, (401, "auth/invalid-token"): 19}
    assert len(await linked.stored(USERS)) == 1
    assert await linked.stored(TOKENS) == []


async def test_parallel_requests_leave_one_good_link(linked: Linked) -> None:
    await asyncio.gather(*(linked.asked("/email/signup", **LINK) for _ in range(5)))
    tokens = [letter.token for letter in await linked.letters("magic_link")]
    answers = [await linked.post("/email/callback", token=token) for token in tokens]
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401, 401]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "auth/magic-token-missing")),
        ({"token": None}, (400, "auth/magic-token-missing")),
        ({"token": ""}, (400, "auth/magic-token-missing")),
        ({"token": OPERATOR}, (400, "auth/invalid-request")),
        ({"token": 7}, (400, "auth/invalid-request")),
        ({"token": "x", "mfaCode": OPERATOR}, (400, "auth/invalid-request")),
        ({"token": "x"}, (401, "auth/invalid-token")),
        ({"token": "x" * 100_000}, (401, "auth/invalid-token")),
    ],
)
async def test_what_is_no_token_is_refused(
    linked: Linked, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = await linked.post("/email/callback", **body)
    assert (answer.status_code, code(answer)) == expected


async def test_an_old_link_says_so(linked: Linked) -> None:
    token = await linked.magic_token()
    linked.api.clock.advance(15 * 60 - 1)
    await linked.asked("/email/signup", **{**LINK, "email": "eve@example.com"})
    linked.api.clock.advance(1)
    answer = await linked.post("/email/callback", token=token)
    assert (answer.status_code, code(answer)) == (401, "auth/token-expired")


async def test_a_banned_user_is_turned_away_and_the_link_kept(linked: Linked) -> None:
    await linked.api.sign_up()
    token = await linked.magic_token()
    await linked.change_user(status="banned")
    answer = await linked.post("/email/callback", token=token)
    assert (answer.status_code, code(answer)) == (403, "auth/account-banned")
    await linked.change_user(status="active")
    await linked.asked("/email/callback", token=token)


async def test_a_link_is_of_its_environment(linked: Linked, elsewhere: Linked) -> None:
    token = await linked.magic_token()
    answer = await elsewhere.post("/email/callback", token=token)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-token")
    await linked.asked("/email/callback", token=token)


async def test_a_link_for_a_user_who_has_gone_makes_no_new_one(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await linked.magic_token()
    [account] = await linked.stored(ACCOUNTS)
    gone = [Delete(USERS, made["user"]["id"]), Delete(ACCOUNTS, account["id"])]
    await linked.api.store.commit(gone)
    answer = await linked.post("/email/callback", token=token)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-token")


async def test_a_social_user_has_no_magic_links(linked: Linked) -> None:
    made = await linked.api.sign_up()
    [account] = await linked.stored(ACCOUNTS)
    social = {"userId": made["user"]["id"], "provider": "google", "providerAccountId": "1"}
    await linked.api.store.commit(
        [Delete(ACCOUNTS, account["id"]), Insert(ACCOUNTS, "social", social, 0, 0)]
    )
    await linked.change_user(passwordHash=None)
    for path in ("/email/signup", "/email/signin"):
        answer = await linked.post(path, **LINK)
        assert answer.status_code == 400
        assert code(answer) == "auth/magiclink-not-available-for-social"
    assert await linked.letters() == []


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"magicLinkEnabled": False}, "auth/magiclink-disabled"),
        ({"email.enabled": False}, "auth/unsupported-provider"),
    ],
)
async def test_settings_switch_magic_links_off(
    linked: Linked, path: str, settings: dict[str, Any], expected: str
) -> None:
    token = await linked.magic_token()
    await linked.set(**settings)
    answer = await linked.post(path, **LINK)
    assert (answer.status_code, code(answer)) == (400, expected)
    answer = await linked.post("/email/callback", token=token)
    assert (answer.status_code, code(answer)) == (400, expected)


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin"])
async def test_passwords_go_with_the_email_provider(linked: Linked, path: str) -> None:
    await linked.set(**{"email.enabled": False})
    answer = await linked.post(path, email=ADA, password=PASSWORD, name="Ada")
    assert (answer.status_code, code(answer)) == (400, "auth/unsupported-provider")


async def test_closed_sign_up_sends_nothing_and_looks_alike(linked: Linked) -> None:
    opened = await linked.post("/email/signup", **LINK)
    await linked.set(allowSignup=False)
    closed = await linked.post("/email/signup", **{**LINK, "email": "eve@example.com"})
    assert (closed.status_code, closed.json()["message"]) == (201, opened.json()["message"])
    assert [letter.to for letter in await linked.letters()] == [ADA]
    answer = await linked.post("/email/callback", token=(await linked.letter()).token)
    assert (answer.status_code, code(answer)) == (403, "auth/signup-disabled")


@pytest.mark.parametrize("path", ["/email/signup", "/email/signin"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"callbackUrl": None}, "callbackUrl"),
        ({"callbackUrl": OPERATOR}, "callbackUrl"),
        ({"callbackUrl": "javascript:alert(1)"}, "callbackUrl"),
        ({"callbackUrl": "//evil.example"}, "callbackUrl"),
        ({"callbackUrl": "https://evil.example/"}, "callbackUrl"),
        ({"callbackUrl": "http://localhost\\@evil.example/"}, "callbackUrl"),
        ({"callbackUrl": "http://localhost@evil.example/"}, "callbackUrl"),
        ({"email": OPERATOR}, "email"),
        ({"email": None}, "email"),
    ],
)
async def test_wrong_fields_are_named(
    linked: Linked, path: str, body: dict[str, Any], expected: str
) -> None:
    answer = await linked.post(path, **{**LINK, **body})
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    assert answer.json()["error"]["details"][0]["field"] == expected


async def test_a_missing_callback_is_named_and_a_bad_address_has_its_code(linked: Linked) -> None:
    answer = await linked.post("/email/signin", method="magiclink", email=ADA)
    assert answer.json()["error"]["details"][0]["field"] == "callbackUrl"
    answer = await linked.post("/email/signin", **{**LINK, "email": "ada"})
    assert code(answer) == "auth/invalid-email"


async def test_the_callbacks_query_and_fragment_stay_and_cannot_bring_a_token(
    linked: Linked,
) -> None:
    callback = "http://localhost:3000/in?next=%2Fa%26b&token=theirs#/home"
    await linked.asked("/email/signup", **{**LINK, "callbackUrl": callback})
    letter = await linked.letter()
    assert letter.link.startswith("http://localhost:3000/in?next=%2Fa%26b&token=")
    assert letter.link.endswith("#/home")
    assert letter.query["next"] == "/a&b"
    await linked.asked("/email/callback", token=letter.token)


async def test_an_apps_own_scheme_is_led_to_when_listed(linked: Linked) -> None:
    await linked.set(allowedRedirectUrls=["myapp://"])
    await linked.asked("/email/signup", **{**LINK, "callbackUrl": "myapp://in"})
    assert (await linked.letter()).link.startswith("myapp://in?token=")


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}])
async def test_a_get_of_the_callback_is_no_provider(
    linked: Linked, headers: dict[str, str]
) -> None:
    answer = await linked.http.get("/v1/auth/email/callback", headers=headers)
    assert (answer.status_code, code(answer)) == (400, "auth/unsupported-provider")


async def test_only_digests_are_stored(linked: Linked) -> None:
    token = await linked.magic_token()
    secret = token.rpartition(".")[2]
    assert len(secret) == 43
    assert secret not in str(await linked.stored(TOKENS))
