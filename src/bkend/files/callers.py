"""Who calls `/v1/files` (30 §1): a user, or a secret key, which stands for an admin."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Depends, Request

from bkend.errors import AuthenticationRequired, ProjectAccessDenied, ScopeInsufficient
from bkend.files.actor import FileActor
from bkend.files.service import Files
from bkend.http.base import raw_url
from bkend.http.dependencies import WITH_KEY, WITH_USER, exchange_of, services_of
from bkend.http.gate import identify
from bkend.http.openapi import describes

_Operation: TypeAlias = Literal["create", "read", "update", "delete", "list"]
_READING = ("read", "list")


async def current_files(request: Request) -> Files:
    """The files of the key's environment."""
    return services_of(request).files


async def current_raw(request: Request) -> str:
    """The base of the addresses of bytes."""
    return raw_url(request)


CurrentFiles = Annotated[Files, Depends(current_files)]
RawUrl = Annotated[str, Depends(current_raw)]


def acting(operation: _Operation) -> Callable[..., Coroutine[Any, Any, FileActor]]:
    """The caller, whose key has the scope; a key made for reading must not write by this door.

    Raises AuthenticationRequired, ScopeInsufficient, ProjectAccessDenied, TokenExpired,
    InvalidToken.
    """

    @describes(
        AuthenticationRequired,
        ScopeInsufficient,
        ProjectAccessDenied,
        security=(*WITH_KEY, *WITH_USER),
    )
    async def actor(request: Request) -> FileActor:
        exchange = exchange_of(request)
        key, environment = exchange.key, exchange.environment
        assert environment is not None
        assert key is not None
        identity = await identify(exchange, environment, ProjectAccessDenied)
        is_guest = identity is None and not key.is_secret
        reads_public = operation in _READING and environment.state.project.guest_public_read
        if is_guest and not reads_public:
            raise AuthenticationRequired
        if not key.allows("files", operation):
            raise ScopeInsufficient(f"files:{operation}")
        if identity is not None:
            noting = environment.services.auth.note_activity(identity)
            if noting is not None:
                await noting
            is_admin = key.is_secret or identity.role == "admin"
            return FileActor(identity.user_id, "user", is_admin)
        if is_guest:
            return FileActor("", "public", is_admin=False)
        return FileActor(key.id, "service", is_admin=True)

    return actor


Creates: TypeAlias = Annotated[FileActor, Depends(acting("create"))]
Reads: TypeAlias = Annotated[FileActor, Depends(acting("read"))]
Lists: TypeAlias = Annotated[FileActor, Depends(acting("list"))]
Updates: TypeAlias = Annotated[FileActor, Depends(acting("update"))]
Deletes: TypeAlias = Annotated[FileActor, Depends(acting("delete"))]
