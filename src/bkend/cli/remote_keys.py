"""`bkend keys … --server URL`: the same over the management API of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from bkend.cli.commands import Refused
from bkend.cli.remote import Remote
from bkend.cli.remote_places import environment_path, everything, one_project


class RemoteKeys:
    """The keys that the holder of the token may see and change."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def create(
        self, project: str | None, env: str | None, type: str, name: str, scopes: Sequence[str]
    ) -> dict[str, Any]:
        """A new key; what is None of the place must be the only one."""
        body = {"type": type, "name": name, "scopes": list(scopes)}
        path = f"{environment_path(self._remote, project, env)}/api-keys"
        made: dict[str, Any] = self._remote.call("POST", path, body)
        return made

    def list(
        self, project: str | None, env: str | None
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The keys, of one environment or of all; and the slugs of projects by id."""
        remote = self._remote
        if project is None and env is None:
            projects = list(everything(remote, "/projects"))
        else:
            projects = [one_project(remote, project)]
        slugs = {found["id"]: found["slug"] for found in projects}
        items: list[dict[str, Any]] = []
        for found in projects:
            path = f"/projects/{found['id']}/environments"
            for environment in everything(remote, path):
                if env in (None, environment["environment"], environment["id"]):
                    items += everything(remote, f"{path}/{environment['id']}/api-keys")
        items.sort(key=lambda key: str(key["createdAt"]), reverse=True)
        return items, slugs

    def revoke(self, id: str) -> dict[str, Any]:
        """Refuse a key from now on; Refused for one that is not there."""
        items, _ = self.list(None, None)
        for key in items:
            if key["id"] == id:
                place = f"/projects/{key['projectId']}/environments/{key['environment']}"
                self._remote.call("DELETE", f"{place}/api-keys/{quote(id, safe='')}")
                return key | {"status": "revoked"}
        raise Refused(f"there is no key {id!r}")
