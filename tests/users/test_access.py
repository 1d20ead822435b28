"""The access table of 11 §1, cell by cell."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bkend.auth.collections import SESSIONS, USERS
from bkend.store import Update
from bkend.users.shapes import NOTIFICATIONS
from tests.auth.conftest import Served, _api
from tests.users.conftest import PNG, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = ("anonymous", "bob", "guy", "ada", "eve", "secret")
"""Nobody, another user, another user of role guest, the user, an admin, the secret key."""

A, F = (401, "user/unauthorized"), (403, "user/forbidden")
_WHOLE = "id email name role nickname image emailVerified mobile gender bio socialLinks"
_WHOLE += " onboardingStatus mfaEnabled slug isPublic status createdAt updatedAt"
WHOLE = set(_WHOLE.split())
PUBLIC = {"id", "name", "nickname", "image", "createdAt"}
OPENED = {"bio", "socialLinks", "slug"}
HIDDEN_PROFILE = {"email", "mobile", "gender", "role", "emailVerified", "onboardingStatus"}
PROFILE = PUBLIC | HIDDEN_PROFILE | {"bio", "socialLinks", "updatedAt"}

# Operation, body; then, as in CALLERS, a refusal or the keys of the answer.
MESSAGE = {"message"}
_SELF = (A, F, F)
TABLE: list[tuple[str, str, Any, tuple[Any, ...]]] = [
    ("POST", "", {"name": "New", "email": "new@example.com"}, (A, F, F, F, WHOLE, WHOLE)),
    ("PATCH", "{ada}/role", {"role": "guest"}, (A, F, F, F, WHOLE, WHOLE)),
    ("GET", "{ada}", None, (A, PUBLIC, PUBLIC, WHOLE, WHOLE, WHOLE)),
    ("PATCH", "{ada}", {"name": "B"}, (*_SELF, WHOLE, WHOLE, WHOLE)),
    ("DELETE", "{ada}", None, (*_SELF, MESSAGE, MESSAGE, MESSAGE)),
    ("GET", "{ada}/profile", None, (*_SELF, PROFILE, PROFILE, PROFILE)),
    ("PATCH", "{ada}/profile", {"bio": "b"}, (*_SELF, PROFILE, PROFILE, PROFILE)),
    (
        "POST",
        "{ada}/avatar/upload-url",
        {"filename": "a.png"},
        (*_SELF, *[{"url", "uploadUrl", "key", "expiresAt"}] * 3),
    ),
    ("PATCH", "{ada}/avatar", {"s3Key": "{key}"}, (*_SELF, WHOLE, WHOLE, WHOLE)),
    ("DELETE", "{ada}/avatar", None, (*_SELF, MESSAGE, MESSAGE, MESSAGE)),
    *[
        (method, f"{{ada}}/{part}", body, (*_SELF, keys, keys, keys))
        for part, change, keys in (
            ("preferences", {"theme": "dark"}, {"locale", "timezone", "theme"}),
            (
                "notifications",
                {"sms": True},
                set(NOTIFICATIONS),
            ),
            (
                "onboarding",
                {"status": "completed"},
                {"status", "onboardingStatus", "completedSteps", "completedAt", "updatedAt"},
            ),
            ("public-settings", {"slug": "ada"}, {"slug", "isPublic"}),
        )
        for method, body in (("GET", None), ("PATCH", change))
    ],
]


@pytest.mark.parametrize(("method", "path", "body", "cells"), TABLE, ids=lambda v: str(v)[:30])
async def test_each_operation_for_each_caller(
    town: Town, method: str, path: str, body: Any, cells: tuple[Any, ...]
) -> None:
    for who, expected in zip(CALLERS, cells, strict=True):
        if path.startswith("{ada}") and "ada" not in town.ids:
            await town.add("ada")  # deleted by the caller before
        target = path.replace("{ada}", town.ids["ada"])
        sent = body
        if body == {"s3Key": "{key}"}:
            sent = {"s3Key": (await town.upload("secret", "ada"))["key"]}
        before = await town.api.store.get(USERS, town.ids["ada"])
        answer = await town.call(who, method, target, sent)
        if isinstance(expected, tuple):
            assert (answer.status_code, answer.json()["code"]) == expected, who
            assert await town.api.store.get(USERS, town.ids["ada"]) == before, who
            continue
        assert answer.status_code == (201 if path == "" else 200), (who, answer.text)
        assert set(answer.json()) == expected, who
        if path == "":
            await town.ok("secret", "DELETE", answer.json()["id"])
        if method == "DELETE" and path == "{ada}":
            del town.ids["ada"]


async def test_lists_show_others_what_is_public_and_admins_everything(town: Town) -> None:
    assert await town.refused("anonymous", "GET", "") == A
    for who in ("bob", "guy"):
        for item in (await town.ok(who, "GET", ""))["items"]:
            assert set(item) == (WHOLE if item["id"] == town.ids[who] else PUBLIC)
    for who in ("eve", "secret"):
        for item in (await town.ok(who, "GET", ""))["items"]:
            assert set(item) == WHOLE


async def test_who_is_public_shows_more(town: Town) -> None:
    ada = town.ids["ada"]
    await town.ok("ada", "PATCH", f"{ada}/public-settings", {"isPublic": True, "slug": "ada"})
    assert set(await town.ok("bob", "GET", ada)) == PUBLIC | OPENED
    assert set(await town.ok("guy", "GET", f"{ada}/profile")) == PROFILE - HIDDEN_PROFILE
    listed = {item["id"]: item for item in (await town.ok("bob", "GET", ""))["items"]}
    assert set(listed[ada]) == PUBLIC | OPENED
    assert listed[ada]["slug"] == "ada"


@pytest.mark.parametrize(("method", "path", "body", "cells"), TABLE, ids=lambda v: str(v)[:30])
async def test_what_is_no_user_here_is_unknown_to_everybody_who_is_let_in(
    town: Town, served: Served, method: str, path: str, body: Any, cells: tuple[Any, ...]
) -> None:
    if path == "":
        return
    async with _api(served) as elsewhere:
        foreign = (await elsewhere.sign_up("far@example.com"))["user"]["id"]
    gone = await town.add("gone")
    await town.ok("secret", "DELETE", gone)
    for id in (foreign, gone, "no-uuid", "00000000-0000-4000-8000-000000000000", "%00", "x" * 200):
        target = path.replace("{ada}", id)
        for who in ("bob", "eve", "secret"):
            # before the permission, and before a body that is none
            assert await town.refused(who, method, target, content=b"{not json") == (
                404,
                "user/not-found",
            )
        assert await town.refused("anonymous", method, target) == A


@pytest.mark.parametrize(("method", "path", "body", "cells"), TABLE, ids=lambda v: str(v)[:30])
async def test_the_permission_comes_before_the_body(
    town: Town, method: str, path: str, body: Any, cells: tuple[Any, ...]
) -> None:
    target = path.replace("{ada}", town.ids["ada"])
    for who, expected in zip(CALLERS, cells, strict=True):
        if isinstance(expected, tuple):
            assert await town.refused(who, method, target, content=b"[") == expected
        elif body is not None:
            for malformed in (b"[", b"[]", b'"x"', b"null", b""):
                found = await town.refused(who, method, target, content=malformed)
                assert found == (400, "common/invalid-parameters"), (who, malformed)


async def test_a_bad_token_is_told_from_none(town: Town, served: Served) -> None:
    async with _api(served) as elsewhere:
        foreign = (await elsewhere.sign_up("far@example.com"))["accessToken"]
    for key in ("anonymous", "secret"):
        for token in ("nonsense", foreign, town.callers["ada"][1][:-3]):
            town.callers["bad"] = (town.callers[key][0], token)
            found = await town.refused("bad", "GET", "")
            assert found == (401, "auth/invalid-token")


async def test_a_key_as_bearer_is_no_token(town: Town) -> None:
    key = town.callers["secret"][0]
    town.callers["odd"] = (town.callers["anonymous"][0], key)
    assert await town.refused("odd", "GET", "") == A


async def test_the_secret_key_lends_its_rights_to_a_user(town: Town) -> None:
    town.callers["lent"] = (town.callers["secret"][0], town.callers["ada"][1])
    await town.ok("lent", "PATCH", f"{town.ids['bob']}/role", {"role": "guest"})


async def test_a_secret_key_with_scopes_does_what_they_say_and_no_more(town: Town) -> None:
    place = await town.api.served.core.hierarchy.place("app", town.api.environment)

    async def key(*scopes: str) -> str:
        made = await town.api.served.core.keys.create(
            type="secret",
            name="scoped",
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            environment=town.api.environment,
            scopes=scopes,
        )
        return str(made["key"])

    bob = town.ids["bob"]
    refusal = (403, "data/scope-insufficient")
    town.callers["posts"] = (await key("posts:*"), "")
    town.callers["reader"] = (await key("*:read"), "")
    town.callers["reader with user"] = (town.callers["reader"][0], town.callers["ada"][1])
    await town.ok("reader", "GET", "")
    await town.ok("reader", "GET", bob)
    assert await town.refused("posts", "GET", "") == refusal
    assert await town.refused("posts", "GET", bob) == refusal
    for method, path in (("POST", ""), ("PATCH", f"{bob}/role"), ("DELETE", bob)):
        assert await town.refused("reader", method, path, {"role": "admin"}) == refusal
        assert await town.refused("reader with user", method, path, {"role": "admin"}) == F


async def test_a_demoted_admin_is_none_on_the_next_call(town: Town) -> None:
    eve = town.ids["eve"]
    await town.ok("eve", "GET", "", params={"sortBy": "email"})
    await town.ok("secret", "PATCH", f"{eve}/role", {"role": "user"})
    assert await town.refused("eve", "GET", "", params={"sortBy": "email"}) == F
    assert await town.refused("eve", "PATCH", f"{eve}/role", {"role": "admin"}) == F
    await town.ok("secret", "PATCH", f"{eve}/role", {"role": "admin"})
    await town.ok("eve", "GET", "", params={"sortBy": "email"})


async def test_a_ban_ends_all_sessions_and_closes_the_door(town: Town) -> None:
    again = await town.api.sign_in("ada@example.com")
    town.callers["ada again"] = (town.callers["ada"][0], again["accessToken"])
    banned = await town.ok("eve", "PATCH", town.ids["ada"], {"status": "banned"})
    assert banned["status"] == "banned"
    for who in ("ada", "ada again"):
        assert await town.refused(who, "GET", town.ids["ada"]) == (401, "auth/invalid-token")
    refreshed = await town.http.post(
        "/v1/auth/refresh", json={"refreshToken": again["refreshToken"]}
    )
    assert refreshed.status_code == 401
    assert await town.api.store.count(SESSIONS) == 3
    body = {"email": "ada@example.com", "password": "correct horse"}
    assert await town.refused("anonymous", "POST", "/v1/auth/email/signin", body) == (
        403,
        "auth/account-banned",
    )
    await town.ok("eve", "PATCH", town.ids["ada"], {"status": "active"})
    await town.api.sign_in("ada@example.com")
    assert await town.refused("ada", "GET", town.ids["ada"]) == (401, "auth/invalid-token")


async def test_users_do_not_ban_or_unban_themselves(town: Town) -> None:
    for status in ("banned", 7):
        assert (await town.ok("ada", "PATCH", town.ids["ada"], {"status": status}))["status"] == (
            "active"
        )
    found = await town.refused("eve", "PATCH", town.ids["ada"], {"status": "frozen"})
    assert found == (400, "common/invalid-parameters")


async def test_nothing_private_is_ever_sent(town: Town) -> None:
    ada = town.ids["ada"]
    secrets = {"passwordHash": "$argon2id$hidden", "mfaSecret": "hidden", "resetDigest": "hidden"}
    await town.api.store.commit([Update(USERS, ada, set=secrets)])
    made = await town.upload("ada", "ada", PNG)
    answers = [
        await town.call("secret", "GET", "", params={"includeAccounts": "true"}),
        await town.call("ada", "PATCH", f"{ada}/avatar", {"s3Key": made["key"]}),
    ]
    for method, path, body, _ in TABLE:
        if path and body != {"s3Key": "{key}"}:
            target = path.replace("{ada}", ada)
            who = "eve" if path.endswith("role") else "ada"
            if path.endswith(("/role", "profile", "preferences")) or method == "GET":
                answers.append(await town.call(who, method, target, body))
    answers.append(await town.call("secret", "GET", "/v1/data/users"))
    for answer in answers:
        assert answer.status_code == 200
        private = r"hidden|passwordHash|emailKey|avatarKey|notify[A-Z]|deletedAt|password"
        assert not re.search(private, answer.text), answer.text
