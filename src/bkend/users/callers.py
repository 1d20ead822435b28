"""Who calls `/v1/users` (11 §1): a user, or a secret key, which stands for an admin."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Depends, Request

from bkend.errors import ScopeInsufficient
from bkend.http.dependencies import WITH_KEY, WITH_USER, exchange_of, services_of
from bkend.http.gate import identify
from bkend.http.openapi import describes
from bkend.users.actor import Actor
from bkend.users.errors import UserForbidden, UserUnauthorized
from bkend.users.service import Users

_Operation: TypeAlias = Literal["create", "read", "update", "delete", "list"]


async def current_users(request: Request) -> Users:
    """The users of the key's environment."""
    return services_of(request).users


CurrentUsers = Annotated[Users, Depends(current_users)]


def acting(operation: _Operation) -> Callable[..., Coroutine[Any, Any, Actor]]:
    """The caller. A secret key with scopes is an admin only where they say `users:{operation}`: a
    key made for reading must not write by this door.

    Raises UserUnauthorized, ScopeInsufficient, TokenExpired, InvalidToken.
    """

    @describes(UserUnauthorized, ScopeInsufficient, security=(*WITH_KEY, *WITH_USER))
    async def actor(request: Request) -> Actor:
        exchange = exchange_of(request)
        assert exchange.environment is not None
        assert exchange.key is not None
        has_rights = exchange.key.is_secret and exchange.key.allows("users", operation)
        identity = await identify(exchange, exchange.environment)
        if identity is not None:
            noting = exchange.environment.services.auth.note_activity(identity)
            if noting is not None:
                await noting
            return Actor(identity.user_id, has_rights or identity.role == "admin")
        if not exchange.key.is_secret:
            raise UserUnauthorized
        if not has_rights:
            raise ScopeInsufficient(f"users:{operation}")
        return Actor("", is_admin=True)

    return actor


_listing = acting("list")


@describes(UserUnauthorized, UserForbidden, ScopeInsufficient, security=(*WITH_KEY, *WITH_USER))
async def _lists(request: Request) -> Actor:
    actor = await _listing(request)
    await services_of(request).users.require_listing(actor)
    return actor


Lists: TypeAlias = Annotated[Actor, Depends(_lists)]
Creates: TypeAlias = Annotated[Actor, Depends(acting("create"))]
Reads: TypeAlias = Annotated[Actor, Depends(acting("read"))]
Updates: TypeAlias = Annotated[Actor, Depends(acting("update"))]
Deletes: TypeAlias = Annotated[Actor, Depends(acting("delete"))]
