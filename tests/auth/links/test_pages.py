"""The hosted pages of mailed links (10 §14)."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bkend.auth.links.collections import MEMBERSHIPS
from tests.auth.conftest import PASSWORD
from tests.auth.links.conftest import ADA, HOUR, NEW, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@example.com"


class Form(HTMLParser):
    """The fields of a page's form, as a browser would send them back."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.action = ""
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"] or ""
        if tag == "input":
            self.fields[given["name"] or ""] = given.get("value") or ""


async def open_page(linked: Linked, link: str, language: str = "en") -> httpx.Response:
    parts = urlsplit(link)
    headers = {"X-API-Key": "", "Accept-Language": language}
    return await linked.http.get(f"{parts.path}?{parts.query}", headers=headers)


async def submit(linked: Linked, page: httpx.Response, **fields: str) -> httpx.Response:
    form = Form(page.text)
    return await linked.http.post(
        form.action, data={**form.fields, **fields}, headers={"X-API-Key": ""}
    )


async def reset_link(linked: Linked) -> str:
    await linked.reset_token()
    return (await linked.letter("password_reset")).link


async def invitation_link(linked: Linked, **fields: Any) -> str:
    body = {
        "resourceType": "organization",
        "resourceId": "acme",
        "resourceName": "Acme",
        "resourceRole": "member",
        "email": BOB,
        "name": "Bob",
        **fields,
    }
    linked.api.clock.now += 1
    headers = linked.with_secret_key()
    answer = await linked.http.post("/v1/auth/invitations", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return (await linked.letter("invitation")).link


def heading(page: httpx.Response) -> str:
    match = re.search("<h1>(.*?)</h1>", page.text)
    assert match, page.text
    return match[1]


def is_closed(page: httpx.Response) -> None:
    """Nothing from elsewhere, no script, no trace of the token in a Referer."""
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert not {"script", "img", "link", "iframe"} & set(Form(page.text).tags)


async def test_a_new_password_is_chosen_on_the_page(linked: Linked) -> None:
    made = await linked.api.sign_up()
    link = await reset_link(linked)
    page = await open_page(linked, link)
    assert (page.status_code, heading(page)) == (200, "Choose a new password")
    is_closed(page)
    assert (await open_page(linked, link)).status_code == 200  # looking uses nothing up
    done = await submit(linked, page, newPassword=NEW, repeated=NEW)
    assert (done.status_code, heading(done)) == (200, "Your password was changed")
    is_closed(done)
    assert (await linked.signs_in(), await linked.signs_in(NEW)) == (401, 200)
    assert (await linked.api.call("GET", "/me", made)).status_code == 401
    again = await submit(linked, page, newPassword=NEW, repeated=NEW)
    assert (again.status_code, heading(again)) == (404, "This link is not valid")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (NEW, "other horse", "The two passwords differ."),
        ("x", "x", "At least 8 characters."),
        ("x" * 129, "x" * 129, "At most 128 characters."),
        ("lower case only", "lower case only", "The password needs: a digit."),
        ("password1", "password1", "among the most common ones"),
        (PASSWORD + "1", PASSWORD + "1", "your present password"),
    ],
)
async def test_a_refused_password_says_why_and_may_be_tried_again(
    linked: Linked, first: str, second: str, told: str
) -> None:
    await linked.api.sign_up(password=PASSWORD + "1")
    await linked.set(
        **{"passwordPolicy.requireNumbers": True, "passwordPolicy.breachCheck": "list"}
    )
    page = await open_page(linked, await reset_link(linked))
    refused = await submit(linked, page, newPassword=first, repeated=second)
    assert refused.status_code == 400
    assert told in refused.text
    assert first not in refused.text or first == "x"
    done = await submit(linked, refused, newPassword=NEW + "1", repeated=NEW + "1")
    assert done.status_code == 200


async def test_the_page_speaks_the_readers_language(linked: Linked) -> None:
    await linked.api.sign_up()
    link = await reset_link(linked)
    for language, expected in (
        ("ko-KR,ko;q=0.9,en;q=0.8", "새 비밀번호 설정"),
        ("en-GB,ko;q=0.5", "Choose a new password"),
        ("fr, ko;q=0.3", "새 비밀번호 설정"),
        ("fr", "Choose a new password"),
        (";;,q=,*;q=9", "Choose a new password"),
    ):
        assert heading(await open_page(linked, link, language)) == expected


async def test_expired_and_senseless_links_are_told_apart(linked: Linked) -> None:
    await linked.api.sign_up()
    link = await reset_link(linked)
    linked.api.clock.advance(24 * HOUR)
    page = await open_page(linked, link)
    assert (page.status_code, heading(page)) == (401, "This link has expired")
    for path in (
        "/auth/reset-password",
        "/auth/reset-password?token=x.y&email=%00",
        "/auth/reset-password?token=" + "a" * 5000,
        "/auth/reset-password?%ff%fe=%ff",
        "/auth/reset-password?" + "a=1&" * 50,
        "/auth/invitation",
        "/auth/invitation?environment=../../etc&token=x",
    ):
        page = await open_page(linked, path)
        assert page.status_code in (400, 404), path
        assert heading(page) == "This link is not valid"


async def test_what_stands_in_a_link_is_shown_as_text(linked: Linked) -> None:
    page = await open_page(
        linked, '/auth/reset-password?token="><script>&email="><script>alert(1)</script>'
    )
    assert "<script" not in page.text
    link = await invitation_link(
        linked, resourceName="<img src=x>", name="{0}<b>", inviterName="'\"><svg>"
    )
    page = await open_page(linked, link)
    assert page.status_code == 200
    is_closed(page)
    assert not {"b", "svg"} & set(Form(page.text).tags)
    assert "&lt;img src=x&gt;" in page.text
    assert "{0}&lt;b&gt;" in page.text


async def test_an_invitation_is_accepted_on_the_page(linked: Linked) -> None:
    await linked.set(siteUrl="https://app.example/")
    link = await invitation_link(linked, inviterName="Ada")
    page = await open_page(linked, link)
    assert (page.status_code, heading(page)) == (200, "You are invited to Acme")
    is_closed(page)
    assert "Ada invites you, Bob." in page.text
    assert await linked.stored(MEMBERSHIPS) == []
    done = await submit(linked, page, answer="accept")
    assert (done.status_code, heading(done)) == (200, "Welcome to Acme")
    assert 'href="https://app.example/"' in done.text
    is_closed(done)
    assert len(await linked.stored(MEMBERSHIPS)) == 1
    again = await open_page(linked, link)
    assert (again.status_code, heading(again)) == (400, "This invitation was accepted")


async def test_an_invitation_is_declined_on_the_page(linked: Linked) -> None:
    page = await open_page(linked, await invitation_link(linked), "ko")
    assert heading(page) == "Acme 초대"
    done = await submit(linked, page, answer="decline")
    assert (done.status_code, heading(done)) == (200, "Invitation declined")
    again = await submit(linked, page, answer="accept")
    assert (again.status_code, heading(again)) == (401, "This link is not valid")


async def test_a_page_looks_into_the_named_environment_only(
    linked: Linked, elsewhere: Linked
) -> None:
    link = await invitation_link(linked)
    other = await invitation_link(elsewhere)
    here, there = (re.search(r"environment=([^&]+)", x) for x in (link, other))
    assert here
    assert there
    page = await open_page(linked, link.replace(here[1], there[1]))
    assert (page.status_code, heading(page)) == (401, "This link is not valid")


async def test_a_page_has_no_other_methods(linked: Linked) -> None:
    answer = await linked.http.delete("/auth/reset-password")
    assert answer.status_code == 405


async def test_the_form_works_for_an_address_with_a_plus(linked: Linked) -> None:
    await linked.api.sign_up("ada+app@example.com")
    await linked.reset_token("ada+app@example.com")
    page = await open_page(linked, (await linked.letter()).link)
    assert ADA not in page.text
    done = await submit(linked, page, newPassword=NEW, repeated=NEW)
    assert done.status_code == 200
