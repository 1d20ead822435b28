"""Whole sign-ins through a real OpenID Connect provider (10 §7)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import jwt
import orjson
import pytest
import pytest_asyncio

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.auth.social.collections import STATES
from bkend.store import Find, Update
from tests.auth.answers import AUTH_USER, code
from tests.auth.conftest import Api
from tests.auth.social.conftest import (
    CALLBACK,
    REDIRECT,
    OidcProvider,
    begin,
    come_back,
    configure,
    outcome_of,
    query_of,
    social_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def acme(api: Api, oidc: OidcProvider) -> None:
    oidc.user("ada")
    await configure(api, "acme", issuer=oidc.url)


async def rows(api: Api, collection: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((await api.store.find(Find(collection))).items)
    return found


async def post(api: Api, provider: str = "acme", **body: Any) -> httpx.Response:
    return await api.http.post(f"/v1/auth/{provider}/callback", json=body)


async def sign_in(api: Api, oidc: OidcProvider, sub: str = "ada") -> Any:
    answer = await post(api, code=oidc.code(sub), redirectUri=CALLBACK)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- through this server --------------------------------------------------------------------


async def test_a_browser_goes_there_and_back_and_brings_tokens(
    api: Api, oidc: OidcProvider
) -> None:
    url = await begin(api, "acme")
    asked = query_of(url)
    assert asked["redirect_uri"] == CALLBACK
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid email profile"
    assert len(asked["nonce"]) >= 32
    told = outcome_of(await come_back(api, oidc.log_in(url, "ada")))
    assert told.keys() == {"from", "accessToken", "refreshToken", "expiresIn", "isNewUser"}
    assert (told["expiresIn"], told["isNewUser"]) == ("3600", "true")
    me = (await api.call("GET", "/me", told)).json()
    assert (me["email"], me["name"]) == ("ada@acme.example", "Ada")
    assert me["emailVerified"] is not None
    again = outcome_of(await come_back(api, oidc.log_in(await begin(api, "acme"), "ada")))
    assert again["isNewUser"] == "false"
    assert len(await rows(api, USERS)) == 1


async def test_the_address_without_version_is_the_same(api: Api, oidc: OidcProvider) -> None:
    location = oidc.log_in(await begin(api, "acme"), "ada").replace("/v1/auth/", "/auth/")
    assert "accessToken" in outcome_of(await come_back(api, location))


async def test_a_state_is_good_once_and_for_ten_minutes(api: Api, oidc: OidcProvider) -> None:
    location = oidc.log_in(await begin(api, "acme"), "ada")
    assert "accessToken" in outcome_of(await come_back(api, location))
    told = outcome_of(await come_back(api, location))
    assert told["error"] == "auth/invalid-oauth-code"
    assert "accessToken" not in told
    late = oidc.log_in(await begin(api, "acme"), "ada")
    api.clock.advance(601)
    assert outcome_of(await come_back(api, late))["error"] == "auth/invalid-oauth-code"
    assert len(await rows(api, SESSIONS)) == 1
    await begin(api, "acme")
    assert len(await rows(api, STATES)) == 1, "those that never came back are dropped"


async def test_one_state_at_the_same_moment_signs_in_once(api: Api, oidc: OidcProvider) -> None:
    location = oidc.log_in(await begin(api, "acme"), "ada")
    answers = await asyncio.gather(*[come_back(api, location) for _ in range(6)])
    told = [outcome_of(answer) for answer in answers]
    assert sorted("accessToken" in one for one in told) == [False] * 5 + [True]
    assert len(await rows(api, SESSIONS)) == 1


async def test_a_state_is_bound_to_its_provider_and_environment(
    api: Api, oidc: OidcProvider
) -> None:
    await configure(api, "other", issuer=oidc.url)
    location = oidc.log_in(await begin(api, "acme"), "ada")
    swapped = await come_back(api, location.replace("/acme/", "/other/"))
    assert outcome_of(swapped)["error"] == "auth/invalid-oauth-code"
    _, foreign_key, _ = await api.served.new_environment()
    refused = await come_back(api, location, **{"X-API-Key": foreign_key})
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-oauth-code")
    right = await come_back(api, location, **{"X-API-Key": api.http.headers["X-API-Key"]})
    assert "accessToken" in outcome_of(right)


async def test_a_forged_state_leads_nowhere(api: Api, oidc: OidcProvider) -> None:
    location = oidc.log_in(await begin(api, "acme"), "ada")
    state = query_of(location)["state"]
    other = query_of(await begin(api, "acme", "http://localhost:9/evil"))["state"]
    payload, mac = state.split(".")[1:]
    for forged in (
        f"bks1.{other.split('.')[1]}.{mac}",
        f"bks1.{payload}.",
        f"bks1.{payload}",
        "bks1.",
        "bks1.é.é",
    ):
        answer = await come_back(api, str(httpx.URL(location).copy_set_param("state", forged)))
        assert (answer.status_code, code(answer)) == (401, "auth/invalid-oauth-code")
        assert "location" not in answer.headers
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_without_key_and_state_nothing_is_told(api: Api) -> None:
    for query in ("", "?code=x", "?code=x&state=their-own", "?error=access_denied"):
        answer = await come_back(api, f"/v1/auth/acme/callback{query}")
        assert (answer.status_code, code(answer)) == (401, "auth/unauthorized")
    for method, path in (("POST", "acme/callback"), ("GET", "acme/authorize"), ("GET", "me")):
        answer = await api.http.request(
            method, f"/v1/auth/{path}", json={}, headers={"X-API-Key": ""}
        )
        assert (answer.status_code, code(answer)) == (401, "auth/unauthorized")
    answer = await come_back(api, "/v1/auth/acme/callback", **{"X-API-Key": "pk_nonsense"})
    assert code(answer) == "auth/invalid-token"


async def test_where_the_browser_ends_is_listed_beforehand(api: Api, oidc: OidcProvider) -> None:
    for redirect in (
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
        "http://localhost:3000\\@evil.example",
        "http://localhost@evil.example/",
        "",
    ):
        answer = await api.http.get("/v1/auth/acme/authorize", params={"redirect": redirect})
        assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    location = oidc.log_in(await begin(api, "acme"), "ada")
    answer = await come_back(api, f"{location}&redirect=https://evil.example")
    assert answer.headers["location"].startswith(REDIRECT)
    location = oidc.log_in(await begin(api, "acme"), "ada")
    await api.auth.settings.update({"allowedRedirectUrls": ["https://app.example/"]})
    assert code(await come_back(api, location)) == "auth/invalid-oauth-code"


async def test_an_app_scheme_is_a_place_to_return_to(api: Api, oidc: OidcProvider) -> None:
    await api.auth.settings.update({"allowedRedirectUrls": ["myapp://"]})
    url = await begin(api, "acme", "myapp://done#there")
    answer = await come_back(api, oidc.log_in(url, "ada"))
    location = answer.headers["location"]
    assert location.startswith("myapp://done?accessToken=")
    assert location.endswith("#there")


async def test_a_person_who_says_no_comes_back_with_an_error(api: Api, oidc: OidcProvider) -> None:
    url = await begin(api, "acme")
    denied = oidc.http.post(url, data={"action": "deny"}).headers["location"]
    state = query_of(url)["state"]
    back = f"{denied}&state={state}" if "state=" not in denied else denied
    told = outcome_of(await come_back(api, back))
    assert told["error"] == "auth/invalid-oauth-code"
    assert outcome_of(await come_back(api, back))["error"] == "auth/invalid-oauth-code"
    assert await rows(api, STATES) == []


async def test_an_error_of_ours_is_brought_to_the_app(api: Api, oidc: OidcProvider) -> None:
    await api.sign_up("ada@acme.example")
    told = outcome_of(await come_back(api, oidc.log_in(await begin(api, "acme"), "ada")))
    assert told["error"] == "auth/account-exists-different-provider"
    assert "already exists" in told["errorMessage"]


async def test_the_code_of_one_sign_in_does_not_fit_another(api: Api, oidc: OidcProvider) -> None:
    """Somebody else's code, slipped into a sign-in of one's own: the nonce gives it away."""
    stolen = query_of(oidc.log_in(await begin(api, "acme"), "ada"))
    own = query_of(await begin(api, "acme"))["state"]
    told = outcome_of(
        await come_back(api, f"/v1/auth/acme/callback?code={stolen['code']}&state={own}")
    )
    assert told["error"] == "auth/invalid-oauth-code"
    assert await rows(api, USERS) == []


async def test_an_app_may_finish_what_this_server_began(api: Api, oidc: OidcProvider) -> None:
    page = "http://localhost:3000/signed-in"
    await configure(api, "acme", issuer=oidc.url, redirectUri=page)
    url = await begin(api, "acme")
    assert query_of(url)["redirect_uri"] == page
    brought = query_of(oidc.log_in(url, "ada"))
    body = {"code": brought["code"], "redirectUri": page, "state": brought["state"]}
    assert (await post(api, **body)).status_code == 200
    assert code(await post(api, **body)) == "auth/invalid-oauth-code"
    forged = await post(api, **{**body, "state": f"{brought['state']}x"})
    assert code(forged) == "auth/invalid-oauth-code"


# -- through the app ------------------------------------------------------------------------


async def test_a_code_of_the_app_signs_in(api: Api, oidc: OidcProvider) -> None:
    first = await sign_in(api, oidc)
    assert first.keys() == {
        *("accessToken", "refreshToken", "tokenType", "expiresIn", "user", "is_new_user")
    }
    assert first["user"].keys() >= AUTH_USER
    assert first["is_new_user"] is True
    second = await sign_in(api, oidc)
    assert (second["is_new_user"], second["user"]["id"]) == (False, first["user"]["id"])
    [account] = await rows(api, ACCOUNTS)
    assert (account["provider"], account["providerAccountId"]) == ("acme", "ada")
    used = oidc.code("ada")
    assert (await post(api, code=used, redirectUri=CALLBACK)).status_code == 200
    answer = await post(api, code=used, redirectUri=CALLBACK)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-oauth-code")


async def test_the_get_form_with_a_key_answers_like_the_post(api: Api, oidc: OidcProvider) -> None:
    query = {"code": oidc.code("ada"), "redirectUri": CALLBACK, "state": "their-own"}
    answer = await api.http.get("/v1/auth/acme/callback", params=query)
    assert answer.status_code == 200
    assert answer.json()["is_new_user"] is True
    assert answer.headers["referrer-policy"] == "no-referrer"
    del query["redirectUri"]
    answer = await api.http.get("/v1/auth/acme/callback", params=query)
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "x"},
        {"code": "", "redirectUri": CALLBACK},
        {"code": {"$ne": None}, "redirectUri": CALLBACK},
        {"idToken": ["x"]},
        {"accessToken": "an access token of some other app"},
        {"redirectUri": CALLBACK},
    ],
)
async def test_a_body_without_proof_is_malformed(api: Api, body: Any) -> None:
    answer = await post(api, **body)
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")


async def test_profile_fields_are_copied_once(api: Api, oidc: OidcProvider) -> None:
    oidc.user("bob", name="Bob \x00 B", picture="https://img.example/bob.png")
    first = (await sign_in(api, oidc, "bob"))["user"]
    assert (first["name"], first["image"]) == ("Bob B", "https://img.example/bob.png")
    oidc.user("bob", name="Robert", picture="https://img.example/r.png", email="new@acme.example")
    second = (await sign_in(api, oidc, "bob"))["user"]
    assert (second["name"], second["image"]) == (first["name"], first["image"])
    assert (second["id"], second["email"]) == (first["id"], "bob@acme.example")


async def test_what_must_not_be_shown_is_not_copied(api: Api, oidc: OidcProvider) -> None:
    oidc.user("eve", picture="javascript:alert(1)", name="   ")
    user = (await sign_in(api, oidc, "eve"))["user"]
    assert (user["image"], user["name"], user["role"]) == (None, "eve", "user")


# -- whom it admits -------------------------------------------------------------------------


async def test_an_address_that_somebody_has_is_never_merged(api: Api, oidc: OidcProvider) -> None:
    await api.sign_up("Ada@acme.example")
    for _ in range(2):
        answer = await post(api, code=oidc.code("ada"), redirectUri=CALLBACK)
        assert (answer.status_code, code(answer)) == (
            409,
            "auth/account-exists-different-provider",
        )
    assert [account["provider"] for account in await rows(api, ACCOUNTS)] == ["email"]


async def test_a_second_provider_of_the_same_person_is_not_merged(
    api: Api, oidc: OidcProvider
) -> None:
    await sign_in(api, oidc)
    await configure(api, "other", issuer=oidc.url)
    answer = await post(api, "other", code=oidc.code("ada"), redirectUri=CALLBACK)
    assert code(answer) == "auth/account-exists-different-provider"


async def test_the_same_subject_of_another_issuer_is_somebody_else(
    api: Api, oidc: OidcProvider
) -> None:
    await sign_in(api, oidc)
    elsewhere = oidc.url.replace("127.0.0.1", "localhost")
    oidc.user("ada", email="mallory@acme.example")
    await configure(api, "acme", issuer=elsewhere)
    answer = await post(api, code=oidc.code("ada"), redirectUri=CALLBACK)
    assert code(answer) == "auth/account-exists-different-provider"
    assert len(await rows(api, SESSIONS)) == 1


async def test_first_sign_ins_at_the_same_moment_make_one_user(
    api: Api, oidc: OidcProvider
) -> None:
    codes = [oidc.code("ada") for _ in range(5)]
    answers = await asyncio.gather(*[post(api, code=c, redirectUri=CALLBACK) for c in codes])
    assert [answer.status_code for answer in answers] == [200] * 5
    found = [answer.json() for answer in answers]
    assert sorted(one["is_new_user"] for one in found) == [False] * 4 + [True]
    assert len({one["user"]["id"] for one in found}) == 1
    assert (len(await rows(api, USERS)), len(await rows(api, ACCOUNTS))) == (1, 1)


async def test_closed_sign_up_admits_those_who_are_there(api: Api, oidc: OidcProvider) -> None:
    await sign_in(api, oidc)
    await api.auth.settings.update({"allowSignup": False})
    assert (await sign_in(api, oidc))["is_new_user"] is False
    oidc.user("new")
    answer = await post(api, code=oidc.code("new"), redirectUri=CALLBACK)
    assert (answer.status_code, code(answer)) == (403, "auth/signup-disabled")
    assert len(await rows(api, USERS)) == 1


async def test_a_banned_user_is_not_admitted(api: Api, oidc: OidcProvider) -> None:
    user = (await sign_in(api, oidc))["user"]
    await api.store.commit([Update(USERS, user["id"], set={"status": "banned"})])
    answer = await post(api, code=oidc.code("ada"), redirectUri=CALLBACK)
    assert (answer.status_code, code(answer)) == (403, "auth/account-banned")


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email": None}, {"email": "x"}])
async def test_without_a_verified_address_nobody_is_admitted(
    api: Api, oidc: OidcProvider, claims: Any
) -> None:
    oidc.user("carl", **claims)
    answer = await post(api, code=oidc.code("carl"), redirectUri=CALLBACK)
    assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")
    assert await rows(api, USERS) == []


# -- which providers there are --------------------------------------------------------------


async def test_providers_that_are_not_there(api: Api) -> None:
    await (await social_of(api)).providers.update("acme", {"enabled": False})
    for name, expected in (
        ("google", "auth/oauth-not-configured"),
        ("github", "auth/oauth-not-configured"),
        ("acme", "auth/oauth-not-configured"),
        ("email", "auth/unsupported-provider"),
        ("nobody", "auth/unsupported-provider"),
        ("Acme", "auth/unsupported-provider"),
        ("a", "auth/unsupported-provider"),
    ):
        answers = [
            await api.http.get(f"/v1/auth/{name}/authorize", params={"redirect": REDIRECT}),
            await api.http.get(
                f"/v1/auth/{name}/callback", params={"code": "x", "redirectUri": CALLBACK}
            ),
        ]
        if name != "email":  # whose POST redeems magic links
            answers.append(await post(api, name, code="x", redirectUri=CALLBACK))
        assert {(a.status_code, code(a)) for a in answers} == {(400, expected)}, name
    without_key = await come_back(api, "/v1/auth/email/callback?token=x")
    assert (without_key.status_code, code(without_key)) == (400, "auth/unsupported-provider")


async def test_an_unreachable_provider_is_a_fault(api: Api) -> None:
    await configure(api, "gone", issuer="http://127.0.0.1:1")
    answer = await post(api, "gone", code="x", redirectUri=CALLBACK)
    assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")
    assert answer.json()["requestId"]


async def test_the_access_token_of_a_social_user_says_nothing_more(
    api: Api, oidc: OidcProvider
) -> None:
    made = await sign_in(api, oidc)
    claims = jwt.decode(made["accessToken"], options={"verify_signature": False})
    assert claims["sub"] == made["user"]["id"]
    assert claims["role"] == "user"
