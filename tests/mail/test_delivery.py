"""Mails reach a real SMTP server, once, however often something goes wrong on the way."""

from __future__ import annotations

import asyncio
import re
from email import policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from bkend.mail.outbox import CLAIM_MS, KEPT_MS
from bkend.mail.service import samples
from bkend.mail.wording import CATEGORIES, LOCALES, Locale
from bkend.store import Duplicate, Insert, Store
from tests.auth.conftest import FakeClock
from tests.mail.conftest import RESET, TOKEN, Desk
from tests.mail.smtp import SECRET, USER, Inbox, certificate, sign_in, smtp_server
from tests.servers import free_port

AUTH = "mailer%40example.com:p%40ss%2Fword"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("category", CATEGORIES)
async def test_every_template_arrives_and_can_be_read(
    desk: Desk, inbox: Inbox, category: str, locale: Locale
) -> None:
    await desk.write("ada@example.com", category, samples(locale), locale)  # type: ignore[arg-type]
    [written] = await desk.stored()
    await desk.delivery.work()
    [received] = inbox.mails
    message = received.message
    assert (received.sender, received.recipients) == (
        "no-reply@api.example.com",
        ["ada@example.com"],
    )
    assert message["Subject"] == written["subject"]
    assert message["From"] == "App <no-reply@api.example.com>"
    assert message["To"] == "ada@example.com"
    assert message["Message-ID"] == f"<{written['id']}@api.example.com>"
    assert parsedate_to_datetime(message["Date"]).timestamp() == desk.clock.now // 1000
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert [part.get_content_charset() for part in (text, html)] == ["utf-8", "utf-8"]
    assert [part.get_content_type() for part in (text, html)] == ["text/plain", "text/html"]
    assert text.get_content().replace("\r\n", "\n") == written["text"]
    assert html.get_content().replace("\r\n", "\n") == written["html"]
    assert max(map(len, received.raw.split(b"\r\n"))) <= 998
    assert received.raw.isascii()


async def test_sender_and_name_are_those_of_the_environment(desk: Desk, inbox: Inbox) -> None:
    await desk.mail.templates.update_config(
        {"senderEmail": "Hello@Example.com", "senderName": 'Söng, "the" App'}
    )
    await desk.write()
    await desk.delivery.work()
    [address] = inbox.mails[0].message["From"].addresses
    assert (address.addr_spec, address.display_name) == ("hello@example.com", 'Söng, "the" App')
    assert inbox.mails[0].sender == "hello@example.com"


async def test_a_value_cannot_add_a_header_or_a_recipient(desk: Desk, inbox: Inbox) -> None:
    evil = "Ada\r\nBcc: eve@example.com\r\n\r\n<b>x"
    await desk.mail.templates.update("invitation", "en", "{{inviterName}}", "<p>{{userName}}</p>")
    await desk.mail.templates.update_config({"overrideDefaults": True})
    await desk.write(category="invitation", values={"inviterName": evil, "userName": evil})
    await desk.delivery.work()
    [received] = inbox.mails
    assert received.recipients == ["ada@example.com"]
    assert received.message["Bcc"] is None
    assert received.message["Subject"] == "Ada Bcc: eve@example.com <b>x"


@pytest.mark.parametrize("to", ["a@b.c\r\nBcc: e@x.y", "nobody", "", "a b@example.com"])
async def test_an_address_that_no_header_can_hold_fails_for_good(
    desk: Desk, inbox: Inbox, to: str
) -> None:
    await desk.write(to)
    await desk.delivery.work()
    assert not inbox.mails
    assert (await desk.stored())[0]["status"] == "failed"


async def test_the_content_goes_as_soon_as_it_is_delivered(desk: Desk) -> None:
    await desk.write()
    assert TOKEN in str(await desk.stored())
    await desk.delivery.work()
    [kept] = await desk.stored()
    assert TOKEN not in str(kept)
    assert not kept.keys() & {"html", "text", "subject", "values", "links", "dueAt"}
    assert (kept["status"], kept["to"], kept["category"]) == (
        "sent",
        "ada@example.com",
        "password_reset",
    )
    desk.clock.advance(KEPT_MS / 1000 + 1)
    await desk.delivery.work()
    assert await desk.stored() == []


# -- ways to the server -------------------------------------------------------------------------


async def test_starttls_is_used_when_it_is_offered(
    store: Store, clock: FakeClock, inbox: Inbox, tmp_path: Path
) -> None:
    file, context = certificate(tmp_path)
    with smtp_server(inbox, tls_context=context) as port:
        desk = Desk(store, clock, f"smtp://127.0.0.1:{port}?ca={file}")
        await desk.write()
        await desk.delivery.work()
    assert [mail.encrypted for mail in inbox.mails] == [True]


async def test_credentials_are_sent_over_starttls(
    store: Store, clock: FakeClock, inbox: Inbox, tmp_path: Path
) -> None:
    file, context = certificate(tmp_path)
    options: dict[str, Any] = {
        "tls_context": context,
        "authenticator": sign_in,
        "auth_required": True,
    }
    with smtp_server(inbox, **options) as port:
        desk = Desk(store, clock, f"smtp://{AUTH}@127.0.0.1:{port}?ca={file}")
        await desk.write()
        await desk.delivery.work()
    assert [(mail.encrypted, mail.user) for mail in inbox.mails] == [(True, USER)]


async def test_credentials_are_never_sent_in_the_clear(
    store: Store, clock: FakeClock, inbox: Inbox
) -> None:
    options: dict[str, Any] = {"authenticator": sign_in, "auth_require_tls": False}
    with smtp_server(inbox, **options) as port:
        desk = Desk(store, clock, f"smtp://{AUTH}@127.0.0.1:{port}")
        await desk.write()
        await desk.delivery.work()
        assert not inbox.mails
        [waiting] = await desk.stored()
        assert waiting["status"] == "waiting"
        assert "STARTTLS" in waiting["reason"]
        in_the_clear = desk.another_process(f"{desk.url}?tls=off")
        clock.advance(60)
        await in_the_clear.delivery.work()
    assert [(mail.encrypted, mail.user) for mail in inbox.mails] == [(False, USER)]


async def test_smtps_speaks_tls_from_the_start(
    store: Store, clock: FakeClock, inbox: Inbox, tmp_path: Path
) -> None:
    from aiosmtpd.controller import Controller

    file, context = certificate(tmp_path)
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=context,
        authenticator=sign_in,
        auth_require_tls=False,
    )
    controller.start()
    try:
        desk = Desk(store, clock, f"smtps://{AUTH}@127.0.0.1:{controller.port}?ca={file}")
        await desk.write()
        await desk.delivery.work()
    finally:
        controller.stop()
    assert [mail.user for mail in inbox.mails] == [USER]


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    store: Store, clock: FakeClock, inbox: Inbox, tmp_path: Path
) -> None:
    _, context = certificate(tmp_path)
    with smtp_server(inbox, tls_context=context) as port:
        desk = Desk(store, clock, f"smtp://127.0.0.1:{port}?tls=required")
        await desk.write()
        await desk.delivery.work()
        assert not inbox.mails
        trusting = desk.another_process(f"{desk.url}&verify=off")
        clock.advance(60)
        await trusting.delivery.work()
    assert [mail.encrypted for mail in inbox.mails] == [True]


async def test_a_wrong_password_does_not_lose_mail(
    store: Store, clock: FakeClock, inbox: Inbox, tmp_path: Path
) -> None:
    file, context = certificate(tmp_path)
    options: dict[str, Any] = {
        "tls_context": context,
        "authenticator": sign_in,
        "auth_required": True,
    }
    with smtp_server(inbox, **options) as port:
        wrong = Desk(store, clock, f"smtp://u:{'x' * 8}@127.0.0.1:{port}?ca={file}")
        await wrong.write()
        await wrong.delivery.work()
        [waiting] = await wrong.stored()
        assert waiting["status"] == "waiting"
        clock.advance(60)
        right = wrong.another_process(f"smtp://{AUTH}@127.0.0.1:{port}?ca={file}")
        await right.delivery.work()
    assert len(inbox.mails) == 1


# -- what goes wrong ----------------------------------------------------------------------------


async def test_a_server_that_was_down_gets_the_mail_later(
    store: Store, clock: FakeClock, inbox: Inbox
) -> None:
    port = free_port()
    desk = Desk(store, clock, f"smtp://127.0.0.1:{port}")
    await desk.write()
    for attempt in range(1, 6):
        await desk.delivery.work()
        [waiting] = await desk.stored()
        assert (waiting["status"], waiting["attempts"]) == ("waiting", attempt)
        pause = waiting["dueAt"] - clock.now
        assert 0.75 <= pause / (15_000 * 2 ** (attempt - 1)) <= 1.25
        clock.now = waiting["dueAt"] + 120_000  # past the rest that the server is given, too
    with smtp_server(inbox, port=port):
        await desk.delivery.work()
    assert len(inbox.mails) == 1
    assert (await desk.stored())[0]["status"] == "sent"


async def test_a_server_that_is_down_is_left_alone_for_a_while(
    store: Store, clock: FakeClock, inbox: Inbox
) -> None:
    desk = Desk(store, clock, f"smtp://127.0.0.1:{free_port()}")
    for number in range(30):
        await desk.write(f"u{number}@example.com")
    await desk.delivery.work()
    tried = [mail for mail in await desk.stored() if mail["attempts"]]
    assert 1 <= len(tried) <= 4
    await desk.delivery.work()
    assert len([mail for mail in await desk.stored() if mail["attempts"]]) == len(tried)


async def test_a_permanent_refusal_is_not_tried_again(desk: Desk, inbox: Inbox) -> None:
    inbox.answers["gone@example.com"] = (
        f"550 5.1.1 <gone@example.com> unknown, see https://x.example/?t={TOKEN} {TOKEN}"
    )
    await desk.write("gone@example.com")
    await desk.write("ada@example.com")
    await desk.delivery.work()
    desk.clock.advance(86_400)
    await desk.delivery.work()
    assert [mail.recipients for mail in inbox.mails] == [["ada@example.com"]]
    failed = next(mail for mail in await desk.stored() if mail["status"] == "failed")
    assert failed["attempts"] == 1
    assert failed["reason"].startswith("550 5.1.1")
    assert TOKEN not in str(failed)
    assert "html" not in failed


async def test_a_temporary_refusal_is_tried_again(desk: Desk, inbox: Inbox) -> None:
    inbox.answers["grey@example.com"] = "451 4.7.1 Greylisted"
    await desk.write("grey@example.com")
    await desk.write("ada@example.com")
    await desk.delivery.work()
    assert [mail.recipients for mail in inbox.mails] == [["ada@example.com"]]
    inbox.answers.clear()
    desk.clock.advance(30)
    await desk.delivery.work()
    assert inbox.mails[-1].recipients == ["grey@example.com"]


async def test_a_mail_is_given_up_when_its_link_has_expired(
    store: Store, clock: FakeClock, inbox: Inbox
) -> None:
    port = free_port()
    desk = Desk(store, clock, f"smtp://127.0.0.1:{port}")
    await desk.write(category="magic_link", values={"magicLink": "https://x.example/?t=1"})
    await desk.delivery.work()
    clock.advance(15 * 60)
    with smtp_server(inbox, port=port):
        await desk.delivery.work()
    assert not inbox.mails
    [failed] = await desk.stored()
    assert failed["status"] == "failed"
    assert "html" not in failed


async def test_a_mail_is_given_up_after_a_day(store: Store, clock: FakeClock) -> None:
    desk = Desk(store, clock, f"smtp://127.0.0.1:{free_port()}")
    started = clock.now
    await desk.write()
    while (await desk.stored())[0]["status"] == "waiting":
        await desk.delivery.work()
        clock.advance(600)
    assert 22 * 3_600_000 <= clock.now - started <= 25 * 3_600_000
    assert (await desk.stored())[0]["attempts"] > 20


async def test_two_processes_send_each_mail_once(desk: Desk, inbox: Inbox) -> None:
    for number in range(40):
        await desk.write(f"u{number}@example.com")
    processes = [desk, desk.another_process(), desk.another_process()]
    await asyncio.gather(*(process.delivery.work() for process in processes))
    for process in processes:
        await process.delivery.work()
    arrived = [mail.recipients[0] for mail in inbox.mails]
    assert sorted(arrived) == sorted(f"u{number}@example.com" for number in range(40))


async def test_a_claim_of_a_dead_process_runs_out(desk: Desk, inbox: Inbox) -> None:
    await desk.write()
    [mail] = await desk.outbox.due(1)
    assert await desk.outbox.claim(mail) is not None
    assert await desk.another_process().outbox.claim(mail) is None
    other = desk.another_process()
    await other.delivery.work()
    assert not inbox.mails
    desk.clock.advance(CLAIM_MS / 1000)
    await other.delivery.work()
    assert len(inbox.mails) == 1


async def test_a_mail_exists_only_with_what_it_is_about(desk: Desk, inbox: Inbox) -> None:
    mail = await desk.mail.compose("password_reset", "ada@example.com", RESET)
    assert isinstance(mail, Insert)
    with pytest.raises(Duplicate):
        await desk.store.commit([mail, mail])
    await desk.delivery.work()
    assert not inbox.mails
    assert await desk.stored() == []


# -- the worker ---------------------------------------------------------------------------------


async def _nothing() -> None:
    pass


async def _arrived(inbox: Inbox, count: int) -> None:
    async with asyncio.timeout(10):
        while len(inbox.mails) < count:
            await asyncio.sleep(0.01)


async def test_the_worker_wakes_at_once(desk: Desk, inbox: Inbox) -> None:
    desk.delivery.start(_nothing)
    await asyncio.sleep(0.05)
    await desk.write()
    desk.mail.send_soon()
    await _arrived(inbox, 1)
    await desk.write("eve@example.com")  # the commit alone wakes it, too
    await _arrived(inbox, 2)
    await desk.delivery.stop()


async def test_composing_and_waking_does_not_wait_for_a_server_that_hangs(
    store: Store, clock: FakeClock
) -> None:
    held: list[asyncio.StreamWriter] = []
    hanging = await asyncio.start_server(lambda reader, writer: held.append(writer), "127.0.0.1")
    port = hanging.sockets[0].getsockname()[1]
    desk = Desk(store, clock, f"smtp://127.0.0.1:{port}?timeout=1")
    desk.delivery.start(_nothing)
    async with asyncio.timeout(0.9):
        for number in range(5):
            await desk.write(f"u{number}@example.com")
            desk.mail.send_soon()
    await desk.delivery.stop()
    hanging.close()
    for writer in held:
        writer.close()
        await writer.wait_closed()


async def test_stopping_finishes_what_is_being_sent(desk: Desk, inbox: Inbox) -> None:
    for number in range(10):
        await desk.write(f"u{number}@example.com")
    desk.delivery.start(_nothing)
    await _arrived(inbox, 1)
    await desk.delivery.stop()
    statuses = [mail["status"] for mail in await desk.stored()]
    assert "sending" not in statuses
    assert statuses.count("sent") == len(inbox.mails)


async def test_the_log_tells_of_mails_without_their_content(desk: Desk, inbox: Inbox) -> None:
    inbox.answers["gone@example.com"] = f"550 refused https://x.example/?token={TOKEN}"
    await desk.write()
    await desk.write("gone@example.com")
    with structlog.testing.capture_logs() as logs:
        await desk.delivery.work()
    told = str(logs)
    assert {"mail sent", "mail refused"} <= {entry["event"] for entry in logs}
    assert not re.search(f"{TOKEN}|app.example.com|@example.com|Ada", told)
    assert SECRET not in told


def test_messages_keep_to_the_line_ends_of_smtp() -> None:
    from bkend.mail.message import build_message

    mail = {"id": "1", "to": "ä@bücher.example", "subject": "S", "text": "t\n", "html": "h"}
    message = build_message(mail, 0, "h.example")
    assert message["To"].addresses[0].domain == "xn--bcher-kva.example"
    assert b"\n" not in message.as_bytes(policy=policy.SMTPUTF8).replace(b"\r\n", b"")
