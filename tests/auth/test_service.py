from __future__ import annotations

import asyncio
from collections import Counter
from statistics import median
from time import process_time
from typing import Any

import pytest

from bkend.auth.buckets import FAILED_PASSWORDS
from bkend.auth.collections import ACCOUNTS, BUCKETS, SESSIONS, USERS
from bkend.auth.errors import (
    AccountBanned,
    EmailAlreadyExists,
    EmailNotVerified,
    InvalidCredentials,
    InvalidEmail,
    InvalidPasswordFormat,
    PasswordExpired,
    SignupDisabled,
    TooManyLoginAttempts,
    TooManyRequests,
)
from bkend.auth.passwords import PasswordHasher
from bkend.errors import ApiError, Unavailable
from bkend.store import Update
from tests.auth.conftest import CLIENT, PASSWORD, World
from tests.auth.outcomes import WRONG, change_user, documents, outcome

# -- sign-up --------------------------------------------------------------------------------------


async def test_sign_up_makes_user_account_and_session(world: World) -> None:
    result = await world.auth.sign_up(" Ada@Example.com ", PASSWORD, "Ada", CLIENT)
    [user], [account] = await documents(world, USERS), await documents(world, ACCOUNTS)
    encoded = user.pop("passwordHash")
    assert encoded.startswith("$argon2id$")
    assert PASSWORD not in encoded
    stamp = "2027-01-15T08:00:00.250Z"
    assert user == {
        "id": result["user"]["id"],
        "email": "ada@example.com",
        "name": "Ada",
        "role": "user",
        "nickname": None,
        "image": None,
        "emailVerified": None,
        "mobile": None,
        "gender": None,
        "bio": None,
        "socialLinks": None,
        "onboardingStatus": "pending",
        "mfaEnabled": False,
        "slug": None,
        "isPublic": False,
        "status": "active",
        "emailKey": "ada@example.com",
        "passwordChangedAt": stamp,
        "createdBy": "",
        "createdAt": stamp,
        "updatedAt": stamp,
    }
    assert (account["userId"], account["type"]) == (user["id"], "credentials")
    assert (account["provider"], account["providerAccountId"]) == ("email", "ada@example.com")
    assert (await world.identify(result)).user_id == user["id"]


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com", " ada@EXAMPLE.com"])
async def test_address_can_be_taken_once(world: World, email: str) -> None:
    await world.sign_up()
    with pytest.raises(EmailAlreadyExists):
        await world.sign_up(email)


async def test_simultaneous_sign_ups_make_one_user(world: World) -> None:
    outcomes = await asyncio.gather(outcome(world.sign_up()), outcome(world.sign_up()))
    assert sorted(outcomes) == ["auth/email-already-exists", "ok"]
    assert len(await documents(world, USERS)) == 1
    assert len(await documents(world, SESSIONS)) == 1


@pytest.mark.parametrize("limited", [True, False])
async def test_50_parallel_sign_ups_make_one_user(world: World, limited: bool) -> None:
    await world.auth.settings.update({"rateLimits.enabled": limited})
    services = [world.another_process() for _ in range(5)]
    calls = [
        outcome(services[number % 5].sign_up("ada@example.com", PASSWORD, "Ada", CLIENT))
        for number in range(50)
    ]
    counted = Counter(await asyncio.gather(*calls))
    refused = {"auth/email-already-exists": 2, "auth/too-many-requests": 47}
    assert counted == {"ok": 1, **(refused if limited else {"auth/email-already-exists": 49})}
    for collection in (USERS, ACCOUNTS, SESSIONS):
        assert len(await documents(world, collection)) == 1


async def test_fourth_sign_up_of_an_address_within_an_hour_is_refused(world: World) -> None:
    await world.sign_up()
    for _ in range(2):
        with pytest.raises(EmailAlreadyExists):
            await world.sign_up()
    with pytest.raises(TooManyRequests):
        await world.sign_up()
    await world.sign_up("eve@example.com")
    world.clock.advance(3600)
    with pytest.raises(EmailAlreadyExists):
        await world.sign_up()


async def test_refused_fields_do_not_count_as_sign_ups(world: World) -> None:
    for _ in range(5):
        with pytest.raises(InvalidPasswordFormat):
            await world.auth.sign_up("ada@example.com", "short", "Ada", CLIENT)
        with pytest.raises(InvalidEmail):
            await world.sign_up("ada")
    await world.sign_up()
    assert len(await documents(world, BUCKETS)) == 1


async def test_sign_up_can_be_closed(world: World) -> None:
    await world.auth.settings.update({"allowSignup": False})
    with pytest.raises(SignupDisabled):
        await world.sign_up()
    assert await documents(world, USERS) == []


async def test_policy_is_asked_at_sign_up_and_not_at_sign_in(world: World) -> None:
    await world.auth.settings.update({"passwordPolicy.minLength": 6})
    await world.auth.sign_up("ada@example.com", "secret", "Ada", CLIENT)
    await world.auth.settings.update({"passwordPolicy.minLength": 12})
    await world.sign_in(password="secret")
    with pytest.raises(InvalidPasswordFormat):
        await world.auth.sign_up("eve@example.com", "secret", "Eve", CLIENT)


async def test_freed_address_gives_a_new_user(world: World) -> None:
    first = await world.sign_up()
    id = first["user"]["id"]
    gone = Update(USERS, id, unset=("emailKey", "passwordHash"), set={"deletedAt": "2027-01-15"})
    account = (await documents(world, ACCOUNTS))[0]["id"]
    freed = Update(ACCOUNTS, account, set={"providerAccountId": "gone"})
    await world.store.commit([gone, freed])
    with pytest.raises(InvalidCredentials):
        await world.sign_in()
    second = await world.sign_up()
    assert second["user"]["id"] != id


# -- sign-in --------------------------------------------------------------------------------------


async def test_sign_in_opens_a_further_session(world: World) -> None:
    first, second = await world.sign_up(), await world.sign_in(" ADA@example.com ")
    assert first["user"] == second["user"]
    one, other = await world.identify(first), await world.identify(second)
    assert one.session_id != other.session_id


@pytest.mark.parametrize("stored", [None, "", "missing"])
@pytest.mark.parametrize("password", ["", PASSWORD, "missing"])
async def test_account_without_password_cannot_be_signed_in_to(
    world: World, stored: str | None, password: str
) -> None:
    result = await world.sign_up()
    if stored == "missing":
        await world.store.commit([Update(USERS, result["user"]["id"], unset=("passwordHash",))])
    else:
        await change_user(world, result, passwordHash=stored)
    with pytest.raises(InvalidCredentials):
        await world.sign_in(password=password)
    assert len(await documents(world, SESSIONS)) == 1


async def test_refusal_does_not_tell_whether_the_address_is_known(world: World) -> None:
    await world.sign_up()
    social = await world.sign_up("social@example.com")
    await change_user(world, social, passwordHash=None)
    refusals = []
    for email in ("ada@example.com", "social@example.com", "unknown@example.com"):
        with pytest.raises(InvalidCredentials) as refused:
            await world.sign_in(email, WRONG)
        refusals.append((refused.value.message, refused.value.details, refused.value.headers))
    assert refusals[0] == refusals[1] == refusals[2]


async def test_refusal_takes_as_long_for_unknown_addresses(world: World) -> None:
    """Measured in the processor time of all threads, which a busy machine does not change."""
    hasher = PasswordHasher()
    auth = world.another_process(hasher)
    await auth.settings.update({"rateLimits.enabled": False})
    await auth.sign_up("ada@example.com", PASSWORD, "Ada", CLIENT)
    social = await auth.sign_up("social@example.com", PASSWORD, "Social", CLIENT)
    await change_user(world, social, passwordHash=None)
    times: dict[str, list[float]] = {"ada": [], "social": [], "unknown": []}
    for _ in range(9):
        for name, taken in times.items():
            start = process_time()
            with pytest.raises(InvalidCredentials):
                await auth.sign_in(f"{name}@example.com", WRONG, CLIENT)
            taken.append(process_time() - start)
    hasher.close()
    known = median(times["ada"])
    assert known > 0.005
    for name in ("social", "unknown"):
        assert 0.5 < median(times[name]) / known < 2


@pytest.mark.parametrize("email", ["ada@example.com", "unknown@example.com"])
async def test_five_wrong_passwords_lock_the_address(world: World, email: str) -> None:
    await world.sign_up()
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await world.sign_in(email, WRONG)
        world.clock.advance(60)
    for password in (WRONG, PASSWORD):
        with pytest.raises(TooManyLoginAttempts) as refused:
            await world.sign_in(email, password)
    assert refused.value.headers["Retry-After"] == "600"
    await world.sign_up("eve@example.com")
    await world.sign_in("eve@example.com")
    world.clock.advance(600)
    assert await outcome(world.sign_in(email)) != "auth/too-many-login-attempts"


async def test_successful_sign_in_clears_the_failures(world: World) -> None:
    await world.sign_up()
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(InvalidCredentials):
                await world.sign_in(password=WRONG)
        await world.sign_in()


@pytest.mark.parametrize("processes", [1, 5])
async def test_50_parallel_wrong_passwords_get_five_tries(world: World, processes: int) -> None:
    await world.sign_up()
    services = [world.another_process() for _ in range(processes)]
    calls = [
        outcome(services[number % processes].sign_in("ada@example.com", WRONG, CLIENT))
        for number in range(50)
    ]
    assert Counter(await asyncio.gather(*calls)) == {
        "auth/invalid-credentials": 5,
        "auth/too-many-login-attempts": 45,
    }
    assert await outcome(world.sign_in()) == "auth/too-many-login-attempts"


async def test_50_parallel_sign_ins_with_the_right_password_all_succeed(world: World) -> None:
    await world.sign_up()
    outcomes = await asyncio.gather(*(outcome(world.sign_in()) for _ in range(50)))
    assert Counter(outcomes) == {"ok": 50}


async def test_failures_are_not_counted_when_limits_are_off(world: World) -> None:
    await world.sign_up()
    await world.auth.settings.update({"rateLimits.enabled": False})
    for _ in range(12):
        with pytest.raises(InvalidCredentials):
            await world.sign_in(password=WRONG)
    await world.sign_in()


BANNED = {"status": "banned"}
MONTHS_AGO = {"passwordChangedAt": "2026-08-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("fields", "settings", "refusal"),
    [
        (BANNED, {}, AccountBanned),
        ({}, {"requireEmailVerification": True}, EmailNotVerified),
        (MONTHS_AGO, {"passwordPolicy.expirationDays": 90}, PasswordExpired),
        (
            {**BANNED, **MONTHS_AGO},
            {"requireEmailVerification": True, "passwordPolicy.expirationDays": 90},
            AccountBanned,
        ),
        (
            MONTHS_AGO,
            {"requireEmailVerification": True, "passwordPolicy.expirationDays": 90},
            EmailNotVerified,
        ),
    ],
)
async def test_403_is_told_only_after_the_right_password_and_not_counted(
    world: World, fields: dict[str, Any], settings: dict[str, Any], refusal: type[ApiError]
) -> None:
    await change_user(world, await world.sign_up(), **fields)
    await world.auth.settings.update(settings)
    with pytest.raises(InvalidCredentials):
        await world.sign_in(password=WRONG)
    for _ in range(6):
        with pytest.raises(refusal):
            await world.sign_in()
    assert len(await documents(world, SESSIONS)) == 1


async def test_verified_user_passes_the_verification_check(world: World) -> None:
    result = await world.sign_up()
    await change_user(world, result, emailVerified="2027-01-15T08:00:00.000Z")
    await world.auth.settings.update({"requireEmailVerification": True})
    assert (await world.sign_in())["user"]["emailVerified"] == "2027-01-15T08:00:00.000Z"


async def test_outdated_hash_is_renewed_by_the_next_sign_in(world: World) -> None:
    await world.sign_up()
    stronger = PasswordHasher(memory_kib=16, time_cost=2, workers=1)
    auth = world.another_process(stronger)
    await auth.sign_in("ada@example.com", PASSWORD, CLIENT)
    [user] = await documents(world, USERS)
    assert "$m=16,t=2,p=1$" in user["passwordHash"]
    assert user["updatedAt"] == user["createdAt"]
    await auth.sign_in("ada@example.com", PASSWORD, CLIENT)
    stronger.close()


@pytest.mark.parametrize("change", [{"passwordHash": "another"}, {"status": "banned"}])
async def test_no_session_opens_if_the_user_changes_while_the_password_is_checked(
    world: World, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    result = await world.sign_up()
    verify = world.hasher.verify

    async def verify_slowly(password: str, encoded: str | None) -> bool:
        matches = await verify(password, encoded)
        await change_user(world, result, **change)
        return matches

    monkeypatch.setattr(world.hasher, "verify", verify_slowly)
    with pytest.raises(InvalidCredentials):
        await world.sign_in()
    assert len(await documents(world, SESSIONS)) == 1


async def test_busy_server_does_not_count_as_a_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.sign_up()

    async def busy(*_: Any) -> bool:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(world.hasher, "verify", busy)
        for _ in range(FAILED_PASSWORDS.count + 1):
            with pytest.raises(Unavailable):
                await world.sign_in()
    await world.sign_in()


async def test_sweep_removes_buckets_that_are_over(world: World) -> None:
    await world.sign_up()
    world.clock.advance(3600)
    await world.auth.sweep()
    assert await documents(world, BUCKETS) == []
