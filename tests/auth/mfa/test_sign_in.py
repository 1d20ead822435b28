"""Signing in with a second factor: the order of checks of 10 §6, and each code once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.mfa.collections import MFA
from bkend.store import Delete, Update
from tests.auth.answers import code
from tests.auth.conftest import PASSWORD, Api
from tests.auth.mfa.conftest import STEP, WRONG, Enrolled, enrol

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def change(enrolled: Enrolled, **fields: object) -> None:
    id = enrolled.signed_up["user"]["id"]
    await enrolled.api.store.commit([Update(USERS, id, set=fields)])


# -- the table ------------------------------------------------------------------------------------


async def test_right_code_opens_a_session(enrolled: Enrolled) -> None:
    answer = await enrolled.sign_in(enrolled.code())
    assert answer.status_code == 200
    assert answer.json()["user"]["mfaEnabled"] is True
    assert (await enrolled.api.call("GET", "/me", answer.json())).status_code == 200


@pytest.mark.parametrize("none", [None, ""])
async def test_without_a_code_one_is_asked_for(enrolled: Enrolled, none: str | None) -> None:
    refused = await enrolled.sign_in(none)
    assert (refused.status_code, code(refused)) == (403, "auth/mfa-required")


async def test_null_is_no_code(enrolled: Enrolled) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD, "mfaCode": None}
    refused = await enrolled.api.call("POST", "/email/signin", json=body)
    assert code(refused) == "auth/mfa-required"


async def test_being_asked_for_a_code_is_no_failure(enrolled: Enrolled) -> None:
    for _ in range(8):
        assert code(await enrolled.sign_in()) == "auth/mfa-required"
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200


@pytest.mark.parametrize("steps", [-2, 2])
async def test_code_of_another_time_is_wrong(enrolled: Enrolled, steps: int) -> None:
    refused = await enrolled.sign_in(enrolled.code(steps))
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-mfa-code")


@pytest.mark.parametrize(
    "wrong",
    ["12345", "1234567", "AAAAAAAA", "aaaaaaaa", "a b c d e", "é" * 8, "１２３４５６", "\x00"],
)
async def test_what_is_no_code_of_the_user_is_wrong(enrolled: Enrolled, wrong: str) -> None:
    refused = await enrolled.sign_in(wrong)
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-mfa-code")


@pytest.mark.parametrize("wrong", [123456, ["123456"], {"$ne": None}, True])
async def test_code_is_a_string(enrolled: Enrolled, wrong: object) -> None:
    refused = await enrolled.sign_in(wrong)
    assert (refused.status_code, code(refused)) == (400, "auth/invalid-request")


async def test_wrong_codes_lock_the_address(enrolled: Enrolled) -> None:
    for _ in range(5):
        assert code(await enrolled.sign_in("aaaaaaaa")) == "auth/invalid-mfa-code"
    locked = await enrolled.sign_in(enrolled.code())
    assert (locked.status_code, code(locked)) == (429, "auth/too-many-login-attempts")
    enrolled.api.clock.advance(900)
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200


async def test_right_code_clears_the_failures(enrolled: Enrolled) -> None:
    for _ in range(3):
        for _ in range(4):
            assert code(await enrolled.sign_in("aaaaaaaa")) == "auth/invalid-mfa-code"
        enrolled.api.clock.advance(STEP)
        assert (await enrolled.sign_in(enrolled.code())).status_code == 200


@pytest.mark.parametrize("mfa_code", [None, "right", "aaaaaaaa"])
async def test_second_factor_is_looked_at_last(api: Api, mfa_code: str | None) -> None:
    enrolled = await enrol(api)
    given = enrolled.code() if mfa_code == "right" else mfa_code
    assert code(await enrolled.sign_in(given, WRONG)) == "auth/invalid-credentials"
    await api.auth.settings.update({"passwordPolicy.expirationDays": 1})
    await change(enrolled, passwordChangedAt="2020-01-01T00:00:00.000Z")
    assert code(await enrolled.sign_in(given)) == "auth/password-expired"
    await api.auth.settings.update({"requireEmailVerification": True})
    assert code(await enrolled.sign_in(given)) == "auth/email-not-verified"
    await change(enrolled, status="banned")
    assert code(await enrolled.sign_in(given)) == "auth/account-banned"


async def test_code_of_a_user_without_a_factor_is_ignored(api: Api) -> None:
    await api.sign_up()
    body = {"email": "ada@example.com", "password": PASSWORD, "mfaCode": "000000"}
    assert (await api.call("POST", "/email/signin", json=body)).status_code == 200


async def test_factor_whose_secret_is_gone_lets_nobody_in(enrolled: Enrolled) -> None:
    id = enrolled.signed_up["user"]["id"]
    await enrolled.api.store.commit([Update(MFA, id, set={"secret": "v1.AAAA"})])
    for given in (enrolled.code(), enrolled.backup[0]):
        assert code(await enrolled.sign_in(given)) == "auth/invalid-mfa-code"
    await enrolled.api.store.commit([Delete(MFA, id)])
    assert code(await enrolled.sign_in(enrolled.code())) == "auth/invalid-mfa-code"


async def test_code_of_another_user_is_wrong(api: Api) -> None:
    ada, eve = await enrol(api), await enrol(api, "eve@example.com")
    for given in (eve.code(), eve.backup[0]):
        assert code(await ada.sign_in(given)) == "auth/invalid-mfa-code"


# -- once -----------------------------------------------------------------------------------------


async def test_password_of_a_step_opens_one_session(enrolled: Enrolled) -> None:
    given = enrolled.code()
    assert (await enrolled.sign_in(given)).status_code == 200
    assert code(await enrolled.sign_in(given)) == "auth/invalid-mfa-code"
    assert code(await enrolled.sign_in(enrolled.code(-1))) == "auth/invalid-mfa-code"
    assert (await enrolled.sign_in(enrolled.code(1))).status_code == 200


async def test_confirming_uses_no_step_up(api: Api) -> None:
    enrolled = await enrol(api)
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200


async def test_each_backup_code_opens_one_session(enrolled: Enrolled) -> None:
    for one in enrolled.backup:
        assert (await enrolled.sign_in(one)).status_code == 200
        if one != enrolled.backup[-1]:
            assert code(await enrolled.sign_in(one)) == "auth/invalid-mfa-code"
    for given in (enrolled.backup[0], "aaaaaaaa"):
        refused = await enrolled.sign_in(given)
        assert (refused.status_code, code(refused)) == (400, "auth/mfa-backup-codes-exhausted")
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200


async def test_code_is_not_used_up_when_the_password_is_wrong(enrolled: Enrolled) -> None:
    assert code(await enrolled.sign_in(enrolled.backup[0], WRONG)) == "auth/invalid-credentials"
    assert (await enrolled.sign_in(enrolled.backup[0])).status_code == 200


@pytest.mark.parametrize("kind", ["backup", "totp"])
async def test_ten_sign_ins_with_one_code_open_one_session(enrolled: Enrolled, kind: str) -> None:
    given = enrolled.backup[0] if kind == "backup" else enrolled.code()
    before = await enrolled.api.store.count(SESSIONS)
    answers = await asyncio.gather(*(enrolled.sign_in(given) for _ in range(10)))
    found = Counter(answer.status_code for answer in answers)
    assert found[200] == 1
    assert set(found) <= {200, 401, 429}
    assert await enrolled.api.store.count(SESSIONS) == before + 1
