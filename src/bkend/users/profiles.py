"""The profile: what users say about themselves (11 §3)."""

from __future__ import annotations

from typing import Any

from bkend.users.avatars import Avatars
from bkend.users.records import Revision, UserRecords

_LINKS = "socialLinks"


class Profiles:
    """The profiles of one environment."""

    def __init__(self, records: UserRecords, avatars: Avatars) -> None:
        self._records = records
        self._avatars = avatars

    async def update(
        self, document: dict[str, Any], changes: dict[str, Any], base: str
    ) -> dict[str, Any]:
        """Set the given fields; `socialLinks` are merged per key, None removes one. `base` as in
        `Avatars`.

        Raises InvalidParameters (an image that is neither an address nor a key of the user's),
        UserNotFound.
        """
        fields = {name: value for name, value in changes.items() if name != "image"}

        def plan(current: dict[str, Any]) -> Revision:
            if _LINKS not in fields:
                return Revision(fields)
            merged = _merged(current.get(_LINKS), fields[_LINKS])
            return Revision({**fields, _LINKS: merged}, (_LINKS,))

        if "image" not in changes:
            return await self._records.revise(document, plan)
        picture = await self._avatars.resolve(document, changes["image"], base)
        return await self._avatars.change(document, picture, plan)


def _merged(
    held: dict[str, str] | None, links: dict[str, str | None] | None
) -> dict[str, str] | None:
    if links is None:
        return None
    merged = {**(held or {}), **links}
    return {name: address for name, address in merged.items() if address is not None} or None
