"""`Idempotency-Key` on POST, and `If-Match` on changes of a schema (51 §6)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from bkend.manage.control import IDEMPOTENCY
from bkend.manage.idempotency import Taken
from bkend.store import Find, Update
from tests.http.manage.company import Caller, Company

KEYS = "/projects/app/environments/dev/api-keys"
SECRET = {"type": "secret", "name": "k"}


async def post(caller: Caller, path: str, body: Any, key: str) -> Any:
    return await caller.call("POST", path, body, Idempotency_Key=key)


async def test_the_same_request_again_gets_the_same_answer(firm: Company) -> None:
    owner = firm.people["owner"]
    first = await post(owner, KEYS, SECRET, "one")
    again = await post(owner, KEYS, SECRET, "one")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["idempotency-replayed"] == "true"
    names = [one["name"] for one in await owner.items(KEYS, "type=secret&search=k")]
    assert names == ["k"]
    other = await post(owner, KEYS, SECRET, "two")
    assert other.json()["id"] != first.json()["id"]


async def test_another_body_is_refused(firm: Company) -> None:
    owner = firm.people["owner"]
    await post(owner, KEYS, SECRET, "one")
    refused = await owner.refused("POST", KEYS, {**SECRET, "name": "x"}, Idempotency_Key="one")
    assert refused == (409, "common/idempotency-mismatch")


async def test_a_key_belongs_to_tenant_and_route(firm: Company) -> None:
    owner, admin = firm.people["owner"], firm.people["admin"]
    await post(owner, KEYS, SECRET, "one")
    theirs = await post(admin, KEYS, {**SECRET, "name": "theirs"}, "one")
    assert theirs.status == 201
    project = await post(owner, "/projects", {"name": "Shop"}, "one")
    assert project.status == 201
    member = firm.people["member"]
    assert await member.refused("POST", KEYS, SECRET, Idempotency_Key="one") == (
        403,
        "common/forbidden",
    )


async def test_a_refused_request_leaves_the_key_free(firm: Company) -> None:
    owner = firm.people["owner"]
    assert (await post(owner, KEYS, {"type": "secret"}, "one")).status == 400
    assert (await post(owner, KEYS, SECRET, "one")).status == 201


async def test_the_answer_is_kept_for_a_day_and_sealed(firm: Company) -> None:
    owner, control = firm.people["owner"], firm.opened.core.database.control
    first = await post(owner, KEYS, SECRET, "one")
    stored = (await control.find(Find(IDEMPOTENCY))).items
    assert first.json()["key"].encode() not in stored
    firm.clock.advance(23 * 3600)
    assert (await post(owner, KEYS, SECRET, "one")).body == first.body
    firm.clock.advance(2 * 3600)
    assert (await post(owner, KEYS, SECRET, "one")).body != first.body
    firm.clock.advance(25 * 3600)
    await firm.opened.core.idempotency.sweep()
    assert await control.count(IDEMPOTENCY) == 0


async def test_of_two_at_the_same_moment_one_is_worked_on(firm: Company) -> None:
    owner = firm.people["owner"]
    answers = await asyncio.gather(*(post(owner, KEYS, SECRET, "one") for _ in range(5)))
    made = {answer.body for answer in answers if answer.status == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status != 201:
            assert answer.json()["code"] == "common/idempotency-in-progress"
            assert answer.headers["retry-after"] == "1"
    assert len(await owner.items(KEYS, "type=secret&search=k")) == 1


async def test_a_request_whose_process_died_is_worked_on_again(firm: Company) -> None:
    owner, core = firm.people["owner"], firm.opened.core
    await post(owner, KEYS, SECRET, "one")
    page = await core.database.control.find(Find(IDEMPOTENCY))
    [held] = orjson.loads(page.items)
    lost = Update(IDEMPOTENCY, held["id"], set={"status": None, "answer": None})
    await core.database.control.commit([lost])
    answer = await post(owner, KEYS, SECRET, "one")
    assert answer.json()["code"] == "common/idempotency-in-progress"
    firm.clock.advance(121)
    assert (await post(owner, KEYS, SECRET, "one")).status == 201


@pytest.mark.parametrize("key", ["x" * 256, "a b", "é"])
async def test_malformed_keys(firm: Company, key: str) -> None:
    owner = firm.people["owner"]
    refused = await owner.refused("POST", KEYS, SECRET, Idempotency_Key=key)
    assert refused == (400, "common/invalid-parameters")


async def test_who_has_not_signed_in_takes_no_key(firm: Company) -> None:
    anybody = Caller(firm.opened, {})
    refused = await anybody.refused("POST", KEYS, SECRET, Idempotency_Key="one")
    assert refused == (401, "auth/unauthorized")
    assert await firm.opened.core.database.control.count(IDEMPOTENCY) == 0


async def test_an_upload_can_be_repeated(firm: Company) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
    )
    owner, files = firm.people["owner"], "/projects/app/environments/dev/files"
    headers = {"Content_Type": "multipart/form-data; boundary=x", "Idempotency_Key": "one"}
    first = await owner.call("POST", files, form, **headers)
    again = await owner.call("POST", files, form, **headers)
    assert first.status == again.status == 201, first.body
    assert first.body == again.body


async def test_what_another_process_took_over_is_not_overwritten(firm: Company) -> None:
    idempotency = firm.opened.core.idempotency
    taken = await idempotency.take("t", "r", "k", b"x")
    firm.clock.advance(121)
    over = await idempotency.take("t", "r", "k", b"x")
    assert isinstance(taken, Taken)
    assert isinstance(over, Taken)
    await idempotency.keep(taken, 200, b"late")
    await idempotency.release(taken)
    await idempotency.keep(over, 200, b"mine")
    kept = await idempotency.take("t", "r", "k", b"x")
    assert not isinstance(kept, Taken)
    assert kept.body == b"mine"


async def test_a_schema_is_changed_only_as_it_was_seen(firm: Company) -> None:
    owner, tables = firm.people["owner"], "/projects/app/environments/dev/tables"
    await owner.ok("POST", tables, {"tableName": "t", "schema": {"a": "string"}})
    path, body = f"{tables}/t/fields/manage", {"fieldsToAddOrUpdate": {"b": "string"}}
    assert (await owner.call("POST", path, body, If_Match='"1"')).status == 200
    refused = await owner.refused("POST", path, body, If_Match="1")
    assert refused == (412, "common/precondition-failed")
