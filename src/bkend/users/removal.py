"""Taking a user out: by withdrawal, by deletion, by an admin (10 §12, 11 §2).

Each part of the product that keeps something of a user names its collection in `OWNED`.
"""

from __future__ import annotations

from typing import Any

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.auth.links.collections import MEMBERSHIPS, TOKENS
from bkend.auth.mfa.collections import MFA
from bkend.auth.settings import StoredSettings
from bkend.clock import Clock
from bkend.objects.removals import Removals
from bkend.store import Compare, DeleteWhere, Equals, Operation, Store
from bkend.store.documents import format_time
from bkend.users.avatar_keys import avatar_folder
from bkend.users.records import Revision, UserRecords

OWNED: tuple[tuple[str, str], ...] = (
    (SESSIONS, "userId"),
    (ACCOUNTS, "userId"),
    (MFA, "id"),
    (TOKENS, "userId"),
    (MEMBERSHIPS, "userId"),
)
"""Collections whose documents belong to a user, and the field that holds the user's id: they go in
the commit that takes the user out."""

_RELEASED: dict[str, Any] = {"slug": None, "isPublic": False, "image": None, "mfaEnabled": False}
_FORGOTTEN = ("emailKey", "passwordHash", "passwordChangedAt", "avatarKey")
_DAY_MS = 24 * 60 * 60 * 1000


class Removal:
    """Removes users of one environment, at once and in the end for good."""

    def __init__(
        self,
        store: Store,
        records: UserRecords,
        removals: Removals,
        settings: StoredSettings,
        environment: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = records
        self._removals = removals
        self._settings = settings
        self._environment = environment
        self._clock = clock

    async def remove(self, document: dict[str, Any]) -> None:
        """End the user's sessions and ways to sign in, free address and slug, keep the row marked
        as deleted: one commit. Raises UserNotFound when somebody else was faster."""
        id = document["id"]
        pictures = self._removals.of(avatar_folder(self._environment, id))
        owned: list[Operation] = [
            DeleteWhere(collection, Equals((name,), id)) for collection, name in OWNED
        ]

        def mark(_: dict[str, Any]) -> Revision:
            deleted = {**_RELEASED, "deletedAt": format_time(self._clock.now_ms())}
            return Revision(deleted, operations=[*owned, pictures], unset=_FORGOTTEN)

        await self._records.revise(document, mark)
        await self._removals.carry_out([pictures])

    async def purge(self) -> None:
        """Remove the rows of users deleted longer ago than `deletedUserRetentionDays`."""
        settings = await self._settings.current()
        kept_since = self._clock.now_ms() - settings.deleted_user_retention_days * _DAY_MS
        over = Compare(("deletedAt",), "lte", format_time(kept_since))
        await self._store.commit([DeleteWhere(USERS, over)])
