"""Lists of activity (51 §3.11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import Response

from bkend.core import Core
from bkend.errors import InvalidParameters
from bkend.http.manage.bodies import Paging, answer
from bkend.http.manage.lists import Lowered
from bkend.manage.activities import ActivityQuery
from bkend.manage.listing import LONGEST_SEARCH
from bkend.store.documents import format_time, parse_time


class ActivityParameters:
    """`entityType, action, actorId, projectId, from, to, search`; all of them narrow the list."""

    def __init__(
        self,
        entityType: Lowered = None,
        action: Lowered = None,
        actorId: str | None = None,
        projectId: str | None = None,
        since: Annotated[str | None, Query(alias="from")] = None,
        until: Annotated[str | None, Query(alias="to")] = None,
        search: str = "",
    ) -> None:
        self.entity_type = entityType
        self.action = action
        self.actor_id = actorId or None
        self.project_id = projectId or None
        self.since = _time("from", since)
        self.until = _time("to", until)
        self.search = search.strip()
        if len(self.search) > LONGEST_SEARCH:
            raise InvalidParameters(f"search has at most {LONGEST_SEARCH} characters")


Wanted = Annotated[ActivityParameters, Depends()]


async def list_activities(
    core: Core,
    organization_id: str,
    wanted: ActivityParameters,
    page: Paging,
    project_id: str | None = None,
) -> Response:
    """A page of what happened in an organization, or in one of its projects."""
    query = ActivityQuery(
        organization_id,
        project_id or wanted.project_id,
        wanted.entity_type,
        wanted.action,
        wanted.actor_id,
        wanted.since,
        wanted.until,
        wanted.search,
        page.offset,
        page.limit,
    )
    items, total = await core.activities.page(query)
    return answer(page.shape(items, total))


def _time(field: str, text: str | None) -> str | None:
    if not text:
        return None
    try:
        return format_time(parse_time(text.replace(" ", "+")))
    except (ValueError, OverflowError):
        message = f"{field} is a time such as 2026-01-31T00:00:00Z"
        raise InvalidParameters(
            message, details=[{"field": field, "rule": "format", "message": message}]
        ) from None
