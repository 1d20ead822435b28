"""`Idempotency-Key` where nobody has signed in yet, and around it (51 §6)."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import orjson
import pytest

from bkend.http.manage.idempotency import BY_CALLER, NEVER, PublicRoute
from bkend.http.manage.router import routes
from bkend.mail.collections import OUTBOX
from bkend.manage.control import IDEMPOTENCY
from bkend.store import Find
from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_SESSIONS
from tests.tenants.conftest import EMAIL, PASSWORD, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = {"name": "Grace", "email": "grace@example.com", "password": "five brown horses"}


async def post(browser: Browser, path: str, body: Any, key: str = "one") -> httpx.Response:
    return await browser.call("POST", path, body, Idempotency_Key=key)


def is_replay(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("idempotency-replayed") == "true")


async def test_every_public_route_is_one_of_three_kinds() -> None:
    public = {r.path for r in routes if isinstance(r, PublicRoute) and "POST" in (r.methods or ())}
    assert public >= BY_CALLER | NEVER
    assert public - BY_CALLER - NEVER == {
        f"/manage/v1{path}"
        for path in (
            "/setup",
            "/session/signup",
            "/session/magic-link",
            "/session/password/forgot",
            "/session/password/reset",
            "/session/verify-email",
            "/device/token",
        )
    }


async def test_an_account_is_made_once_and_a_replay_opens_no_session(server: Server) -> None:
    server.let("open")
    first = await post(server.browser(), "/session/signup", NEW)
    assert first.status_code == 201
    assert "bkend_session" in first.cookies
    browser = server.browser()
    again = await post(browser, "/session/signup", NEW)
    assert (again.status_code, again.json()) == (201, first.json())
    assert is_replay(again)
    assert "set-cookie" not in again.headers
    assert "x-bkend-csrf" not in again.headers
    assert await browser.refused("GET", "/session") == (401, "auth/unauthorized")
    assert len(await server.all(TENANT_ACCOUNTS)) == 1
    assert len(await server.all(TENANT_SESSIONS)) == 1
    await server.browser().log_in(NEW["email"], NEW["password"])


async def test_another_caller_gets_no_answer_of_somebody_else(server: Server) -> None:
    server.let("open")
    await post(server.browser(), "/session/signup", NEW)
    for browser, body in (
        (server.browser(), {**NEW, "password": "six brown horses"}),
        (server.browser("198.51.100.1"), NEW),
    ):
        other = await post(browser, "/session/signup", body)
        assert (other.status_code, other.json()["code"]) == (409, "auth/email-already-exists")


async def test_what_is_kept_of_a_body_is_no_digest_that_can_be_tried(server: Server) -> None:
    server.let("open")
    await post(server.browser(), "/session/signup", NEW)
    page = await server.core.database.control.find(Find(IDEMPOTENCY))
    [held] = orjson.loads(page.items)
    body = orjson.dumps(NEW)
    for text in (body, held["id"].encode() + body):
        assert hashlib.sha256(text).hexdigest() not in str(held)
    assert "Grace" not in str(held)


async def test_the_server_is_set_up_once(server: Server) -> None:
    token = await server.core.tenants.setup.new_token()
    body = {
        "token": token,
        "name": "Ada",
        "email": EMAIL,
        "password": PASSWORD,
        "organization": {"name": "Engines"},
    }
    first = await post(server.browser(), "/setup", body)
    again = await post(server.browser(), "/setup", body)
    assert first.status_code == again.status_code == 201, first.text
    assert first.json() == again.json()
    assert "set-cookie" not in again.headers
    other = await post(server.browser(), "/setup", {**body, "token": "x"})
    assert (other.status_code, other.json()["code"]) == (409, "setup/already-done")


@pytest.mark.parametrize("path", ["/session/magic-link", "/session/password/forgot"])
async def test_a_mail_is_sent_once(server: Server, ada: str, path: str) -> None:
    for _ in range(2):
        assert (await post(server.browser(), path, {"email": EMAIL})).status_code == 202
    assert len(await server.all(OUTBOX)) == 1
    await post(server.browser(), path, {"email": EMAIL}, "two")
    assert len(await server.all(OUTBOX)) == 2


async def test_a_link_that_was_used_says_so_again_to_the_same_caller(
    server: Server, ada: str
) -> None:
    await post(server.browser(), "/session/password/forgot", {"email": EMAIL}, "mail")
    body = {"token": await server.mailed_token(), "newPassword": "seven brown horses"}
    for _ in range(2):
        answer = await post(server.browser(), "/session/password/reset", body)
        assert (answer.status_code, answer.json()) == (200, {"reset": True})
    refused = await server.browser().refused("POST", "/session/password/reset", body)
    assert refused == (400, "account/invalid-link")


async def test_signing_in_is_worked_on_every_time(server: Server, ada: str) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    first, second = server.browser(), server.browser()
    answers = [await post(browser, "/session/login", body) for browser in (first, second)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any(map(is_replay, answers))
    assert first.cookie != second.cookie
    await post(server.browser(), "/session/magic-link", {"email": EMAIL}, "mail")
    link = {"token": await server.mailed_token()}
    assert (await post(server.browser(), "/session/magic-link/confirm", link)).status_code == 200
    again = await post(server.browser(), "/session/magic-link/confirm", link)
    assert (again.status_code, again.json()["code"]) == (400, "account/invalid-link")


async def test_every_program_gets_a_code_of_its_own(server: Server) -> None:
    codes = [
        (await post(server.browser(), "/device/authorize", {"name": "cli"})).json()["deviceCode"]
        for _ in range(2)
    ]
    assert codes[0] != codes[1]


async def test_a_lost_token_is_handed_to_the_same_program_again(server: Server, ada: str) -> None:
    browser, program = await server.signed_in(), server.browser()
    begun = (await post(program, "/device/authorize", {"name": "cli"})).json()
    code = {"deviceCode": begun["deviceCode"]}
    waiting = await post(program, "/device/token", code)
    assert waiting.json()["code"] == "device/authorization-pending"
    approve = f"/device/{begun['userCode']}"
    assert (await post(browser, approve, {})).json()["approved"]
    again = await post(browser, approve, {})
    assert (again.status_code, is_replay(again)) == (200, True)
    first, second = [await post(program, "/device/token", code) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json()["key"] == second.json()["key"]
    elsewhere = await post(server.browser("198.51.100.1"), "/device/token", code)
    assert elsewhere.json()["code"] == "device/expired"
    assert (await post(program, "/device/token", code, "two")).json()["code"] == "device/expired"


async def test_where_one_must_sign_in_the_key_is_the_accounts(server: Server) -> None:
    for email in (EMAIL, "bob@example.com"):
        await server.add(email, emailVerifiedAt=None)
    path = "/session/verify-email/resend"
    for email in (EMAIL, EMAIL, "bob@example.com"):
        browser = await server.signed_in(email)
        assert (await post(browser, path, None)).status_code == 202
    assert sorted(mail["to"] for mail in await server.mails()) == [EMAIL, "bob@example.com"]
    nobody = await post(server.browser(), path, None)
    assert nobody.status_code == 401


async def test_a_token_is_a_caller_of_its_own(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    body = {"name": "ci"}
    made = await post(browser, "/account/tokens", body)
    assert (await post(browser, "/account/tokens", body)).json() == made.json()
    keys = "/projects/app/environments/dev/api-keys"
    secret = {"type": "secret", "name": "s"}
    first = await post(browser, keys, secret, "same")
    assert first.status_code == 201
    narrow = await post(browser, "/account/tokens", {"name": "n", "scopes": ["table:read"]}, "n")
    holder = server.browser()
    headers = {"Idempotency_Key": "same", "Authorization": f"Bearer {narrow.json()['key']}"}
    refused = await holder.refused("POST", keys, secret, **headers)
    assert refused == (403, "common/scope-insufficient")


async def test_another_site_gets_nothing(server: Server) -> None:
    server.let("open")
    await post(server.browser(), "/session/signup", NEW)
    headers = {"Idempotency_Key": "one", "Sec_Fetch_Site": "cross-site"}
    refused = await server.browser().refused("POST", "/session/signup", NEW, **headers)
    assert refused == (403, "common/csrf-failed")
