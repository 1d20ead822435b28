"""Sign-in through GitHub, which answers as a test wants it to (10 §7)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from bkend.auth.collections import USERS
from bkend.auth.social.asking import Asking
from bkend.auth.social.configuration import Provider
from bkend.auth.social.errors import OAuthCallbackFailed
from bkend.auth.social.identities import Proof
from bkend.auth.social.outbound import Outbound
from tests.auth.answers import code
from tests.auth.conftest import Api, FakeClock
from tests.auth.social.conftest import (
    CLIENT,
    Scripted,
    begin,
    come_back,
    configure,
    outcome_of,
    query_of,
    social_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN, USER, EMAILS = "/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails"
GOOD: dict[str, Any] = {
    TOKEN: {"body": {"access_token": "gho_x", "token_type": "bearer", "scope": "user:email"}},
    USER: {"body": {"id": 583231, "login": "octocat", "name": None, "email": "old@x.example"}},
    EMAILS: {
        "body": [
            {"email": "second@x.example", "primary": False, "verified": True},
            {"email": "Octo@x.example", "primary": True, "verified": True},
        ]
    },
}
PROOF = {"code": "c0de", "redirectUri": "http://bkend.test/v1/auth/github/callback"}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def github(api: Api, scripted: Scripted) -> None:
    scripted.plan(GOOD)
    await configure(api, "github", baseUrl=scripted.url)


async def post(api: Api, **body: Any) -> httpx.Response:
    return await api.http.post("/v1/auth/github/callback", json=PROOF | body)


async def test_a_code_of_github_signs_in(api: Api, scripted: Scripted) -> None:
    answer = await post(api)
    assert answer.status_code == 200, answer.text
    user = answer.json()["user"]
    assert (user["email"], user["name"]) == ("octo@x.example", "octocat")
    exchanged, asked, emails = scripted.calls()
    assert exchanged["form"] == {
        "grant_type": "authorization_code",
        "client_id": CLIENT["clientId"],
        "client_secret": CLIENT["clientSecret"],
        "code": "c0de",
        "redirect_uri": PROOF["redirectUri"],
    }
    assert {asked["authorization"], emails["authorization"]} == {"Bearer gho_x"}
    assert (await post(api)).json()["is_new_user"] is False


async def test_a_browser_goes_there_and_back_with_pkce(api: Api, scripted: Scripted) -> None:
    url = await begin(api, "github")
    assert url.startswith(f"{scripted.url}/login/oauth/authorize?")
    asked = query_of(url)
    assert (asked["scope"], asked["client_id"]) == ("user:email", CLIENT["clientId"])
    told = outcome_of(
        await come_back(api, f"/auth/github/callback?code=c0de&state={asked['state']}")
    )
    assert told["isNewUser"] == "true"
    form = scripted.calls(TOKEN)[0]["form"]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert form["redirect_uri"] == asked["redirect_uri"]


async def test_a_state_is_used_up_even_where_codes_are_not(api: Api, scripted: Scripted) -> None:
    """This provider takes the same code again and again; the state is what is good once."""
    back = f"/auth/github/callback?code=c0de&state={query_of(await begin(api, 'github'))['state']}"
    answers = await asyncio.gather(*[come_back(api, back) for _ in range(6)])
    told = [outcome_of(answer) for answer in [*answers, await come_back(api, back)]]
    assert sorted("accessToken" in one for one in told) == [False] * 6 + [True]
    assert {one["error"] for one in told if "error" in one} == {"auth/invalid-oauth-code"}
    assert len(scripted.calls(TOKEN)) == 1
    late = f"/auth/github/callback?code=c0de&state={query_of(await begin(api, 'github'))['state']}"
    api.clock.advance(601)
    assert outcome_of(await come_back(api, late))["error"] == "auth/invalid-oauth-code"


async def test_the_id_is_the_person_whatever_the_name(api: Api, scripted: Scripted) -> None:
    first = (await post(api)).json()["user"]
    renamed = {USER: {"body": {"id": 583231, "login": "renamed"}}}
    moved = {EMAILS: {"body": [{"email": "n@x.example", "primary": True, "verified": True}]}}
    scripted.plan(GOOD | renamed | moved)
    assert (await post(api)).json()["user"]["id"] == first["id"]
    reused = {USER: {"body": {"id": 583232, "login": "octocat"}}}
    scripted.plan(GOOD | reused)
    assert code(await post(api)) == "auth/account-exists-different-provider"


@pytest.mark.parametrize(
    "error",
    ["bad_verification_code", "redirect_uri_mismatch", "invalid_grant"],
)
async def test_a_rejected_code_is_told_so(api: Api, scripted: Scripted, error: str) -> None:
    scripted.plan(GOOD | {TOKEN: {"body": {"error": error, "error_description": "no"}}})
    answer = await post(api)
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-oauth-code")


ERROR = {"error": "server_error", "message": "Bad credentials"}
UNVERIFIED = [{"email": "o@x.example", "primary": True, "verified": False}]
SECOND = [{"email": "o@x.example", "primary": False, "verified": True}]


@pytest.mark.parametrize(
    "answers",
    [
        {TOKEN: {"body": {"error": "incorrect_client_credentials"}}},
        {TOKEN: {"body": {"error": {"$ne": None}, "access_token": "gho_x"}}},
        {TOKEN: {"body": {"error": "slow_down", "access_token": "gho_x"}}},
        {TOKEN: {"body": {}}},
        {TOKEN: {"body": {"access_token": ""}}},
        {TOKEN: {"body": {"access_token": None}}},
        {TOKEN: {"body": {"access_token": 7}}},
        {TOKEN: {"body": {"access_token": "gh\nX: y"}}},
        {TOKEN: {"body": {"access_token": "é"}}},
        {TOKEN: {"body": []}},
        {TOKEN: {"raw": "access_token=gho_x&token_type=bearer"}},
        {TOKEN: {"raw": ""}},
        {TOKEN: {"status": 500, "body": {"access_token": "gho_x"}}},
        {TOKEN: {"status": 302, "headers": {"Location": TOKEN}, "body": {}}},
        {TOKEN: {"headers": {"Content-Encoding": "gzip"}, "raw": "x"}},
        {USER: {"body": ERROR}},
        {USER: {"body": {}}},
        {USER: {"body": []}},
        {USER: {"body": None}},
        {USER: {"body": {"id": ""}}},
        {USER: {"body": {"id": None}}},
        {USER: {"body": {"id": 0}}},
        {USER: {"body": {"id": -1}}},
        {USER: {"body": {"id": True}}},
        {USER: {"body": {"id": 1.5}}},
        {USER: {"body": {"id": "583231"}}},
        {USER: {"body": {"id": {"$ne": None}}}},
        {USER: {"status": 401, "body": {"message": "Bad credentials", "id": 1}}},
        {USER: {"status": 500, "body": {"id": 1}}},
        {USER: {"bytes": 600_000}},
        {EMAILS: {"body": []}},
        {EMAILS: {"body": ERROR}},
        {EMAILS: {"body": UNVERIFIED}},
        {EMAILS: {"body": SECOND}},
        {EMAILS: {"body": [{"email": None, "primary": True, "verified": True}]}},
        {EMAILS: {"body": [{"email": "nonsense", "primary": True, "verified": True}]}},
        {EMAILS: {"body": [{"email": "o@x.example", "primary": True, "verified": "no"}]}},
        {EMAILS: {"body": ["o@x.example"]}},
        {EMAILS: {"status": 404, "body": GOOD[EMAILS]["body"]}},
    ],
    ids=str,
)
async def test_an_answer_that_makes_no_sense_is_nobody(
    api: Api, scripted: Scripted, answers: Any
) -> None:
    scripted.plan(GOOD | answers)
    with capture_logs() as logs:
        answer = await post(api)
    assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")
    assert not any(word in f"{answer.text}{logs}" for word in ("gho_x", "c0de", "s3cret"))
    assert await api.store.count(USERS) == 0


async def test_github_has_no_id_tokens(api: Api, scripted: Scripted) -> None:
    answer = await api.http.post("/v1/auth/github/callback", json={"idToken": "x.y.z"})
    assert (answer.status_code, code(answer)) == (400, "auth/invalid-request")
    assert scripted.calls() == []


async def test_a_provider_that_hangs_is_given_up(scripted: Scripted) -> None:
    scripted.plan(GOOD | {USER: {"seconds": 5, "body": {"id": 1}}})
    provider = Provider("github", client_id="the-app", issuer=scripted.url)
    outbound = Outbound(seconds=0.5)
    began = time.monotonic()
    with pytest.raises(OAuthCallbackFailed):
        await Asking(outbound, FakeClock()).identify(provider, "secret", Proof("c", "http://x"))
    assert time.monotonic() - began < 4
    await outbound.close()


async def test_callers_at_the_same_moment_do_not_wait_for_each_other(
    api: Api, scripted: Scripted
) -> None:
    scripted.plan(GOOD | {TOKEN: {**GOOD[TOKEN], "seconds": 0.5}})
    began = time.monotonic()
    answers = await asyncio.gather(*[post(api) for _ in range(6)])
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - began < 2.5


async def test_without_the_master_secret_the_client_secret_is_lost(api: Api) -> None:
    social = await social_of(api)
    found = await social.providers.find("github")
    assert CLIENT["clientSecret"] not in str(found)
    assert social.providers.secret(found) == CLIENT["clientSecret"]
