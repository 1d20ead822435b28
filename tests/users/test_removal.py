"""Withdrawal, deletion, and the purge after the retention (10 §12, 11 §2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.auth.settings import StoredSettings
from bkend.objects.collections import OBJECT_REMOVALS
from bkend.store import Equals, Find
from bkend.store.documents import decode
from bkend.users.removal import OWNED
from bkend.users.service import Users
from tests.users.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = (404, "user/not-found")
DEAD = (401, "auth/invalid-token")
DAY = 24 * 60 * 60


async def users_of(town: Town) -> Users:
    """The service behind the endpoints."""
    return (await town.api.served.core.environment("app", town.api.environment)).users


async def leave(town: Town, how: str) -> Any:
    """Ada goes, in one of the three ways."""
    if how == "withdraw":
        return await town.ok("ada", "DELETE", "/v1/auth/withdraw")
    return await town.ok("ada" if how == "self" else "secret", "DELETE", town.ids["ada"])


WAYS = pytest.mark.parametrize("how", ["withdraw", "self", "admin"])


@WAYS
async def test_whoever_leaves_leaves_nothing_to_sign_in_with(town: Town, how: str) -> None:
    ada, store = town.ids["ada"], town.api.store
    await town.ok("ada", "PATCH", f"{ada}/public-settings", {"slug": "ada", "isPublic": True})
    made = await town.upload("ada", "ada")
    await town.ok("ada", "PATCH", f"{ada}/avatar", {"s3Key": made["key"]})
    other = await town.upload("ada", "ada")  # uploaded, never attached
    again = await town.api.sign_in("ada@example.com")
    assert set(await leave(town, how)) == {"message"}

    assert await town.refused("ada", "GET", "/v1/auth/me") == DEAD
    assert await town.refused("ada", "DELETE", "/v1/auth/withdraw") == DEAD
    refresh = {"refreshToken": again["refreshToken"]}
    assert await town.refused("anonymous", "POST", "/v1/auth/refresh", refresh) == (
        401,
        "auth/invalid-refresh-token",
    )
    sign_in = {"email": "ada@example.com", "password": "correct horse"}
    assert await town.refused("anonymous", "POST", "/v1/auth/email/signin", sign_in) == (
        401,
        "auth/invalid-credentials",
    )
    for method, path in (("GET", ada), ("DELETE", ada), ("GET", f"{ada}/profile")):
        assert await town.refused("secret", method, path) == GONE
    listed = await town.ok("secret", "GET", "")
    assert (listed["pagination"]["total"], ada in str(listed)) == (3, False)
    assert ada not in (await town.call("secret", "GET", "/v1/data/users")).text
    for picture in (made, other):
        assert (await town.fetch(picture["url"].partition("?")[0])).status_code == 404
        refused = await town.put(picture["url"], b"\xff\xd8\xff", "image/jpeg")
        assert refused.json()["code"] == "file/access-denied"
    for collection, field in OWNED:
        assert await store.count(collection, Equals((field,), ada)) == 0, collection
    row = decode(await store.get(USERS, ada) or b"")
    assert row["deletedAt"]
    assert row["slug"] is row["image"] is None
    assert row.keys().isdisjoint({"emailKey", "passwordHash", "passwordChangedAt", "avatarKey"})
    assert await store.count(OBJECT_REMOVALS) == 0


@WAYS
async def test_address_and_slug_are_free_at_once(town: Town, how: str) -> None:
    old = town.ids["ada"]
    await town.ok("ada", "PATCH", f"{old}/public-settings", {"slug": "ada"})
    await town.ok("ada", "PATCH", f"{old}/profile", {"bio": "old", "nickname": "Old"})
    await town.ok("secret", "PATCH", f"{old}/role", {"role": "admin"})
    await leave(town, how)
    new = await town.add("ada")
    assert new != old
    fresh = await town.stored("ada")
    assert (fresh["role"], fresh["bio"], fresh["nickname"]) == ("user", None, None)
    slugged = await town.ok("ada", "PATCH", f"{new}/public-settings", {"slug": "ada"})
    assert slugged["slug"] == "ada"
    assert await town.refused("secret", "GET", old) == GONE


async def test_sessions_and_accounts_of_others_stay(town: Town) -> None:
    await leave(town, "self")
    assert await town.api.store.count(SESSIONS) == 3
    assert await town.api.store.count(ACCOUNTS) == 3
    await town.ok("bob", "GET", "/v1/auth/me")


async def test_a_removal_at_the_same_moment_happens_once(town: Town) -> None:
    ada = town.ids["ada"]
    answers = await asyncio.gather(*(town.call("secret", "DELETE", ada) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, *[404] * 4]


async def test_withdrawal_needs_the_user(town: Town) -> None:
    for who in ("anonymous", "secret"):
        assert await town.refused(who, "DELETE", "/v1/auth/withdraw") == (401, "auth/unauthorized")


async def test_withdrawal_takes_an_empty_body_that_claims_to_be_json(town: Town) -> None:
    answer = await town.http.request(
        "DELETE",
        "/v1/auth/withdraw",
        headers={
            "Authorization": f"Bearer {town.callers['ada'][1]}",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code == 200


async def test_the_row_is_purged_after_the_retention(town: Town) -> None:
    ada, users = town.ids["ada"], await users_of(town)
    await leave(town, "self")
    town.api.clock.advance(30 * DAY - 1)
    await users.sweep()
    assert await town.api.store.get(USERS, ada) is not None
    town.api.clock.advance(1)
    await users.sweep()
    assert await town.api.store.get(USERS, ada) is None
    assert await town.api.store.count(USERS) == 3


async def test_the_retention_is_a_setting(town: Town) -> None:
    await StoredSettings(town.api.store, town.api.clock).update({"deletedUserRetentionDays": 0})
    await leave(town, "self")
    await (await users_of(town)).sweep()
    assert await town.api.store.get(USERS, town.ids["ada"]) is None


async def test_an_interrupted_removal_of_pictures_is_taken_up_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, users = await town.upload("ada", "ada"), await users_of(town)

    async def crash(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(users._removals, "carry_out", crash)
        document = await users.records.get(town.ids["ada"])
        with pytest.raises(asyncio.CancelledError):
            await users.remove(document)
    address = made["url"].partition("?")[0]
    assert (await town.fetch(address)).status_code == 200
    await users.sweep()
    assert (await town.fetch(address)).status_code == 200  # perhaps it is being done right now
    town.api.clock.advance(60)
    await users.sweep()
    assert (await town.fetch(address)).status_code == 404
    assert not (await town.api.store.find(Find(OBJECT_REMOVALS))).total
