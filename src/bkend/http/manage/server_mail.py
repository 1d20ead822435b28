"""`/manage/v1/system/outbox`: mails of the server itself that were not sent, for server admins
(51 §8)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.core import Core
from bkend.errors import Forbidden, NotFound
from bkend.http.dependencies import REFUSALS
from bkend.http.manage.admission import CurrentCore, CurrentSession
from bkend.http.manage.bodies import Page, answer
from bkend.http.manage.shapes.common import Cleared, ListOf
from bkend.http.manage.shapes.mail import OutboxMail
from bkend.http.openapi import Route, answers
from bkend.mail.outbox import Outbox
from bkend.tenants.service import SignedIn

router = APIRouter(
    prefix="/manage/v1/system/outbox", tags=["system"], responses=REFUSALS, route_class=Route
)


@router.get("", responses=answers(200, ListOf[OutboxMail], Forbidden, NotFound))
async def list_mails(core: CurrentCore, found: CurrentSession, page: Page) -> Response:
    """Captured mails, newest first; 404 when mails are delivered."""
    mails, total = await _outbox(core, found).readable(page.offset, page.limit)
    return answer(page.shape(mails, total))


@router.get("/{id}", responses=answers(200, OutboxMail, Forbidden))
async def get_mail(id: str, core: CurrentCore, found: CurrentSession) -> Response:
    """One captured mail."""
    mail = await _outbox(core, found).get(id)
    if mail is None:
        raise NotFound(f"There is no captured mail {id[:64]!r}")
    return answer(mail)


@router.delete("", responses=answers(200, Cleared, Forbidden, NotFound))
async def clear_mails(core: CurrentCore, found: CurrentSession) -> Response:
    """Forget the captured mails."""
    count = await _outbox(core, found).clear()
    return answer({"deleted": True, "id": "outbox", "count": count})


def _outbox(core: Core, found: SignedIn) -> Outbox:
    """Its links sign people in: only who looks after the server may read them."""
    if not found.account["isServerAdmin"]:
        raise Forbidden("tenant", "the server's own mails: that is for server admins")
    if not core.tenants.mail.captures:
        raise NotFound("Mails are delivered by SMTP; there is no outbox to read")
    return core.tenants.mail.outbox
