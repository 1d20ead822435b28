"""Mails that were not sent for want of SMTP (00 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from bkend.cli.access.opening import Kind
from bkend.cli.access.places import local_environment, remote_place
from bkend.cli.access.remote import Remote

if TYPE_CHECKING:
    from bkend.core import Core

_PAGE = 100


class Mails(Protocol):
    """What `bkend outbox` shows."""

    async def box(self, project: str | None, env: str | None, *, tenants: bool) -> Box:
        """The mails of an environment, or those to accounts of the console."""
        ...


class Box(Protocol):
    """One outbox."""

    captures: bool
    """Whether mails stay in it, because there is no SMTP."""

    async def readable(
        self, *, limit: int, after: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """The newest first and how many there are; `after` is a time, mails of that very
        millisecond are listed too."""
        ...


class LocalMails:
    """The mails of a data directory."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def box(self, project: str | None, env: str | None, *, tenants: bool) -> Box:
        """See Mails."""
        core = self._core
        if tenants:
            mail = core.tenants.mail
        else:
            _, environment = await local_environment(core, project, env)
            mail = environment.services.mail
        return _LocalBox(mail)


class _LocalBox:
    def __init__(self, mail: Any) -> None:
        self.captures = bool(mail.captures)
        self._outbox = mail.outbox

    async def readable(
        self, *, limit: int, after: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        found: tuple[list[dict[str, Any]], int]
        found = await self._outbox.readable(limit=limit, after=after)
        return found


class RemoteMails:
    """The mails at a server. Those to accounts of the console, and mails of a server that delivers
    them, are refused by it."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def box(self, project: str | None, env: str | None, *, tenants: bool) -> Box:
        """See Mails."""
        if tenants:
            return _RemoteBox(self._remote, "/system/outbox")
        place = await remote_place(self._remote, project, env)
        return _RemoteBox(self._remote, f"{place.path}/outbox")


class _RemoteBox:
    captures = True

    def __init__(self, remote: Remote, path: str) -> None:
        self._remote = remote
        self._path = path

    async def readable(
        self, *, limit: int, after: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        items: list[dict[str, Any]] = []
        while True:
            query = {"limit": str(min(limit, _PAGE)), "page": str(len(items) // _PAGE + 1)}
            found = await self._remote.call("GET", self._path, query=query)
            items += found["items"]
            is_old = after is not None and items and items[-1]["createdAt"] < after
            if is_old or len(items) >= limit or not found["pagination"]["hasNext"]:
                newer = [m for m in items[:limit] if after is None or m["createdAt"] >= after]
                return newer, found["pagination"]["total"]


MAILS: Kind[Mails] = Kind(LocalMails, RemoteMails)
