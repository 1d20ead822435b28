"""The plain pages: set-up, sign-in, mailed links, approving a program (50 §2, §4)."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from bkend.tenants.collections import DEVICE_CODES, TENANT_SESSIONS
from tests.tenants.conftest import EMAIL, PASSWORD, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN = {"Origin": "http://bkend.test"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


async def post(browser: Browser, path: str, **fields: str) -> httpx.Response:
    return await browser.http.post(path, data=fields, headers=ORIGIN)


async def hidden_of(browser: Browser, path: str) -> dict[str, str]:
    answer = await browser.http.get(path)
    assert answer.status_code == 200, answer.text
    return dict(HIDDEN.findall(answer.text))


async def test_the_printed_link_leads_through_set_up(server: Server) -> None:
    browser, token = server.browser(), await server.core.tenants.setup.new_token()
    fields = await hidden_of(browser, f"/console/setup?token={token}")
    assert fields == {"token": token}
    person = {"name": "Ada", "email": EMAIL, "organization": "Engines <b>"}
    answer = await post(browser, "/console/setup", **fields, **person, password="short")
    assert answer.status_code == 400
    assert "must have at least 10 characters" in answer.text
    assert 'value="Engines &lt;b&gt;"' in answer.text
    assert PASSWORD not in answer.text
    answer = await post(browser, "/console/setup", **fields, **person, password=PASSWORD)
    assert answer.status_code == 200
    assert "You own Engines &lt;b&gt;." in answer.text
    assert browser.cookie
    answer = await server.browser().http.get("/console/setup")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")


async def test_without_the_link_the_page_asks_for_the_token(server: Server) -> None:
    answer = await server.browser().http.get("/console/setup")
    assert 'name="token" type="text"' in answer.text
    body = {"name": "Ada", "email": EMAIL, "organization": "X", "password": PASSWORD}
    answer = await post(server.browser(), "/console/setup", **body, token="wrong")
    assert answer.status_code == 403
    assert "not the set-up link" in answer.text


async def test_signing_in_on_the_page(server: Server, ada: str) -> None:
    browser = server.browser()
    answer = await post(browser, "/console/login", email=EMAIL, password="wrong horses")
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong" in answer.text
    assert "wrong horses" not in answer.text
    answer = await post(browser, "/console/login", email=EMAIL, password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    await browser.ok("GET", "/session")


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/console/device?code=AB&next=//x",
        "/console/device\r\nX: y",
        "javascript:alert(1)",
        "/v1/data",
    ],
)
async def test_the_page_leads_only_to_our_own(server: Server, ada: str, onward: str) -> None:
    answer = await post(
        server.browser(), "/console/login", email=EMAIL, password=PASSWORD, next=onward
    )
    assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_forms_of_other_sites_are_refused(
    server: Server, ada: str, headers: dict[str, str]
) -> None:
    fields = {"email": EMAIL, "password": PASSWORD}
    answer = await server.browser().http.post("/console/login", data=fields, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert await server.all(TENANT_SESSIONS) == []


async def test_a_link_is_asked_for_and_followed(server: Server, ada: str) -> None:
    answer = await post(server.browser(), "/console/login", email=EMAIL, how="link")
    assert "a link is on its way" in answer.text
    path = f"/console/magic?token={await server.mailed_token()}"
    browser = server.browser()
    for _ in range(2):  # looking uses nothing up
        fields = await hidden_of(browser, path)
    answer = await post(browser, "/console/magic", **fields)
    assert answer.status_code == 303
    await browser.ok("GET", "/session")
    assert (await browser.http.get(path)).status_code == 400


async def test_a_new_password_on_the_page(server: Server, ada: str) -> None:
    answer = await post(server.browser(), "/console/login", email=EMAIL, how="reset")
    assert "a link is on its way" in answer.text
    path = f"/console/reset?token={await server.mailed_token()}"
    fields = await hidden_of(server.browser(), path)
    answer = await post(server.browser(), "/console/reset", **fields, newPassword="short")
    assert answer.status_code == 400
    assert 'name="newPassword"' in answer.text
    answer = await post(server.browser(), "/console/reset", **fields, newPassword="five red foxes")
    assert "Your password was changed" in answer.text
    await server.browser().log_in(password="five red foxes")


async def test_an_address_is_verified_on_the_page(server: Server) -> None:
    await server.add(EMAIL, emailVerifiedAt=None)
    browser = await server.signed_in()
    await browser.ok("POST", "/session/verify-email/resend", status=202)
    path = f"/console/verify?token={await server.mailed_token()}"
    answer = await post(server.browser(), "/console/verify", **await hidden_of(browser, path))
    assert f"{EMAIL} is verified" in answer.text
    assert (await browser.ok("GET", "/account"))["emailVerifiedAt"]


async def begun(server: Server) -> dict[str, Any]:
    body = {"name": "bkend on <laptop>"}
    made: dict[str, Any] = await server.browser().ok("POST", "/device/authorize", body, 201)
    return made


async def test_a_program_is_let_in_on_the_page(server: Server, ada: str) -> None:
    code = await begun(server)
    path = f"/console/device?code={code['userCode']}"
    browser = server.browser()
    answer = await browser.http.get(path)
    assert answer.status_code == 303
    login = await hidden_of(browser, answer.headers["location"])
    answer = await post(browser, "/console/login", **login, email=EMAIL, password=PASSWORD)
    assert answer.headers["location"] == path
    page = await browser.http.get(path)
    assert "bkend on &lt;laptop&gt;" in page.text
    assert EMAIL in page.text
    fields = dict(HIDDEN.findall(page.text))
    answer = await post(browser, "/console/device", **fields, answer="approve")
    assert "Approved" in answer.text
    body = {"deviceCode": code["deviceCode"]}
    assert (await server.browser().ok("POST", "/device/token", body))["createdBy"] == ada


async def test_only_the_sessions_own_form_answers(server: Server, ada: str) -> None:
    code, browser = await begun(server), await server.signed_in()
    other = await server.signed_in()
    for csrf in ("", other.csrf or ""):
        fields = {"code": code["userCode"], "csrf": csrf, "answer": "approve"}
        assert (await post(browser, "/console/device", **fields)).status_code == 403
    [held] = await server.all(DEVICE_CODES)
    assert held["status"] == "pending"
    fields = {"code": code["userCode"], "csrf": browser.csrf or "", "answer": "deny"}
    assert "gets no access" in (await post(browser, "/console/device", **fields)).text
    body = {"deviceCode": code["deviceCode"]}
    assert await server.browser().refused("POST", "/device/token", body) == (403, "device/denied")


async def test_pages_are_shut_in(server: Server) -> None:
    for path in ("/console/setup", "/console/login"):
        answer = await server.browser().http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
