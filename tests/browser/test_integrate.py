"""The "integrate bkend in your app" path in a real browser, from another origin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.pages import PostsPage
from tests.conftest import StartServer
from tests.managing import sign_in_settings, untouched
from tests.servers import RunningServer

pytestmark = pytest.mark.browser


@pytest.fixture
def short_lived(server: RunningServer) -> Iterator[RunningServer]:
    """An environment where nobody has been before, whose access tokens live one second."""
    with untouched(server, accessTokenTtlSeconds=1) as found:
        yield found


def lasting(server: RunningServer) -> None:
    """Tokens that are made from now on live as long as they do by default."""
    sign_in_settings(server, accessTokenTtlSeconds=None)


def test_a_visitor_signs_up_creates_lists_and_is_still_there_after_a_reload(
    context: BrowserContext, site: str, server: RunningServer
) -> None:
    page = PostsPage(context, site, server)
    page.shows_entrance()
    page.enter("browser-first@example.com")
    page.shows_user()
    page.publish("Hello from a browser")
    page.shows_post("Hello from a browser")
    page.reload()
    page.shows_user()
    page.shows_post("Hello from a browser")
    page.shows_no_error()


def test_an_expired_token_is_renewed_silently(
    context: BrowserContext, site: str, short_lived: RunningServer
) -> None:
    page = PostsPage(context, site, short_lived)
    page.enter("expired@example.com")
    before = page.access_token()
    page.wait_for_expiry()
    page.publish("Written after the token expired")
    page.shows_post("Written after the token expired")
    page.shows_user()
    page.shows_no_error()
    assert page.access_token() != before


@pytest.mark.parametrize("locks", ["with locks", "without locks"])
def test_two_tabs_that_refresh_at_once_stay_signed_in(
    context: BrowserContext, site: str, short_lived: RunningServer, locks: str
) -> None:
    if locks == "without locks":
        context.add_init_script(
            "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })"
        )
    first = PostsPage(context, site, short_lived)
    first.enter("tabs@example.com")
    second = PostsPage(context, site, short_lived)
    second.shows_user()
    for round in range(3):
        first.wait_for_expiry()
        calls = "Promise.all([1, 2, 3].map(() => client.auth.me()))"
        for tab in (first, second):
            tab.page.evaluate(f"globalThis.answers = {calls}; 0")
        for tab in (first, second):
            names = tab.page.evaluate("answers.then((all) => all.map((user) => user.name))")
            assert names == ["Ada"] * 3, f"round {round}"
    for tab in (first, second):
        tab.list()
        tab.shows_user()
        tab.shows_no_error()


def test_a_revoked_session_ends_with_the_promised_error_and_the_entrance(
    context: BrowserContext, site: str, short_lived: RunningServer
) -> None:
    page = PostsPage(context, site, short_lived)
    page.enter("revoked@example.com")
    lasting(short_lived)
    with short_lived.client() as client:
        body = {"email": "revoked@example.com", "password": "correct horse"}
        token = client.post("/v1/auth/email/signin", json=body).json()["accessToken"]
        headers = {"Authorization": f"Bearer {token}"}
        listed = client.get("/v1/auth/sessions", headers=headers).json()["items"]
        ended = [session["id"] for session in listed if not session["current"]]
        assert len(ended) == 1
        for id in ended:
            assert client.delete(f"/v1/auth/sessions/{id}", headers=headers).status_code == 200
    page.wait_for_expiry()
    page.list()
    page.shows_error("401 auth/invalid-refresh-token")
    page.shows_entrance()


def test_signing_out_in_one_tab_shows_in_the_other(
    context: BrowserContext, site: str, server: RunningServer
) -> None:
    first = PostsPage(context, site, server)
    first.enter("leaving@example.com")
    second = PostsPage(context, site, server)
    second.shows_user()
    first.page.get_by_role("button", name="Sign out").click()
    first.shows_entrance()
    second.shows_entrance()


def test_refusals_are_shown_with_their_messages(
    context: BrowserContext, site: str, server: RunningServer
) -> None:
    page = PostsPage(context, site, server)
    page.enter("refusals@example.com")
    page.publish("")
    page.shows_error("400 data/validation-error", "title is required")
    page.publish("One of a kind", slug="browser-unique")
    page.publish("Another", slug="browser-unique")
    page.shows_error("409 data/duplicate-value", "slug")
    page.attempt("client.from('posts').get('000000000000000000000000')")
    page.shows_error("404 data/not-found")
    other = server.sign_up("somebody-else@example.com")
    with server.client(token=other["accessToken"]) as client:
        foreign = client.post("/v1/data/posts", json={"title": "Not yours"}).json()["id"]
    page.attempt(f"client.from('posts').update('{foreign}', {{ title: 'Mine' }})")
    page.shows_error("403 data/permission-denied")


def test_a_wrong_password_and_a_known_address_are_told_apart_from_trouble(
    context: BrowserContext, site: str, server: RunningServer
) -> None:
    server.sign_up("known@example.com")
    page = PostsPage(context, site, server)
    page.enter("known@example.com")
    page.shows_error("409 auth/email-already-exists", "already exists")
    page.enter("known@example.com", button="Sign in", password="wrong horse")
    page.shows_error("401 auth/invalid-credentials")
    page.enter("known@example.com", button="Sign in")
    page.shows_user()


def test_too_many_requests_say_when_to_come_back(
    context: BrowserContext, site: str, start_server: StartServer
) -> None:
    server = start_server(BKEND_RATE_LIMIT="1/3")
    page = PostsPage(context, site, server)
    page.attempt("Promise.all([1, 2, 3, 4, 5].map(() => client.from('posts').list()))")
    page.shows_error("429 data/rate-limit-exceeded", "Try again in")
