"""Accounts linked to a user: link, list, unlink, check (10 §11)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.social.linking import LinkedAccounts
from bkend.store import Equals, Update
from tests.auth.answers import code
from tests.auth.conftest import Api
from tests.auth.social.conftest import (
    CALLBACK,
    OidcProvider,
    begin,
    come_back,
    configure,
    query_of,
    social_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = {
    *("id", "userId", "type", "provider", "providerAccountId", "email", "connectedAt", "linkedAt")
}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def acme(api: Api, oidc: OidcProvider) -> None:
    oidc.user("ada")
    oidc.user("bob")
    for name in ("acme", "other"):
        await configure(api, name, issuer=oidc.url)


async def link(
    api: Api, oidc: OidcProvider, user: Any, sub: str = "ada", provider: str = "acme"
) -> httpx.Response:
    body = {"provider": provider, "code": oidc.code(sub), "redirectUri": CALLBACK}
    return await api.call("POST", "/accounts", user, json=body)


async def social_user(api: Api, oidc: OidcProvider, sub: str = "ada") -> Any:
    body = {"code": oidc.code(sub), "redirectUri": CALLBACK}
    answer = await api.http.post("/v1/auth/acme/callback", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def providers_of(api: Api, user: Any) -> list[str]:
    found = (await api.call("GET", "/accounts", user)).json()
    return [account["provider"] for account in found["items"]]


async def test_a_linked_account_signs_the_same_user_in(api: Api, oidc: OidcProvider) -> None:
    user = await api.sign_up("somebody@else.example")
    answer = await link(api, oidc, user)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.keys() == ACCOUNT
    assert made["userId"] == user["user"]["id"]
    assert (made["type"], made["provider"], made["providerAccountId"]) == ("oauth", "acme", "ada")
    assert (made["email"], made["linkedAt"]) == ("ada@acme.example", made["connectedAt"])
    found = await social_user(api, oidc)
    assert (found["is_new_user"], found["user"]["id"]) == (False, user["user"]["id"])
    assert found["user"]["email"] == "somebody@else.example"


async def test_an_id_token_links_too_and_the_target_is_the_caller(
    api: Api, oidc: OidcProvider
) -> None:
    victim, user = await api.sign_up("victim@x.example"), await api.sign_up("me@x.example")
    body = {
        "provider": "acme",
        "idToken": oidc.id_token("ada"),
        "userId": victim["user"]["id"],
        "providerAccountId": "bob",
        "email": "victim@x.example",
    }
    made = (await api.call("POST", "/accounts", user, json=body)).json()
    assert (made["userId"], made["providerAccountId"]) == (user["user"]["id"], "ada")
    assert await providers_of(api, victim) == ["email"]


async def test_the_redirect_address_defaults_to_the_configured_one(
    api: Api, oidc: OidcProvider
) -> None:
    user = await api.sign_up()
    body = {"provider": "acme", "code": oidc.code("ada")}
    assert (await api.call("POST", "/accounts", user, json=body)).status_code == 201


async def test_an_identity_is_linked_once(api: Api, oidc: OidcProvider) -> None:
    first, second = await api.sign_up("one@x.example"), await api.sign_up("two@x.example")
    assert (await link(api, oidc, first)).status_code == 201
    for user, sub in ((first, "ada"), (first, "bob"), (second, "ada")):
        answer = await link(api, oidc, user, sub)
        assert (answer.status_code, code(answer)) == (409, "auth/account-already-linked")
    assert (await link(api, oidc, second, "bob")).status_code == 201


async def test_linking_at_the_same_moment_links_once(api: Api, oidc: OidcProvider) -> None:
    users = [await api.sign_up(f"u{n}@x.example") for n in range(4)]
    answers = await asyncio.gather(*[link(api, oidc, user) for user in users])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_what_cannot_be_linked(api: Api, oidc: OidcProvider) -> None:
    user = await api.sign_up()
    proof = {"code": "nonsense", "redirectUri": CALLBACK}
    for body, expected in (
        ({}, (400, "auth/invalid-request")),
        ({"provider": "acme"}, (400, "auth/invalid-request")),
        ({"provider": {"$ne": None}, **proof}, (400, "auth/invalid-request")),
        ({"provider": "email", **proof}, (400, "auth/unsupported-provider")),
        ({"provider": "nobody", **proof}, (400, "auth/unsupported-provider")),
        ({"provider": "google", **proof}, (400, "auth/oauth-not-configured")),
        ({"provider": "acme", **proof}, (401, "auth/invalid-oauth-code")),
        ({"provider": "acme", "idToken": "x.y.z"}, (401, "auth/invalid-oauth-code")),
        ({"provider": "acme", "accessToken": "x"}, (400, "auth/invalid-request")),
    ):
        answer = await api.call("POST", "/accounts", user, json=body)
        assert (answer.status_code, code(answer)) == expected, body
    await api.store.commit([Update(USERS, user["user"]["id"], set={"status": "banned"})])
    assert code(await link(api, oidc, user)) == "auth/invalid-token"


async def test_a_sign_in_that_was_begun_links_nothing(api: Api, oidc: OidcProvider) -> None:
    """The browser's way back signs in; it never links, whoever is signed in there."""
    user = await api.sign_up()
    location = oidc.log_in(await begin(api, "acme"), "ada")
    bearer = {"Authorization": f"Bearer {user['accessToken']}"}
    told = query_of((await come_back(api, location, **bearer)).headers["location"])
    assert told["isNewUser"] == "true"
    assert await providers_of(api, user) == ["email"]


async def test_accounts_are_listed_in_pages(api: Api, oidc: OidcProvider) -> None:
    user = await api.sign_up()
    api.clock.advance(1)
    await link(api, oidc, user)
    answer = await api.call("GET", "/accounts", user, params={"limit": 1, "page": 2})
    found = answer.json()
    assert [account["provider"] for account in found["items"]] == ["acme"]
    assert found["items"][0].keys() == ACCOUNT
    assert (found["pagination"]["total"], found["pagination"]["totalPages"]) == (2, 2)
    for query in ({"page": 0}, {"limit": "x"}, {"limit": 1.5}):
        answer = await api.call("GET", "/accounts", user, params=query)
        assert code(answer) == "auth/invalid-request"
    assert (await api.call("GET", "/accounts", user, params={"limit": 1000})).status_code == 200
    assert code(await api.call("GET", "/accounts")) == "auth/unauthorized"


async def test_unlinking_keeps_sessions_and_the_last_way_in(api: Api, oidc: OidcProvider) -> None:
    user = await social_user(api, oidc)
    answer = await api.call("DELETE", "/accounts/acme", user)
    assert (answer.status_code, code(answer)) == (400, "auth/last-auth-method")
    await link(api, oidc, user, "ada", "other")
    assert (await api.call("DELETE", "/accounts/acme", user)).status_code == 200
    assert await providers_of(api, user) == ["other"]
    assert code(await api.call("DELETE", "/accounts/other", user)) == "auth/last-auth-method"
    for name, expected in (
        ("acme", (404, "auth/account-not-found")),
        ("google", (404, "auth/account-not-found")),
        ("email", (400, "auth/unsupported-provider")),
        ("nobody", (400, "auth/unsupported-provider")),
    ):
        answer = await api.call("DELETE", f"/accounts/{name}", user)
        assert (answer.status_code, code(answer)) == expected


async def test_a_password_is_a_way_in(api: Api, oidc: OidcProvider) -> None:
    user = await api.sign_up()
    await link(api, oidc, user)
    assert (await api.call("DELETE", "/accounts/acme", user)).status_code == 200
    again = await social_user(api, oidc, "bob")
    password = {"passwordHash": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ"}
    await api.store.commit([Update(USERS, again["user"]["id"], set=password)])
    assert (await api.call("DELETE", "/accounts/acme", again)).status_code == 200


async def test_parallel_unlinks_leave_one(
    api: Api, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has seen the other's account before either is taken away."""
    together = asyncio.Barrier(2)
    look = LinkedAccounts._other_methods

    async def look_together(self: LinkedAccounts, *of: Any) -> tuple[bool, int]:
        found = await look(self, *of)
        if found == (False, 1):
            await together.wait()
        return found

    monkeypatch.setattr(LinkedAccounts, "_other_methods", look_together)
    user = await social_user(api, oidc)
    assert (await link(api, oidc, user, "ada", "other")).status_code == 201
    answers = await asyncio.gather(
        *[api.call("DELETE", f"/accounts/{name}", user) for name in ("acme", "other")]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert len(await providers_of(api, user)) == 1
    mine = Equals(("userId",), user["user"]["id"])
    assert await api.store.count(ACCOUNTS, mine) == 1


async def test_an_account_of_a_removed_provider_is_kept_unusable(
    api: Api, oidc: OidcProvider
) -> None:
    user = await social_user(api, oidc)
    await (await social_of(api)).providers.delete("acme")
    body = {"code": "x", "redirectUri": CALLBACK}
    answer = await api.http.post("/v1/auth/acme/callback", json=body)
    assert code(answer) == "auth/unsupported-provider"
    assert await providers_of(api, user) == ["acme"]
    await configure(api, "acme", issuer=oidc.url)
    assert (await social_user(api, oidc))["user"]["id"] == user["user"]["id"]


# -- asking whether there is one ------------------------------------------------------------


async def check(api: Api, type: Any, provider: Any, id: Any, **headers: str) -> httpx.Response:
    body = {"type": type, "provider": provider, "providerAccountId": id}
    return await api.http.post("/v1/auth/accounts/check", json=body, headers=headers)


async def test_whether_an_account_exists(api: Api, oidc: OidcProvider) -> None:
    await api.sign_up("me@x.example")
    user = await social_user(api, oidc)
    for question, exists in (
        (("credentials", "email", " ME@x.example"), True),
        (("credentials", "email", "you@x.example"), False),
        (("credentials", "email", "nonsense"), False),
        (("oauth", "acme", "ada"), True),
        (("oauth", "acme", "eve"), False),
        (("oauth", "google", "ada"), False),
        (("oauth", "acme", "ada\x00"), False),
        (("oauth", "acme", "ädä"), False),
        (("credentials", "email", "me@x.example\x00"), False),
    ):
        answer = await check(api, *question)
        expected = {"exists": True, "type": question[0], "provider": question[1]}
        assert answer.json() == (expected if exists else {"exists": False}), question
    deleted = {"deletedAt": "2026-01-01T00:00:00.000Z"}
    await api.store.commit([Update(USERS, user["user"]["id"], set=deleted)])
    assert (await check(api, "oauth", "acme", "ada")).json() == {"exists": False}


async def test_questions_that_make_no_sense(api: Api) -> None:
    for question, expected in (
        (("oauth", "email", "x"), "auth/unsupported-provider"),
        (("credentials", "google", "x"), "auth/unsupported-provider"),
        (("oauth", "nobody", "x"), "auth/unsupported-provider"),
        (("magic", "email", "x"), "auth/invalid-request"),
        (("oauth", "acme", {"$ne": None}), "auth/invalid-request"),
        (("oauth", "acme", 583231), "auth/invalid-request"),
        (("oauth", None, "x"), "auth/invalid-request"),
    ):
        answer = await check(api, *question)
        assert (answer.status_code, code(answer)) == (400, expected), question


async def test_questions_are_counted_by_address(api: Api) -> None:
    forged = {"X-Forwarded-For": "198.51.100.1"}
    for number in range(60):
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        assert (await check(api, "oauth", "acme", "x", **headers)).status_code == 200
    for headers in ({}, forged, {"X-API-Key": api.secret_key}):
        answer = await check(api, "oauth", "acme", "x", **headers)
        assert (answer.status_code, code(answer)) == (429, "auth/too-many-requests")
        assert "429" in answer.json()["message"]
        assert 0 < int(answer.headers["retry-after"]) <= 60
    api.clock.advance(61)
    assert (await check(api, "oauth", "acme", "x")).status_code == 200


async def test_only_a_secret_key_may_ask_when_it_is_closed(api: Api) -> None:
    await api.auth.settings.update({"publicAccountCheck": False})
    answer = await check(api, "oauth", "acme", "x")
    assert (answer.status_code, code(answer)) == (401, "auth/unauthorized")
    key = {"X-API-Key": api.secret_key}
    assert (await check(api, "oauth", "acme", "x", **key)).status_code == 200
