"""The accounts that a user signs in with: link, list, unlink, check (10 §11)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.auth.buckets import Limit
from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail, TooManyRequests
from bkend.auth.identity import Identity
from bkend.auth.parts import AuthParts
from bkend.auth.social.configuration import require_name
from bkend.auth.social.errors import (
    AccountAlreadyLinked,
    AccountNotFound,
    LastAuthMethod,
    UnsupportedProvider,
)
from bkend.auth.social.identities import ProviderIdentity, is_subject
from bkend.auth.social.providers import Providers
from bkend.auth.social.shapes import Account, AccountCheck, AccountList, account
from bkend.errors import InvalidToken, Unauthorized
from bkend.ids import uuid4
from bkend.store import (
    Check,
    Condition,
    Conflict,
    Delete,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Not,
    Operation,
    Sort,
    all_of,
)
from bkend.store.documents import decode, format_time

CHECKS = Limit("account-check", 60, 60_000, TooManyRequests)


class LinkedAccounts:
    """The accounts of one environment's users."""

    def __init__(self, parts: AuthParts, providers: Providers) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._buckets = parts.buckets
        self._settings = parts.settings
        self._providers = providers

    async def link(self, identity: Identity, found: ProviderIdentity) -> Account:
        """Let the caller sign in as the provider's identity from now on, whatever its address.

        Raises AccountAlreadyLinked; InvalidToken if the caller was banned or left meanwhile.
        """
        now = self._clock.now_ms()
        made = oauth_account(identity.user_id, found, now)
        is_user = all_of(
            Equals(("id",), identity.user_id),
            Not(Equals(("status",), "banned")),
            Equals(("deletedAt",), None),
        )
        try:
            results = await self._store.commit([Check(USERS, is_user, at_least=1), made])
        except Duplicate:
            raise AccountAlreadyLinked from None
        except Conflict:
            raise InvalidToken from None
        body = results[1]
        assert isinstance(body, bytes)
        return account(decode(body))

    async def list(self, identity: Identity, page: int, limit: int) -> AccountList:
        """The caller's accounts, the oldest first."""
        query = Find(
            ACCOUNTS,
            Equals(("userId",), identity.user_id),
            sort=(Sort(("connectedAt",)),),
            offset=(page - 1) * limit,
            limit=limit,
        )
        found = await self._store.find(query)
        pages = -(-found.total // limit)
        return {
            "items": [account(document) for document in orjson.loads(found.items)],
            "pagination": {
                "total": found.total,
                "page": page,
                "limit": limit,
                "totalPages": pages,
                "hasNext": page < pages,
                "hasPrev": page > 1,
                "hasNextPage": page < pages,
                "hasPrevPage": page > 1,
            },
        }

    async def unlink(self, identity: Identity, provider: str) -> None:
        """Take the provider's account from the caller; sessions stay.

        Raises UnsupportedProvider, AccountNotFound, LastAuthMethod.
        """
        require_name(provider)
        while True:
            where = all_of(Equals(("userId",), identity.user_id), Equals(("provider",), provider))
            held = await self._first(where)
            if held is None:
                await self._providers.find(provider)
                raise AccountNotFound
            has_password, others = await self._other_methods(identity.user_id, held["id"])
            if not has_password and not others:
                raise LastAuthMethod
            try:
                await self._store.commit(
                    [
                        _other_way_in(identity.user_id, has_password),
                        Delete(ACCOUNTS, held["id"], guard=where),
                    ]
                )
                return
            except (Conflict, Missing):
                continue  # somebody else unlinked meanwhile: look again

    async def check(
        self, type: str, provider: str, account_id: str, *, address: str, is_secret: bool
    ) -> AccountCheck:
        """Whether somebody signs in with that account; deleted users do not count.

        `address` is the client's, `is_secret` whether it holds a secret key. Raises
        Unauthorized, UnsupportedProvider, TooManyRequests.
        """
        settings = await self._settings.current()
        if not settings.public_account_check and not is_secret:
            raise Unauthorized("Only a secret key may ask whether an account exists here")
        if settings.rate_limits_enabled:
            await self._buckets.take(CHECKS, address)
        if (type == "credentials") != (provider == "email"):
            raise UnsupportedProvider
        if type == "oauth":
            await self._providers.find(provider)
            if not is_subject(account_id):
                return {"exists": False}
        else:
            try:
                account_id = normalise_email(account_id)
            except InvalidEmail:
                return {"exists": False}
        held = await self._first(
            all_of(Equals(("provider",), provider), Equals(("providerAccountId",), account_id))
        )
        if held is None or not await self._is_there(held["userId"]):
            return {"exists": False}
        return {"exists": True, "type": type, "provider": provider}

    # -- parts ------------------------------------------------------------------------------

    async def _other_methods(self, user_id: str, id: str) -> tuple[bool, int]:
        """Whether the user has a password, and the number of accounts besides this one."""
        body = await self._store.get(USERS, user_id)
        has_password = bool(body and decode(body).get("passwordHash"))
        others = all_of(Equals(("userId",), user_id), Not(Equals(("id",), id)))
        return has_password, await self._store.count(ACCOUNTS, others)

    async def _is_there(self, user_id: str) -> bool:
        body = await self._store.get(USERS, user_id)
        return body is not None and not decode(body).get("deletedAt")

    async def _first(self, where: Condition) -> dict[str, Any] | None:
        found = await self._store.find(Find(ACCOUNTS, where, limit=1))
        accounts: list[dict[str, Any]] = orjson.loads(found.items)
        return accounts[0] if accounts else None


def oauth_account(user_id: str, identity: ProviderIdentity, now: int) -> Insert:
    """The operation that makes the account of an identity."""
    fields = {
        "userId": user_id,
        "type": "oauth",
        "provider": identity.provider,
        "providerAccountId": identity.subject,
        "issuer": identity.issuer,
        "email": identity.email,
        "connectedAt": format_time(now),
    }
    return Insert(ACCOUNTS, uuid4(), fields, now, now, user_id)


def _other_way_in(user_id: str, has_password: bool) -> Operation:
    """Holds, in the commit that removes an account, the user's other way to sign in."""
    if has_password:
        is_user = Equals(("id",), user_id)
        return Check(USERS, all_of(is_user, Not(Equals(("passwordHash",), None))), at_least=1)
    return Check(ACCOUNTS, Equals(("userId",), user_id), at_least=2)
