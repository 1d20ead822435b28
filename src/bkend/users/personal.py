"""Preferences, notifications, onboarding, public settings (11 §5 to §8)."""

from __future__ import annotations

from typing import Any

from bkend.clock import Clock
from bkend.store import Duplicate
from bkend.store.documents import format_time
from bkend.users.errors import SlugAlreadyExists
from bkend.users.records import Revision, UserRecords
from bkend.users.shapes import notification_field


class PersonalSettings:
    """The settings of users of one environment. Each call writes the given fields alone and
    returns the user; UserNotFound when it is gone."""

    def __init__(self, records: UserRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def set_preferences(
        self, document: dict[str, Any], changes: dict[str, Any]
    ) -> dict[str, Any]:
        """`locale`, `timezone`, `theme`."""
        return await self._records.write(document, changes)

    async def set_notifications(
        self, document: dict[str, Any], changes: dict[str, bool]
    ) -> dict[str, Any]:
        """Of the seven switches, some."""
        fields = {notification_field(name): value for name, value in changes.items()}
        return await self._records.write(document, fields)

    async def set_onboarding(
        self, document: dict[str, Any], status: str | None, steps: list[str] | None
    ) -> dict[str, Any]:
        """Status, steps or both; None leaves them. The first change to `completed` is timed."""

        def plan(current: dict[str, Any]) -> Revision:
            fields: dict[str, Any] = {} if steps is None else {"onboardingSteps": steps}
            if status is None:
                return Revision(fields)
            fields["onboardingStatus"] = status
            if status != "completed":
                fields["onboardingCompletedAt"] = None
            elif current.get("onboardingStatus") != "completed":
                fields["onboardingCompletedAt"] = format_time(self._clock.now_ms())
            return Revision(fields, ("onboardingStatus",))

        return await self._records.revise(document, plan)

    async def set_public_settings(
        self, document: dict[str, Any], changes: dict[str, Any]
    ) -> dict[str, Any]:
        """`slug`, `isPublic`; raises SlugAlreadyExists."""
        try:
            return await self._records.write(document, changes)
        except Duplicate:
            raise SlugAlreadyExists from None
