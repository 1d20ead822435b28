"""Sessions of the console: how long, where, and that no other site uses them (51 §7)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.tenants.collections import TENANT_SESSIONS
from tests.tenants.conftest import EMAIL, PASSWORD, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = (401, "auth/unauthorized")
FORGED = (403, "common/csrf-failed")
DAY, MINUTE = 86_400, 60
CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/account", {"name": "Eve"}),
    ("DELETE", "/account", {"confirm": EMAIL, "password": PASSWORD}),
    ("PUT", "/account/password", {"currentPassword": PASSWORD, "newPassword": "five red foxes"}),
    ("POST", "/account/mfa", {"password": PASSWORD}),
    ("POST", "/account/mfa/confirm", {"code": "123456"}),
    ("DELETE", "/account/mfa", {"password": PASSWORD, "code": "123456"}),
    ("DELETE", "/account/sessions", None),
    ("DELETE", "/account/sessions/x", None),
    ("POST", "/account/tokens", {"name": "T"}),
    ("DELETE", "/account/tokens/x", None),
    ("POST", "/session/verify-email/resend", None),
    ("DELETE", "/session", None),
    ("POST", "/device/ABCD-EFGH", {}),
    ("DELETE", "/device/ABCD-EFGH", None),
    ("PATCH", "/projects/app", {"name": "Mine"}),
    ("POST", "/projects/app/environments/dev/tables", {"tableName": "t"}),
]


async def test_a_session_names_the_account_and_its_organizations(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    found = await browser.ok("GET", "/session")
    assert found["account"]["id"] == ada
    assert found["csrf"] == browser.csrf
    assert [one["role"] for one in found["memberships"]] == ["owner"]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=lambda part: str(part)[:20])
async def test_a_change_needs_the_token_of_the_session(
    server: Server, ada: str, method: str, path: str, body: Any
) -> None:
    browser, other = await server.signed_in(), await server.signed_in()
    for csrf in ("", "0" * 64, other.csrf or ""):
        assert await browser.refused(method, path, body, X_Bkend_CSRF=csrf) == FORGED
    for site in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert await browser.refused(method, path, body, **site) == FORGED
    held, browser.csrf = browser.csrf, None
    assert await browser.refused(method, path, body) == FORGED
    browser.csrf = held
    assert (await browser.ok("GET", "/session"))["account"]["name"] == "Ada"
    assert len(await server.all(TENANT_SESSIONS)) == 2
    assert await server.browser().refused(method, path, body) == NOBODY


async def test_reading_needs_no_token(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    browser.csrf = None
    for path in ("/session", "/account", "/account/sessions", "/account/tokens", "/projects/app"):
        assert (await browser.call("GET", path)).status_code == 200


async def test_other_origins_may_not_read_with_the_cookie(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    for method in ("GET", "OPTIONS"):
        answer = await browser.call(method, "/session", Origin="https://evil.example")
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cookie: cookie + "x",
        lambda cookie: cookie.partition(".")[0],
        lambda cookie: cookie.partition(".")[0] + ".",
        lambda cookie: "." + cookie.partition(".")[2],
        lambda cookie: cookie.partition(".")[0] + ".None",
        lambda cookie: "x" * 5000,
        lambda cookie: "{'$ne': null}.x",
    ],
    ids=["longer", "id", "empty", "secret", "none", "long", "operator"],
)
async def test_only_the_whole_cookie_signs_in(server: Server, ada: str, spoil: Any) -> None:
    browser = await server.signed_in()
    cookie = spoil(browser.cookie)
    browser.http.cookies.clear()
    assert await browser.refused("GET", "/session", Cookie=f"bkend_session={cookie}") == NOBODY


async def test_logging_out_ends_the_session_on_the_server(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    cookie = browser.cookie
    answer = await browser.call("DELETE", "/session")
    assert answer.json()["deleted"] is True
    assert 'bkend_session=""' in answer.headers["set-cookie"]
    assert browser.cookie is None
    assert await browser.refused("GET", "/session", Cookie=f"bkend_session={cookie}") == NOBODY


async def test_a_session_lasts_thirty_days_from_its_last_use(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    for _ in range(3):
        server.clock.advance(29 * DAY)
        await browser.ok("GET", "/session")
    browser.http.cookies.jar.clear_expired_cookies()
    server.clock.advance(30 * DAY)
    assert await browser.refused("GET", "/session") == NOBODY


async def test_sessions_are_listed_with_their_devices(server: Server, ada: str) -> None:
    browser = server.browser()
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/131.0"
    body = {"email": EMAIL, "password": PASSWORD}
    await browser.call("POST", "/session/login", body, User_Agent=agent)
    server.clock.advance(MINUTE)
    other = await server.signed_in(address="198.51.100.9")
    found = await other.ok("GET", "/account/sessions")
    assert [item["isCurrent"] for item in found["items"]] == [True, False]
    assert found["pagination"]["total"] == 2
    old = found["items"][1]
    assert (old["device"], old["ip"], old["userAgent"]) == (
        "Chrome on macOS",
        "203.0.113.7",
        agent,
    )
    assert old.keys() == {
        *("id", "device", "userAgent", "ip", "isCurrent"),
        *("createdAt", "lastUsedAt", "expiresAt"),
    }
    assert await other.ok("DELETE", f"/account/sessions/{old['id']}") == {
        "deleted": True,
        "id": old["id"],
    }
    assert await browser.refused("GET", "/session") == NOBODY
    assert (await other.refused("DELETE", f"/account/sessions/{old['id']}"))[0] == 404


async def test_nobody_ends_sessions_of_others(server: Server, ada: str) -> None:
    await server.add("bob@example.com")
    browser, bob = await server.signed_in(), await server.signed_in("bob@example.com")
    [mine] = (await browser.ok("GET", "/account/sessions"))["items"]
    assert (await bob.refused("DELETE", f"/account/sessions/{mine['id']}"))[0] == 404
    await bob.ok("DELETE", "/account/sessions")
    await browser.ok("GET", "/session")


async def test_all_others_are_ended_at_once(server: Server, ada: str) -> None:
    browsers = [await server.signed_in() for _ in range(3)]
    assert await browsers[0].ok("DELETE", "/account/sessions") == {"deleted": True, "count": 2}
    await browsers[0].ok("GET", "/session")
    for other in browsers[1:]:
        assert await other.refused("GET", "/session") == NOBODY


async def test_a_disabled_account_has_no_session(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    await server.set(ada, status="disabled")
    for path in ("/session", "/account", "/projects/app"):
        assert await browser.refused("GET", path) == NOBODY


async def test_a_bad_token_is_not_made_good_by_a_cookie(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    for path in ("/session", "/projects/app", "/account"):
        found = await browser.refused("GET", path, Authorization="Bearer bt_" + "0" * 64)
        assert found == NOBODY


async def test_time_removes_what_it_has_ended(server: Server, ada: str) -> None:
    await server.signed_in()
    server.clock.advance(31 * DAY)
    await server.core.tenants.sweep()
    assert await server.all(TENANT_SESSIONS) == []
