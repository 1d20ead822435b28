"""From where and how often apps may call, and what is counted (51 §3.4)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from bkend.http.keyless import needs_no_key
from bkend.inventory import note_usage
from bkend.manage.control import USAGE
from bkend.manage.usage import DAY_MS, CallCounter, Usage
from bkend.store import StoreUnavailable
from tests.asgi import Answer
from tests.http.manage.company import Company

PROJECT = "/projects/app"
HERE, THERE = "198.51.100.7", "203.0.113.9"
REFUSED = (403, "common/forbidden")
SPENT = (429, "common/rate-limited")


async def set_up(firm: Company, **settings: Any) -> dict[str, Any]:
    """Change settings of the project; what they are then."""
    body = {"settings": settings}
    changed = await firm.people["owner"].ok("PATCH", PROJECT, body)
    found: dict[str, Any] = changed["settings"]
    return found


async def call(
    firm: Company, path: str = "data/things", peer: str = HERE, **options: Any
) -> Answer:
    return await firm.opened.call("GET", f"/v1/{path}", peer=peer, **options)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


async def make_table(firm: Company) -> None:
    body = {
        "tableName": "things",
        "schema": {"a": "string"},
        "permissions": {"guest": {"read": True, "list": True}},
    }
    await firm.people["owner"].ok("POST", f"{PROJECT}/environments/dev/tables", body)


async def usage_of(firm: Company) -> Usage:
    usage = firm.opened.core.usage
    await usage.flush()
    return usage


async def rows(firm: Company, query: str = "") -> list[Any]:
    root = firm.people.get("root") or await firm.person("root", isServerAdmin=True)
    return await root.items("/system/usage", query)


# -- networks ---------------------------------------------------------------------------------


async def test_only_listed_networks_may_call(firm: Company) -> None:
    await make_table(firm)
    for _ in range(2):  # the second time from memory
        assert (await call(firm, peer=THERE)).status == 200
    stored = await set_up(firm, ipWhitelist=["198.51.100.77/24", "2001:db8::/32", "10.0.0.1"])
    assert stored["ipWhitelist"] == ["198.51.100.0/24", "2001:db8::/32", "10.0.0.1/32"]
    for peer in (HERE, "2001:db8::1", "10.0.0.1", "::ffff:10.0.0.1"):
        for _ in range(2):
            assert (await call(firm, peer=peer)).status == 200, peer
    for peer in (THERE, "2001:db9::1", "10.0.0.2", "", "nonsense"):
        for _ in range(2):
            assert told(await call(firm, peer=peer)) == REFUSED, peer
    for path in ("auth/me", "users", "files", "nothing", "auth/nothing"):
        assert told(await call(firm, path, peer=THERE)) == REFUSED, path
    secret = firm.opened.made.secret_key
    assert told(await call(firm, peer=THERE, key=secret)) == REFUSED
    # who is not told of the project is not told of its networks
    assert told(await call(firm, peer=THERE, key="pk_" + "0" * 64))[0] == 401
    await firm.people["owner"].ok("GET", PROJECT)  # tenants are not apps
    await set_up(firm, ipWhitelist=[])
    assert (await call(firm, peer=THERE)).status == 200


async def test_a_forged_header_does_not_help(firm: Company) -> None:
    await set_up(firm, ipWhitelist=[f"{HERE}/32"])
    forged = [("X-Forwarded-For", HERE)]
    assert told(await call(firm, peer=THERE, headers=forged)) == REFUSED


async def test_me_from_memory_is_held_against_the_list(firm: Company) -> None:
    key = firm.opened.made.publishable_key or ""
    body = {"email": "u@x.example", "password": "correct horse", "name": "U"}
    made = (await firm.data("POST", "auth/email/signup", key, body)).json()
    headers = [("Authorization", f"Bearer {made['accessToken']}")]
    for _ in range(2):
        assert (await call(firm, "auth/me", peer=THERE, headers=headers)).status == 200
    await set_up(firm, ipWhitelist=[HERE])
    assert (await call(firm, "auth/me", headers=headers)).status == 200
    for _ in range(2):
        assert told(await call(firm, "auth/me", peer=THERE, headers=headers)) == REFUSED


async def test_a_call_without_a_key_is_held_against_the_list(firm: Company) -> None:
    key, core = firm.opened.made.publishable_key or "", firm.opened.core
    body = {"email": "m@x.example", "password": "correct horse", "name": "M"}
    assert (await firm.data("POST", "auth/email/signup", key, body)).status < 300
    wanted = {"email": body["email"]}
    assert (await firm.data("POST", "auth/email/verify/send", key, wanted)).status < 300
    services = await core.environment("app", "dev")
    [mail], _ = await services.mail.outbox.readable()
    link = urlsplit(next(one for one in mail["links"] if "token=" in one))
    await set_up(firm, ipWhitelist=[HERE])
    assert needs_no_key("GET", link.path)
    options: dict[str, Any] = {"query": link.query.encode(), "key": ""}
    answer = await firm.opened.call("GET", link.path, peer=THERE, **options)
    assert told(answer) == REFUSED
    answer = await firm.opened.call("GET", link.path, peer=HERE, **options)
    assert answer.json()["verified"] is True


@pytest.mark.parametrize(
    "settings",
    [
        {"ipWhitelist": "10.0.0.0/8"},
        {"ipWhitelist": ["10.0.0.0/33"]},
        {"ipWhitelist": ["example.com"]},
        {"ipWhitelist": [""]},
        {"ipWhitelist": [7]},
        {"ipWhitelist": ["10.0.0.1"] * 101},
        {"apiCallLimit": 0},
        {"apiCallLimit": -1},
        {"apiCallLimit": True},
        {"apiCallLimit": "5"},
        {"apiCallLimit": 1.5},
    ],
    ids=lambda settings: str(settings)[:40],
)
async def test_malformed_limits(firm: Company, settings: Any) -> None:
    owner = firm.people["owner"]
    refused = await owner.refused("PATCH", PROJECT, {"settings": settings})
    assert refused == (400, "common/invalid-parameters")


# -- calls a day ------------------------------------------------------------------------------


async def test_so_many_calls_a_day_and_no_more(firm: Company) -> None:
    await make_table(firm)
    await set_up(firm, apiCallLimit=5)
    statuses = [(await call(firm)).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    refused = await call(firm, "auth/me")
    assert told(refused) == SPENT
    midnight = DAY_MS - firm.clock.now_ms() % DAY_MS
    assert int(refused.headers["retry-after"]) == -(-midnight // 1000)
    await (await usage_of(firm)).flush()
    assert told(await call(firm)) == SPENT
    firm.clock.advance(midnight / 1000 - 1)
    assert told(await call(firm)) == SPENT
    assert (await call(firm)).headers["retry-after"] in ("1", "2")
    firm.clock.advance(2)
    assert (await call(firm)).status == 200
    await set_up(firm, apiCallLimit=None)
    for _ in range(10):
        assert (await call(firm)).status == 200


async def test_each_environment_has_its_own_count(firm: Company) -> None:
    body = {"environment": "qa"}
    made = await firm.people["owner"].ok("POST", f"{PROJECT}/environments", body)
    await set_up(firm, apiCallLimit=1)
    key = made["apiKey"]["key"]
    assert (await call(firm, "data/x", key=key)).status == 404
    assert told(await call(firm, "data/x", key=key)) == SPENT
    assert (await call(firm, "data/x")).status == 404


async def test_what_was_called_before_a_limit_was_set_counts(firm: Company) -> None:
    for _ in range(3):
        await call(firm)
    await set_up(firm, apiCallLimit=3)
    assert told(await call(firm)) == SPENT


async def test_refused_calls_are_not_counted(firm: Company) -> None:
    await set_up(firm, apiCallLimit=2)
    for _ in range(5):
        await call(firm)
    await usage_of(firm)
    assert [row["apiCalls"] for row in await rows(firm)] == [2]


async def test_another_process_counts_too_and_a_restart_forgets_nothing(firm: Company) -> None:
    """Another `Usage` on the same store is what another process, or a later one, has."""
    core = firm.opened.core
    await set_up(firm, apiCallLimit=5)
    environment = await core.hierarchy.environment("app", "dev")
    other = Usage(core.database.control, firm.clock)
    theirs = await other.counter(environment["id"], environment["projectId"])
    for _ in range(2):
        await call(firm)
    theirs.pending += 2
    await core.usage.flush()
    await other.flush()
    assert theirs.known == 4
    assert (await call(firm)).status == 404  # of theirs it learns with its next writing
    await core.usage.flush()
    assert told(await call(firm)) == SPENT
    late = Usage(core.database.control, firm.clock)
    known = await late.counter(environment["id"], environment["projectId"])
    assert not known.is_below(5, firm.clock.now_ms())
    assert known.is_below(6, firm.clock.now_ms())


async def test_what_cannot_be_written_is_kept(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(firm, apiCallLimit=3)
    await call(firm)
    usage, store = firm.opened.core.usage, firm.opened.core.database.control

    async def fails(operations: Any) -> Any:
        raise StoreUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", fails)
        await usage.flush()
    await call(firm)
    await call(firm)
    assert told(await call(firm)) == SPENT
    await usage.flush()
    assert [row["apiCalls"] for row in await rows(firm)] == [3]


def test_calls_before_midnight_belong_to_the_day_before() -> None:
    counter = CallCounter("e", now=0)
    counter.pending = 3
    assert not counter.is_below(3, DAY_MS - 1)
    assert counter.is_below(1, DAY_MS)
    counter.pending += 1
    assert counter.take() == {0: 3, 1: 1}
    counter.give_back(0, 3)
    counter.give_back(1, 1)
    assert not counter.is_below(1, DAY_MS)
    assert counter.take() == {0: 3, 1: 1}
    assert counter.take() == {}


# -- usage ------------------------------------------------------------------------------------


async def test_usage_day_by_day(firm: Company) -> None:
    key, core = firm.opened.made.publishable_key or "", firm.opened.core
    body = {"email": "u@x.example", "password": "correct horse", "name": "U"}
    assert (await firm.data("POST", "auth/email/signup", key, body)).status < 300
    sign_in = {"email": body["email"], "password": body["password"]}
    assert (await firm.data("POST", "auth/email/signin", key, sign_in)).status == 200
    await usage_of(firm)
    document = await core.hierarchy.environment("app", "dev")
    environment = await core.environments.get(document["id"])
    assert environment is not None
    await note_usage(environment, core.usage, firm.clock.now_ms())
    [today] = await rows(firm)
    assert today == {
        "environmentId": document["id"],
        "projectId": document["projectId"],
        "day": "2027-01-15",
        "apiCalls": 2,
        "activeUsers": 1,
        "storageBytes": 0,
    }
    firm.clock.advance(24 * 3600)
    await usage_of(firm)
    await call(firm)
    await usage_of(firm)
    await note_usage(environment, core.usage, firm.clock.now_ms())
    found = await rows(firm)
    assert [(row["day"], row["apiCalls"], row["activeUsers"]) for row in found] == [
        ("2027-01-16", 1, 0),
        ("2027-01-15", 2, 1),
    ]
    for query, days in (
        ("from=2027-01-16", 1),
        ("to=2027-01-15", 1),
        (f"environmentId={document['id']}", 2),
        (f"projectId={document['projectId']}&limit=1", 1),
        ("projectId=none", 0),
    ):
        assert len(await rows(firm, query)) == days, query
    root = firm.people["root"]
    refused = await root.refused("GET", "/system/usage", query="from=yesterday")
    assert refused == (400, "common/invalid-parameters")


async def test_old_days_are_forgotten(firm: Company) -> None:
    await call(firm)
    usage = await usage_of(firm)
    firm.clock.advance(399 * 24 * 3600)
    await usage.sweep()
    assert await firm.opened.core.database.control.count(USAGE) == 1
    firm.clock.advance(2 * 24 * 3600)
    await usage.sweep()
    assert await firm.opened.core.database.control.count(USAGE) == 0


async def test_it_is_written_now_and_then_and_at_the_end(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.manage.usage.WRITTEN_EVERY_SECONDS", 0.01)
    usage = firm.opened.core.usage
    running = asyncio.create_task(usage.run())
    await call(firm)
    async with asyncio.timeout(10):
        while await firm.opened.core.database.control.count(USAGE) == 0:
            await asyncio.sleep(0.01)
    monkeypatch.setattr("bkend.manage.usage.WRITTEN_EVERY_SECONDS", 3600)
    await call(firm)
    usage.stop()
    await running
    assert [row["apiCalls"] for row in await rows(firm)] == [2]


async def test_counters_go_with_their_environments(firm: Company) -> None:
    usage = firm.opened.core.usage
    await call(firm)
    [id] = usage._counters
    usage.close(id)
    counter = await usage.counter(id, "p")  # opened again before it was written
    await usage.flush()
    assert await usage.counter(id, "p") is counter
    usage.close(id)
    counter.pending += 1
    await usage.flush()
    assert not usage._counters
    assert (await usage.counter(id, "p")).known == 2
