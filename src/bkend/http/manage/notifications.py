"""`/manage/v1/notifications`: what the console's bell shows (50 §1, 51 §8)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.http.dependencies import REFUSALS
from bkend.http.manage.admission import CurrentCore, CurrentSession
from bkend.http.manage.bodies import Page, answer
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.accounts import NotificationList, Read
from bkend.http.openapi import answers

router = APIRouter(
    prefix="/manage/v1/notifications", tags=["account"], responses=REFUSALS, route_class=Route
)


@router.get("", responses=answers(200, NotificationList))
async def list_notifications(core: CurrentCore, found: CurrentSession, page: Page) -> Response:
    """Invitations to one, and who has joined; the newest first."""
    items = await core.tenants.notifications.of(found.account)
    shown = page.shape(items[page.offset : page.offset + page.limit], len(items))
    return answer(shown | {"unreadCount": sum(not one["isRead"] for one in items)})


@router.post("/read", responses=answers(200, Read))
async def mark_read(core: CurrentCore, found: CurrentSession) -> Response:
    """All that is there counts as read."""
    await core.tenants.notifications.mark_read(found.account["id"])
    return answer({"read": True})
