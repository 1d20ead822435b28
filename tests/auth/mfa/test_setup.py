"""`mfa/enable`, `mfa/confirm`, `mfa/disable` (10 §10)."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pyotp
import pytest

from bkend.auth.collections import USERS
from bkend.auth.mfa.collections import MFA
from bkend.store import Find, Update
from bkend.store.documents import SYSTEM_FIELDS
from tests.auth.answers import AUTH_USER, code
from tests.auth.conftest import PASSWORD, Api
from tests.auth.mfa.conftest import WRONG, Enrolled, confirm, enable, enrol, shown

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stored(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((await api.store.find(Find(MFA))).items)
    return found


def app_code(api: Api, begun: Any, steps: int = 0) -> str:
    return shown(begun["secret"], api.clock, steps)


async def mfa_enabled(api: Api, result: Any) -> bool:
    shown: bool = (await api.call("GET", "/me", result)).json()["mfaEnabled"]
    return shown


# -- enable ---------------------------------------------------------------------------------------


async def test_enable_shows_secret_address_picture_and_codes(api: Api) -> None:
    answer = await enable(api, await api.sign_up())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"secret", "qrCodeUrl", "qrCodeSvg", "backupCodes"}
    assert re.fullmatch("[A-Z2-7]{32}", body["secret"])
    assert len(set(body["backupCodes"])) == 10
    assert all(re.fullmatch("[a-z0-9]{8}", one) for one in body["backupCodes"])
    assert body["qrCodeSvg"].startswith("<svg")


async def test_address_names_project_user_and_secret_for_authenticator_apps(api: Api) -> None:
    body = (await enable(api, await api.sign_up())).json()
    parts = urlsplit(body["qrCodeUrl"])
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/app:ada@example.com"
    assert parse_qs(parts.query) == {"secret": [body["secret"]], "issuer": ["app"]}
    read = pyotp.parse_uri(body["qrCodeUrl"])
    assert isinstance(read, pyotp.TOTP)
    assert (read.digits, read.interval, read.digest().name) == (6, 30, "sha1")


async def test_enable_alone_changes_nothing_at_sign_in(api: Api) -> None:
    result = await api.sign_up()
    await enable(api, result)
    assert not await mfa_enabled(api, result)
    assert (await api.sign_in())["user"]["mfaEnabled"] is False


async def test_enabling_again_replaces_the_pending_secret(api: Api) -> None:
    result = await api.sign_up()
    first, second = (await enable(api, result)).json(), (await enable(api, result)).json()
    assert first["secret"] != second["secret"]
    assert not set(first["backupCodes"]) & set(second["backupCodes"])
    assert code(await confirm(api, result, app_code(api, first))) == "auth/invalid-mfa-code"
    answer = await confirm(api, result, app_code(api, second))
    assert answer.json() == {"backupCodes": second["backupCodes"]}


async def test_enable_needs_the_password(api: Api) -> None:
    result = await api.sign_up()
    refused = await enable(api, result, WRONG)
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-credentials")
    assert await stored(api) == []


async def test_user_without_a_password_cannot_enable(api: Api) -> None:
    result = await api.sign_up()
    without = Update(USERS, result["user"]["id"], set={"passwordHash": None})
    await api.store.commit([without])
    for password in ("", PASSWORD):
        assert code(await enable(api, result, password)) == "auth/invalid-credentials"


async def test_enable_and_confirm_are_refused_while_it_is_on(enrolled: Enrolled) -> None:
    api, result = enrolled.api, enrolled.signed_up
    for refused in (await enable(api, result), await confirm(api, result, enrolled.code())):
        assert (refused.status_code, code(refused)) == (409, "auth/mfa-already-enabled")
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200


async def test_environment_may_have_no_second_factor(api: Api) -> None:
    result = await api.sign_up()
    await api.auth.settings.update({"mfaAvailable": False})
    refused = await enable(api, result)
    assert (refused.status_code, code(refused)) == (400, "auth/mfa-not-available")


async def test_switching_availability_off_leaves_those_who_have_it(enrolled: Enrolled) -> None:
    await enrolled.api.auth.settings.update({"mfaAvailable": False})
    assert code(await enrolled.sign_in()) == "auth/mfa-required"
    assert (await enrolled.disable()).status_code == 200


# -- confirm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_codes_a_step_away_are_right(api: Api, steps: int) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    answer = await confirm(api, result, app_code(api, begun, steps))
    assert answer.json() == {"backupCodes": begun["backupCodes"]}
    assert await mfa_enabled(api, result)


@pytest.mark.parametrize("steps", [-2, 2])
async def test_codes_further_away_are_wrong(api: Api, steps: int) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    refused = await confirm(api, result, app_code(api, begun, steps))
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-mfa-code")
    assert not await mfa_enabled(api, result)


@pytest.mark.parametrize("wrong", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", " 123456", "é" * 6])
async def test_what_is_no_code_is_wrong(api: Api, wrong: str) -> None:
    result = await api.sign_up()
    await enable(api, result)
    assert code(await confirm(api, result, wrong)) == "auth/invalid-mfa-code"


async def test_backup_code_confirms_nothing(api: Api) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    assert code(await confirm(api, result, begun["backupCodes"][0])) == "auth/invalid-mfa-code"


async def test_confirm_without_enable(api: Api) -> None:
    refused = await confirm(api, await api.sign_up(), "123456")
    assert (refused.status_code, code(refused)) == (400, "auth/mfa-not-enabled")


async def test_setup_expires_and_can_be_begun_again(api: Api) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    api.clock.advance(600)
    refused = await confirm(api, result, app_code(api, begun))
    assert (refused.status_code, code(refused)) == (400, "auth/mfa-setup-expired")
    begun = (await enable(api, result)).json()
    api.clock.advance(599)
    assert (await confirm(api, result, app_code(api, begun))).status_code == 200


async def test_time_for_the_setup_is_a_setting(api: Api) -> None:
    await api.auth.settings.update({"mfaSetupTtlMinutes": 1})
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    api.clock.advance(60)
    assert code(await confirm(api, result, app_code(api, begun))) == "auth/mfa-setup-expired"


async def test_two_confirmations_at_once_switch_it_on_once(api: Api) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    answers = await asyncio.gather(*(confirm(api, result, app_code(api, begun)) for _ in range(5)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert await mfa_enabled(api, result)


async def test_existing_sessions_stay(api: Api) -> None:
    other = await api.sign_up()
    result = await api.sign_in()
    begun = (await enable(api, result)).json()
    await confirm(api, result, app_code(api, begun))
    assert await mfa_enabled(api, other)


# -- disable --------------------------------------------------------------------------------------


async def test_disable_forgets_secret_and_codes(enrolled: Enrolled) -> None:
    answer = await enrolled.disable()
    assert (answer.status_code, answer.json()) == (200, {})
    assert await stored(enrolled.api) == []
    assert (await enrolled.sign_in()).json()["user"]["mfaEnabled"] is False


async def test_disable_needs_the_password(enrolled: Enrolled) -> None:
    refused = await enrolled.disable(enrolled.code(), WRONG)
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-credentials")
    assert code(await enrolled.sign_in()) == "auth/mfa-required"


async def test_disable_of_what_is_off(api: Api) -> None:
    result = await api.sign_up()
    await enable(api, result)  # pending is not on
    refused = await api.call("POST", "/mfa/disable", result, json={"password": PASSWORD})
    assert (refused.status_code, code(refused)) == (400, "auth/mfa-not-enabled")


@pytest.mark.parametrize("wrong", ["000000", "aaaaaaaa", "nonsense!", "1"])
async def test_code_given_at_disable_must_be_right(enrolled: Enrolled, wrong: str) -> None:
    assert wrong != enrolled.code()
    refused = await enrolled.disable(wrong)
    assert (refused.status_code, code(refused)) == (401, "auth/invalid-mfa-code")
    assert code(await enrolled.sign_in()) == "auth/mfa-required"


async def test_disable_takes_a_used_password_or_a_backup_code(api: Api) -> None:
    enrolled = await enrol(api)
    assert (await enrolled.sign_in(enrolled.code())).status_code == 200
    assert (await enrolled.disable(enrolled.code())).status_code == 200
    another = await enrol(api, "eve@example.com")
    assert (await another.disable(another.backup[3])).status_code == 200


async def test_disable_with_an_exhausted_backup_code(enrolled: Enrolled) -> None:
    for one in enrolled.backup:
        assert (await enrolled.sign_in(one)).status_code == 200
    refused = await enrolled.disable(enrolled.backup[0])
    assert (refused.status_code, code(refused)) == (400, "auth/mfa-backup-codes-exhausted")


async def test_enabling_after_disabling_gives_everything_anew(enrolled: Enrolled) -> None:
    await enrolled.disable()
    begun = (await enable(enrolled.api, enrolled.signed_up)).json()
    assert begun["secret"] != enrolled.secret
    await confirm(enrolled.api, enrolled.signed_up, app_code(enrolled.api, begun))
    assert code(await enrolled.sign_in(enrolled.backup[0])) == "auth/invalid-mfa-code"
    assert (await enrolled.sign_in(begun["backupCodes"][0])).status_code == 200


# -- limits and secrets ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["enable", "confirm", "disable"])
async def test_five_failures_lock_the_address(api: Api, path: str) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    if path == "disable":
        await confirm(api, result, app_code(api, begun))
    body = {"code": "000000"} if path == "confirm" else {"password": WRONG}
    right = {"code": app_code(api, begun)} if path == "confirm" else {"password": PASSWORD}
    for _ in range(5):
        assert (await api.call("POST", f"/mfa/{path}", result, json=body)).status_code == 401
    locked = await api.call("POST", f"/mfa/{path}", result, json=right)
    assert (locked.status_code, code(locked)) == (429, "auth/too-many-login-attempts")
    assert "429" in locked.json()["message"]
    assert locked.headers["retry-after"] == "900"
    api.clock.advance(900)
    assert code(await api.call("POST", f"/mfa/{path}", result, json=body)) != code(locked)


async def test_nothing_of_it_is_stored_readable(api: Api) -> None:
    result = await api.sign_up()
    begun = (await enable(api, result)).json()
    pending = orjson.dumps(await stored(api)).decode()
    enrolled = await confirm(api, result, app_code(api, begun))
    active = orjson.dumps(await stored(api)).decode()
    for value in (begun["secret"], *enrolled.json()["backupCodes"]):
        assert value not in pending
        assert value not in active
    [document] = await stored(api)
    assert document["id"] == result["user"]["id"]
    assert not {"pendingCodes", "expiresAt"} & document.keys()


async def test_nothing_of_it_is_shown_anywhere_else(enrolled: Enrolled) -> None:
    api = enrolled.api
    me = await api.call("GET", "/me", enrolled.signed_up)
    assert set(me.json()) == AUTH_USER
    secret_key = {"X-API-Key": api.secret_key}
    user_id = enrolled.signed_up["user"]["id"]
    text = me.text + (await enrolled.sign_in(enrolled.backup[0])).text
    for path in ("/v1/data/users", f"/v1/data/users/{user_id}"):
        answer = await api.http.get(path, headers=secret_key)
        assert answer.status_code == 200
        text += answer.text
    [held] = await stored(api)
    own = [held[name] for name in held.keys() - SYSTEM_FIELDS if isinstance(held[name], str)]
    assert len(own) == 11  # setup, secret and nine codes
    assert not [value for value in (enrolled.secret, *own) if value in text]
    assert (await api.http.get("/v1/data/mfa", headers=secret_key)).status_code == 404


@pytest.mark.parametrize("path", ["enable", "confirm", "disable"])
async def test_needs_a_user_token(any_api: Api, path: str) -> None:
    answer = await any_api.call("POST", f"/mfa/{path}", json={"password": "x", "code": "123456"})
    assert code(answer) == "auth/unauthorized"
