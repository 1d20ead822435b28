"""The users of one environment: listed, made, changed, removed (11 §2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import EmailAlreadyExists
from bkend.auth.identity import Identity
from bkend.auth.parts import AuthParts
from bkend.auth.users import email_account, new_user, stored_user
from bkend.errors import InvalidParameters, InvalidToken
from bkend.files.signing import FileSigner
from bkend.ids import uuid4
from bkend.objects.interface import Objects
from bkend.objects.removals import Removals
from bkend.store import (
    Condition,
    Duplicate,
    Equals,
    Find,
    Insert,
    OneOf,
    Operation,
    Sort,
)
from bkend.users import shapes
from bkend.users.actor import Actor
from bkend.users.avatars import Avatars
from bkend.users.devices import Devices
from bkend.users.errors import InvalidRole, UserForbidden, UserNotFound
from bkend.users.listing import Provider, UserQuery
from bkend.users.personal import PersonalSettings
from bkend.users.profiles import Profiles
from bkend.users.records import Revision, UserRecords
from bkend.users.removal import Removal

BUILT_IN_ROLES = frozenset({"admin", "user", "guest"})
_MOST_ACCOUNTS = 20
_MOST_BY_PROVIDER = 10_000


class Users:
    """The user service; what users keep about themselves is in the parts of the same name."""

    def __init__(self, parts: AuthParts, objects: Objects, signer: FileSigner) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._sessions = parts.sessions
        self._settings = parts.settings
        name = parts.environment.name
        self._removals = Removals(parts.store, objects, parts.clock)
        self.records = UserRecords(parts.store, parts.clock)
        self.avatars = Avatars(parts.environment, self.records, objects, self._removals, signer)
        self.profiles = Profiles(self.records, self.avatars)
        self.devices = Devices(parts.store, parts.sessions, parts.clock)
        self.personal = PersonalSettings(self.records, parts.clock)
        self._removal = Removal(
            parts.store, self.records, self._removals, parts.settings, name, parts.clock
        )

    # -- reading ----------------------------------------------------------------------------

    async def require_listing(self, actor: Actor) -> None:
        """Raises UserForbidden when only admins may list (`userListing`)."""
        if not actor.is_admin and (await self._settings.current()).user_listing == "admin":
            raise UserForbidden

    async def page(
        self, actor: Actor, query: UserQuery, *also: Condition
    ) -> tuple[Sequence[shapes.User | shapes.PublicUser], int]:
        """A page as the actor may see it, and the total; raises UserForbidden."""
        query.check(actor)
        if query.provider is not None:
            also = (*also, await self._have(query.provider))
        found = await self._store.find(query.find(actor, *also))
        documents = orjson.loads(found.items)
        if not actor.is_admin:
            return [self.shown(actor, one) for one in documents], found.total
        users = [shapes.user(one) for one in documents]
        if query.include_accounts and users:
            accounts = await self._accounts(tuple(one["id"] for one in users))
            users = [shapes.with_accounts(one, accounts) for one in users]
        return users, found.total

    def shown(self, actor: Actor, document: Mapping[str, Any]) -> shapes.User | shapes.PublicUser:
        """A user as the actor may see it."""
        if actor.sees_all_of(document["id"]):
            return shapes.user(document)
        return shapes.public_user(document)

    def profile(
        self, actor: Actor, document: Mapping[str, Any]
    ) -> shapes.Profile | shapes.PublicProfile:
        """The profile as the actor may see it; raises UserForbidden."""
        if actor.sees_all_of(document["id"]):
            return shapes.profile(document)
        if not document.get("isPublic"):
            raise UserForbidden
        return shapes.public_profile(document)

    async def accounts(self, user_id: str) -> list[shapes.Account]:
        """The user's ways to sign in."""
        return await self._accounts((user_id,))

    async def _accounts(self, user_ids: tuple[str, ...]) -> list[shapes.Account]:
        page = await self._store.find(
            Find(
                ACCOUNTS,
                OneOf(("userId",), user_ids),
                sort=(Sort(("connectedAt",)),),
                limit=len(user_ids) * _MOST_ACCOUNTS,
            )
        )
        return [shapes.account(one) for one in orjson.loads(page.items)]

    async def _have(self, provider: Provider) -> Condition:
        """That a user can sign in this way; raises InvalidParameters when too many can."""
        page = await self._store.find(
            Find(ACCOUNTS, Equals(("provider",), provider), limit=_MOST_BY_PROVIDER)
        )
        if page.total > _MOST_BY_PROVIDER:
            message = f"More than {_MOST_BY_PROVIDER} users sign in with {provider}; search instead"
            raise InvalidParameters(message)
        return OneOf(("id",), tuple(one["userId"] for one in orjson.loads(page.items)))

    # -- making and changing ----------------------------------------------------------------

    async def create(
        self, name: str, email: str, role: str, custom_roles: Collection[str]
    ) -> dict[str, Any]:
        """A user without a password; no session, no mail. Raises InvalidEmail, InvalidRole,
        EmailAlreadyExists."""
        address = normalise_email(email)
        _require_role(role, custom_roles)
        now, id = self._clock.now_ms(), uuid4()
        fields = new_user(address, name, now, role=role)
        made: list[Operation] = [
            Insert(USERS, id, fields, now, now),
            email_account(id, address, now),
        ]
        try:
            await self._store.commit(made)
        except Duplicate:
            raise EmailAlreadyExists from None
        return stored_user(id, fields, now)

    async def update(self, document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        """Set `name` and `status`; a ban ends the user's sessions in the same commit."""
        if changes.get("status") == "banned":
            return await self.records.write(
                document, changes, self._sessions.end_all(document["id"])
            )
        return await self.records.write(document, changes)

    async def set_role(
        self, document: dict[str, Any], role: str, custom_roles: Collection[str]
    ) -> dict[str, Any]:
        """Acts on the user's next request; raises InvalidRole."""
        _require_role(role, custom_roles)
        return await self.records.write(document, {"role": role})

    async def claim(self, document: dict[str, Any], email: str) -> dict[str, Any]:
        """Give a user without an address one. Raises InvalidEmail, InvalidParameters (it has one),
        EmailAlreadyExists."""
        address = normalise_email(email)
        account = email_account(document["id"], address, self._clock.now_ms())

        def plan(current: dict[str, Any]) -> Revision:
            if current.get("email") is not None:
                raise InvalidParameters("The user has an address already")
            return Revision({"email": address, "emailKey": address}, ("email",), [account])

        try:
            return await self.records.revise(document, plan)
        except Duplicate:
            raise EmailAlreadyExists from None

    # -- removing ---------------------------------------------------------------------------

    async def remove(self, document: dict[str, Any]) -> None:
        """Take the user out; raises UserNotFound when somebody else was faster."""
        await self._removal.remove(document)

    async def withdraw(self, identity: Identity) -> None:
        """Take the caller out; raises InvalidToken when it is gone already."""
        try:
            await self._removal.remove(await self.records.get(identity.user_id))
        except UserNotFound:
            raise InvalidToken from None

    async def sweep(self) -> None:
        """Purge users past their retention, and objects whose removal was interrupted."""
        await self._removal.purge()
        await self._removals.sweep()


def _require_role(role: str, custom_roles: Collection[str]) -> None:
    if role not in BUILT_IN_ROLES and role not in custom_roles:
        raise InvalidRole
