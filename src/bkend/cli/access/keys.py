"""API keys: of a data directory, or those that the holder of a token may see (51 §3.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from bkend.cli.access.opening import Kind
from bkend.cli.access.places import everything, one_project, remote_place
from bkend.cli.access.remote import Remote
from bkend.cli.commands import Refused

if TYPE_CHECKING:
    from bkend.core import Core


class Keys(Protocol):
    """What `bkend keys` does; what is None of a place must be the only one."""

    async def create(
        self, project: str | None, env: str | None, type: str, name: str, scopes: Sequence[str]
    ) -> dict[str, Any]:
        """A new key, with its value."""
        ...

    async def list(
        self, project: str | None, env: str | None
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The keys, of one environment or of all, newest first; and slugs of projects by id."""
        ...

    async def revoke(self, id: str) -> dict[str, Any]:
        """Refuse a key from now on; the key."""
        ...


class LocalKeys:
    """The keys of a data directory."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self, project: str | None, env: str | None, type: str, name: str, scopes: Sequence[str]
    ) -> dict[str, Any]:
        """See Keys."""
        from bkend.manage.activity import COMMAND_LINE

        place = await self._core.hierarchy.place(project, env)
        return await self._core.access_tokens.create(
            {"id": place.environment_id, "environment": place.environment},
            {"id": place.project_id, "organizationId": place.organization_id},
            COMMAND_LINE,
            type=type,
            name=name,
            scopes=list(scopes),
        )

    async def list(
        self, project: str | None, env: str | None
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """See Keys."""
        core, environment_id = self._core, None
        if project is not None or env is not None:
            environment_id = (await core.hierarchy.place(project, env)).environment_id
        return await core.keys.list(environment_id), await core.hierarchy.project_slugs()

    async def revoke(self, id: str) -> dict[str, Any]:
        """See Keys; one that is revoked already stays so."""
        from bkend.errors import NotFound
        from bkend.manage.activity import COMMAND_LINE

        tokens = self._core.access_tokens
        try:
            if (await tokens.get(id))["status"] != "revoked":
                await tokens.revoke(id, COMMAND_LINE)
            return await tokens.get(id)
        except NotFound:
            raise Refused(f"there is no key {id!r}") from None


class RemoteKeys:
    """The keys that the holder of the token may see and change."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def create(
        self, project: str | None, env: str | None, type: str, name: str, scopes: Sequence[str]
    ) -> dict[str, Any]:
        """See Keys."""
        body = {"type": type, "name": name, "scopes": list(scopes)}
        place = await remote_place(self._remote, project, env)
        made: dict[str, Any] = await self._remote.call("POST", f"{place.path}/api-keys", body)
        return made

    async def list(
        self, project: str | None, env: str | None
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """See Keys; revoked ones are not among them."""
        remote = self._remote
        if project is None and env is None:
            projects = [one async for one in everything(remote, "/projects")]
        else:
            projects = [await one_project(remote, project)]
        items: list[dict[str, Any]] = []
        for found in projects:
            path = f"/projects/{found['id']}/environments"
            async for environment in everything(remote, path):
                if env in (None, environment["environment"], environment["id"]):
                    keys = f"{path}/{environment['id']}/api-keys"
                    items += [key async for key in everything(remote, keys)]
        items.sort(key=lambda key: str(key["createdAt"]), reverse=True)
        return items, {found["id"]: found["slug"] for found in projects}

    async def revoke(self, id: str) -> dict[str, Any]:
        """See Keys."""
        items, _ = await self.list(None, None)
        for key in items:
            if key["id"] == id:
                place = f"/projects/{key['projectId']}/environments/{key['environment']}"
                await self._remote.call("DELETE", f"{place}/api-keys/{quote(id, safe='')}")
                return key | {"status": "revoked"}
        raise Refused(f"there is no key {id!r}")


KEYS: Kind[Keys] = Kind(LocalKeys, RemoteKeys)
