"""Verifying addresses and changing one's own (10 §9)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.links.collections import TOKENS
from bkend.mail.collections import OUTBOX
from tests.auth.answers import OPERATOR, code
from tests.auth.conftest import PASSWORD
from tests.auth.links.conftest import ADA, BACK, HOUR, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESEND, SEND, AGAIN = "/signup/email/resend", "/email/verify/send", "/email/verify/resend"
CONFIRM = "/email/verify/confirm"
NOT_FOUND = (404, "auth/verification-token-not-found")
NEW_ADDRESS = "countess@example.com"


async def navigate(linked: Linked, link: str, **headers: str) -> httpx.Response:
    """Open a mailed link as a browser does: without a key."""
    parts = urlsplit(link)
    return await linked.http.get(
        f"{parts.path}?{parts.query}", headers={"X-API-Key": "", **headers}
    )


def led_to(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    assert answer.status_code == 302
    assert answer.headers["referrer-policy"] == "no-referrer"
    parts = urlsplit(answer.headers["location"])
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query


async def token_of(linked: Linked, path: str = SEND, email: str = ADA, result: Any = None) -> str:
    await linked.asked(path, result, email=email)
    return (await linked.letter()).token


# -- mails of a sign-up ---------------------------------------------------------------------------


async def test_sign_up_sends_no_mail_by_default(linked: Linked) -> None:
    await linked.api.sign_up()
    assert await linked.letters() == []


@pytest.mark.parametrize("setting", ["sendVerificationOnSignup", "requireEmailVerification"])
async def test_sign_up_sends_a_link_where_that_is_set(linked: Linked, setting: str) -> None:
    await linked.set(**{setting: True})
    await linked.api.sign_up()
    letter = await linked.letter("signup_confirmation")
    assert (letter.to, letter.values["userName"]) == (ADA, "Ada")
    assert letter.link.startswith("http://127.0.0.1:8000/v1/auth/signup/email/confirm?token=")
    answer = await navigate(linked, letter.link)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"message", "verified", "email"}
    assert (body["verified"], body["email"]) == (True, ADA)
    assert (await linked.user())["emailVerified"] is not None


async def test_a_required_verification_gates_sign_in_alone(linked: Linked) -> None:
    await linked.set(requireEmailVerification=True)
    made = await linked.api.sign_up()
    assert (await linked.api.call("GET", "/me", made)).status_code == 200
    assert await linked.signs_in() == 403
    await navigate(linked, (await linked.letter()).link)
    assert await linked.signs_in() == 200


# -- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "category"),
    [(RESEND, "signup_confirmation"), (SEND, "email_verification"), (AGAIN, "email_verification")],
)
async def test_an_unverified_user_gets_a_link(linked: Linked, path: str, category: str) -> None:
    await linked.api.sign_up()
    answer = await linked.post(path, email=" ADA@example.com ")
    assert answer.status_code == 200
    assert set(answer.json()) == {"message", "email"}
    assert answer.json()["email"] == ADA
    letter = await linked.letter(category)
    assert letter.query["email"] == ADA


@pytest.mark.parametrize("path", [RESEND, SEND, AGAIN])
async def test_an_unknown_address_is_answered_alike_and_gets_nothing(
    linked: Linked, path: str
) -> None:
    await linked.api.sign_up()
    known = await linked.post(path, email=ADA)
    before = await linked.stored(TOKENS), await linked.stored(OUTBOX)
    unknown = await linked.post(path, email="eve@example.com")
    assert (known.status_code, known.json()["message"]) == (200, unknown.json()["message"])
    assert known.headers.keys() == unknown.headers.keys()
    assert (await linked.stored(TOKENS), await linked.stored(OUTBOX)) == before


@pytest.mark.parametrize("path", [RESEND, SEND, AGAIN])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "ada"}, "auth/invalid-email"),
        ({"email": OPERATOR}, "auth/invalid-request"),
        ({}, "auth/invalid-request"),
        ({"email": ADA, "callbackUrl": "https://evil.example"}, "auth/invalid-request"),
        ({"email": ADA, "callbackUrl": ["http://localhost"]}, "auth/invalid-request"),
    ],
)
async def test_malformed_requests_are_refused(
    linked: Linked, path: str, body: dict[str, Any], expected: str
) -> None:
    answer = await linked.post(path, **body)
    assert (answer.status_code, code(answer)) == (400, expected)


@pytest.mark.parametrize("path", [RESEND, SEND, AGAIN])
async def test_a_verified_address_says_so(linked: Linked, path: str) -> None:
    await linked.api.sign_up()
    await linked.change_user(emailVerified="2020-01-01T00:00:00.000Z")
    answer = await linked.post(path, email=ADA)
    assert (answer.status_code, code(answer)) == (400, "auth/already-verified")


@pytest.mark.parametrize("token", ["junk", "a.b.c"])
async def test_a_bad_user_token_counts_as_none(linked: Linked, token: str) -> None:
    await linked.api.sign_up()
    await linked.asked(SEND, {"accessToken": token}, email=ADA)
    assert (await linked.letter()).to == ADA


# -- confirming -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [RESEND, SEND])
async def test_either_mails_token_is_good_for_the_post(linked: Linked, path: str) -> None:
    await linked.api.sign_up()
    token = await token_of(linked, path)
    answer = await linked.post(CONFIRM, email=ADA, token=token)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message", "verified"}
    assert answer.json()["verified"] is True
    again = await linked.post(CONFIRM, email=ADA, token=token)
    assert (again.status_code, code(again)) == NOT_FOUND


async def test_a_callback_gets_the_token_for_the_post(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.asked(SEND, email=ADA, callbackUrl=BACK + "?x=1")
    letter = await linked.letter()
    assert letter.link.startswith(BACK + "?x=1&token=")
    assert letter.query.keys() == {"x", "token", "email"}
    await linked.asked(CONFIRM, email=ADA, token=letter.token)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": ADA}, (400, "auth/invalid-request")),
        ({"token": "x"}, (400, "auth/invalid-request")),
        ({"email": OPERATOR, "token": OPERATOR}, (400, "auth/invalid-request")),
        ({"email": "ada", "token": "x"}, (400, "auth/invalid-email")),
        ({"email": ADA, "token": "x"}, NOT_FOUND),
        ({"email": ADA, "token": ""}, NOT_FOUND),
        ({"email": "eve@example.com", "token": "mailed"}, NOT_FOUND),
    ],
)
async def test_what_does_not_fit_is_refused(
    linked: Linked, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    await linked.api.sign_up()
    if body.get("token") == "mailed":
        body = {**body, "token": await token_of(linked)}
    answer = await linked.post(CONFIRM, **body)
    assert (answer.status_code, code(answer)) == expected


async def test_superseded_expired_and_needless_tokens(linked: Linked) -> None:
    await linked.api.sign_up()
    first, second = await token_of(linked), await token_of(linked, AGAIN)
    answer = await linked.post(CONFIRM, email=ADA, token=first)
    assert (answer.status_code, code(answer)) == NOT_FOUND
    linked.api.clock.advance(24 * HOUR)
    answer = await linked.post(CONFIRM, email=ADA, token=second)
    assert (answer.status_code, code(answer)) == (401, "auth/verification-token-expired")
    third = await token_of(linked)
    await linked.change_user(emailVerified="2020-01-01T00:00:00.000Z")
    answer = await linked.post(CONFIRM, email=ADA, token=third)
    assert (answer.status_code, code(answer)) == (400, "auth/already-verified")


async def test_a_token_is_of_its_purpose_and_environment(linked: Linked, elsewhere: Linked) -> None:
    await linked.api.sign_up()
    await elsewhere.api.sign_up()
    reset, token = await linked.reset_token(), await token_of(linked)
    answer = await linked.post(CONFIRM, email=ADA, token=reset)
    assert (answer.status_code, code(answer)) == NOT_FOUND
    answer = await elsewhere.post(CONFIRM, email=ADA, token=token)
    assert (answer.status_code, code(answer)) == NOT_FOUND


async def test_twenty_at_once_verify_once(linked: Linked) -> None:
    await linked.api.sign_up()
    token = await token_of(linked)
    answers = await asyncio.gather(
        *(linked.post(CONFIRM, email=ADA, token=token) for _ in range(20))
    )
    assert Counter(a.status_code for a in answers)[200] == 1
    assert {a.status_code for a in answers} <= {200, 404, 400}


# -- the link of the mail -------------------------------------------------------------------------


async def test_the_link_leads_back_to_the_app(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.asked(RESEND, email=ADA, callbackUrl=BACK + "?x=1")
    link = (await linked.letter()).link
    assert led_to(await navigate(linked, link)) == (
        BACK,
        {"x": "1", "verified": "true", "email": ADA},
    )
    assert led_to(await navigate(linked, link)) == (
        BACK,
        {"x": "1", "verified": "false", "error": "auth/verification-token-not-found"},
    )


async def test_another_callback_must_be_allowed_itself(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.asked(RESEND, email=ADA, callbackUrl=BACK)
    token = (await linked.letter()).token
    evil = f"/v1/auth/signup/email/confirm?token={token}&email={ADA}&callbackUrl="
    for target in ("https://evil.example", "//evil.example", "javascript:alert(1)", "data:,x"):
        answer = await navigate(linked, evil + target)
        assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    other = "http://localhost:9/elsewhere"
    assert led_to(await navigate(linked, evil + other))[0] == other


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (400, "auth/invalid-request")),
        ("token=x", (400, "auth/invalid-request")),
        ("email=ada@example.com", (400, "auth/invalid-request")),
        ("token=&email=ada@example.com", (400, "auth/invalid-request")),
        ("token=x&email=ada@example.com", NOT_FOUND),
        ("token=env_none.x&email=ada@example.com", NOT_FOUND),
        ("token=../../x.y&email=ada@example.com", NOT_FOUND),
        ("token=x&email=ada@example.com&callbackUrl=https://evil.example", NOT_FOUND),
    ],
)
async def test_links_that_were_never_mailed(
    linked: Linked, query: str, expected: tuple[int, str]
) -> None:
    answer = await navigate(linked, f"/v1/auth/signup/email/confirm?{query}")
    assert (answer.status_code, code(answer)) == expected


async def test_a_key_that_is_sent_must_match(linked: Linked, elsewhere: Linked) -> None:
    await linked.api.sign_up()
    link = (await linked.asked(RESEND, email=ADA)) and (await linked.letter()).link
    foreign = await navigate(linked, link, **{"X-API-Key": elsewhere.api.secret_key})
    assert (foreign.status_code, code(foreign)) == NOT_FOUND
    unknown = await navigate(linked, link, **{"X-API-Key": "pk_" + "0" * 64})
    assert code(unknown) == "auth/invalid-token"
    own = await navigate(linked, link, **linked.with_secret_key())
    assert own.status_code == 200


async def test_the_link_also_takes_the_token_of_a_verification_mail(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.asked(SEND, email=ADA)
    assert (await navigate(linked, (await linked.letter()).link)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/signup/email/confirm"),
        ("GET", "/signup/email/confirm/"),
        ("GET", "/me"),
        ("POST", "/email/callback"),
        ("POST", "/signup/email/resend"),
    ],
)
async def test_everything_else_needs_a_key(linked: Linked, method: str, path: str) -> None:
    answer = await linked.http.request(method, f"/v1/auth{path}", headers={"X-API-Key": ""})
    assert (answer.status_code, code(answer)) == (401, "auth/unauthorized")


# -- another address ------------------------------------------------------------------------------


async def test_a_signed_in_user_moves_to_a_new_address(linked: Linked) -> None:
    made = await linked.api.sign_up()
    old_reset = await linked.reset_token()
    token = await token_of(linked, SEND, NEW_ADDRESS, made)
    assert (await linked.letter()).to == NEW_ADDRESS
    assert (await linked.user())["email"] == ADA
    await linked.asked(CONFIRM, email=NEW_ADDRESS, token=token)
    me = (await linked.api.call("GET", "/me", made)).json()
    assert (me["id"], me["email"]) == (made["user"]["id"], NEW_ADDRESS)
    assert me["emailVerified"] is not None
    [account] = await linked.stored(ACCOUNTS)
    assert (account["providerAccountId"], account["email"]) == (NEW_ADDRESS, NEW_ADDRESS)
    assert (await linked.signs_in(), await linked.signs_in(email=NEW_ADDRESS)) == (401, 200)
    late = {"email": ADA, "token": old_reset, "newPassword": "other horse"}
    answer = await linked.post("/password/reset/confirm", **late)
    assert (answer.status_code, code(answer)) == NOT_FOUND
    await linked.api.sign_up()  # the old address is free


async def test_the_link_moves_the_address_too(linked: Linked) -> None:
    made = await linked.api.sign_up()
    await linked.change_user(emailVerified="2020-01-01T00:00:00.000Z")
    await linked.asked(SEND, made, email=NEW_ADDRESS)
    assert (await navigate(linked, (await linked.letter()).link)).status_code == 200
    assert (await linked.user(NEW_ADDRESS))["id"] == made["user"]["id"]


async def test_a_signed_in_user_verifies_their_own_address(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await token_of(linked, SEND, ADA, made)
    await linked.asked(CONFIRM, email=ADA, token=token)
    answer = await linked.post(SEND, made, email=ADA)
    assert (answer.status_code, code(answer)) == (400, "auth/already-verified")


async def test_a_taken_address_is_refused_now_and_later(linked: Linked) -> None:
    made = await linked.api.sign_up()
    token = await token_of(linked, SEND, NEW_ADDRESS, made)
    await linked.api.sign_up(NEW_ADDRESS)
    answer = await linked.post(SEND, made, email=NEW_ADDRESS)
    assert (answer.status_code, code(answer)) == (409, "auth/email-already-exists")
    answer = await linked.post(CONFIRM, email=NEW_ADDRESS, token=token)
    assert (answer.status_code, code(answer)) == (409, "auth/email-already-exists")
    assert len(await linked.stored(USERS)) == 2


async def test_two_users_ask_for_one_address_and_the_first_gets_it(linked: Linked) -> None:
    ada = await linked.api.sign_up()
    eve = await linked.api.sign_up("eve@example.com")
    first = await token_of(linked, SEND, NEW_ADDRESS, ada)
    second = await token_of(linked, SEND, NEW_ADDRESS, eve)
    answers = await asyncio.gather(
        linked.post(CONFIRM, email=NEW_ADDRESS, token=first),
        linked.post(CONFIRM, email=NEW_ADDRESS, token=second),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_without_a_token_nobodys_address_changes(linked: Linked) -> None:
    await linked.api.sign_up()
    await linked.asked(SEND, email=NEW_ADDRESS)
    assert await linked.letters() == []
    assert await linked.signs_in(PASSWORD) == 200
