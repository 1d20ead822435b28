"""Memberships of the app's own organizations, and acting for one of them (10 §10, §12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from bkend.auth.identity import Identity
from bkend.auth.links.collections import MEMBERSHIPS
from bkend.auth.links.errors import NotAllowed
from bkend.auth.parts import AuthParts
from bkend.auth.shapes import TokenPair
from bkend.ids import uuid4
from bkend.store import Equals, Find, Insert, Operation, Store, Update, all_of


class Organizations:
    """The memberships of one environment's users."""

    def __init__(self, parts: AuthParts) -> None:
        self._parts = parts

    async def switch(self, identity: Identity, organization_id: str) -> TokenPair:
        """The session's next token pair, with the claim `org` from now on.

        Raises NotAllowed unless the caller is a member, whether or not there is such an
        organization; TooManyRequests, and InvalidToken for a session that has just ended.
        """
        if not await _memberships(self._parts.store, identity.user_id, organization_id):
            raise NotAllowed
        settings = await self._parts.settings.current()
        return await self._parts.sessions.switch(identity, organization_id, settings)


async def membership(
    store: Store, user_id: str, accepted: Mapping[str, Any], now: int
) -> list[Operation]:
    """The operations that make the user a member, or change what they are. `now` in ms."""
    organization_id, role = accepted["resourceId"], accepted["resourceRole"]
    held = await _memberships(store, user_id, organization_id)
    if held:
        return [Update(MEMBERSHIPS, held[0]["id"], set={"role": role}, updated_at=now)]
    fields = {
        "userId": user_id,
        "organizationId": organization_id,
        "organizationName": accepted["resourceName"],
        "role": role,
        "invitationId": accepted["id"],
    }
    return [Insert(MEMBERSHIPS, uuid4(), fields, now, now, user_id)]


async def _memberships(store: Store, user_id: str, organization_id: str) -> list[dict[str, Any]]:
    theirs = all_of(Equals(("userId",), user_id), Equals(("organizationId",), organization_id))
    found: list[dict[str, Any]] = orjson.loads(
        (await store.find(Find(MEMBERSHIPS, theirs, limit=1))).items
    )
    return found
