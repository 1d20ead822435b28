"""Without SMTP mails are captured: each environment's own, bounded, readable by who manages it."""

from __future__ import annotations

import pytest

from bkend.mail.outbox import KEPT_MS, MOST_CAPTURED
from bkend.store import Insert
from tests.mail.conftest import RESET, TOKEN, Desk, Manager

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def compose(manager: Manager, to: str = "ada@example.com") -> None:
    opened = await manager.served.core.environments.get(manager.id)
    assert opened is not None
    mail = opened.services.mail
    await opened.store.commit([await mail.compose("password_reset", to, RESET)])
    mail.send_soon()


@pytest.mark.asyncio(loop_scope="function")
async def test_a_captured_mail_is_whole(capturing: Desk) -> None:
    await capturing.write()
    [mail], total = await capturing.outbox.readable()
    assert total == 1
    assert list(mail) == ["id", "to", "subject", "template", "text", "html", "links", "createdAt"]
    assert mail["to"] == "ada@example.com"
    assert mail["template"] == "password_reset"
    assert mail["subject"] == "Reset your App password"
    assert mail["links"] == [RESET["resetLink"]]
    assert TOKEN in mail["text"]
    assert TOKEN in mail["html"]


@pytest.mark.asyncio(loop_scope="function")
async def test_captured_mails_are_bounded(capturing: Desk) -> None:
    operation = await capturing.mail.compose("password_reset", "x@example.com", RESET)
    assert isinstance(operation, Insert)
    for start in range(0, MOST_CAPTURED + 5, 201):
        await capturing.store.commit(
            [
                Insert("outbox", f"{number:05}", operation.fields, number, number)
                for number in range(start, min(start + 201, MOST_CAPTURED + 5))
            ]
        )
    await capturing.outbox.trim()
    newest, total = await capturing.outbox.readable()
    assert total == MOST_CAPTURED
    assert newest[0]["id"] == f"{MOST_CAPTURED + 4:05}"
    assert await capturing.outbox.get("00004") is None
    assert await capturing.outbox.get("00005") is not None


@pytest.mark.asyncio(loop_scope="function")
async def test_captured_mails_do_not_stay_for_ever(capturing: Desk) -> None:
    await capturing.write()
    capturing.clock.advance(KEPT_MS / 1000 + 1)
    await capturing.write("new@example.com")
    await capturing.delivery.work()
    assert [mail["to"] for mail in await capturing.stored()] == ["new@example.com"]


@pytest.mark.asyncio(loop_scope="function")
async def test_captured_mails_are_not_sent_later(desk: Desk, inbox: object) -> None:
    await Desk(desk.store, desk.clock, None).write()
    await desk.delivery.work()
    assert not desk.mail.captures
    assert [mail["status"] for mail in await desk.stored()] == ["captured"]


async def test_the_outbox_over_http(manager: Manager) -> None:
    for name in ("ada", "eve", "kim"):
        await compose(manager, f"{name}@example.com")
        manager.served.clock.advance(1)
    page = await manager.ok("GET", "/outbox?limit=2")
    assert [mail["to"] for mail in page["items"]] == ["kim@example.com", "eve@example.com"]
    assert page["pagination"]["total"] == 3
    assert page["pagination"]["hasNext"] is True
    [mail] = (await manager.ok("GET", "/outbox?limit=2&page=2"))["items"]
    assert await manager.ok("GET", f"/outbox/{mail['id']}") == mail
    assert mail["links"] == [RESET["resetLink"]]
    assert await manager.refused("GET", "/outbox/none") == (404, "common/not-found")
    assert await manager.ok("DELETE", "/outbox") == {"deleted": True, "id": "outbox", "count": 3}
    assert (await manager.ok("GET", "/outbox"))["items"] == []


async def test_no_mail_shows_in_the_outbox_of_another_environment(manager: Manager) -> None:
    await compose(manager)
    [mail] = (await manager.ok("GET", "/outbox"))["items"]
    other, _, _ = await manager.served.new_environment()
    place = str(manager.http.base_url).rpartition("/environments/")[0]
    for path in ("/outbox", f"/outbox/{mail['id']}"):
        url = f"{place}/environments/{other}{path}"
        answer = await manager.http.get(url)
        assert mail["id"] not in answer.text.replace(url, "") or answer.status_code == 404
        assert TOKEN not in answer.text
    await manager.http.delete(f"{place}/environments/{other}/outbox")
    assert len((await manager.ok("GET", "/outbox"))["items"]) == 1


async def test_who_may_read_and_clear_it(manager: Manager) -> None:
    await compose(manager)
    member = await manager.as_role("member")
    assert len((await member.ok("GET", "/outbox"))["items"]) == 1
    assert await member.refused("DELETE", "/outbox") == (403, "common/forbidden")
    billing = await manager.as_role("billing")
    assert await billing.refused("GET", "/outbox") == (403, "common/forbidden")
    answer = await manager.http.get("/outbox", headers={"Authorization": "Bearer sk_" + "0" * 64})
    assert answer.status_code == 401


async def test_with_smtp_there_is_no_outbox_to_read(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compose(manager)
    delivery = manager.served.core.delivery
    monkeypatch.setattr(type(delivery), "captures", property(lambda self: False))
    for method, path in (("GET", "/outbox"), ("GET", "/outbox/x"), ("DELETE", "/outbox")):
        assert await manager.refused(method, path) == (404, "common/not-found")
