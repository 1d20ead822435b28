"""`bkend keys … --server URL`: the same over the management API of a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from bkend.cli.commands import Refused
from bkend.cli.remote import Remote

_PAGE = 100


class RemoteKeys:
    """The keys that the holder of the token may see and change."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def create(
        self, project: str | None, env: str | None, type: str, name: str, scopes: Sequence[str]
    ) -> dict[str, Any]:
        """A new key; what is None of the place must be the only one."""
        body = {"type": type, "name": name, "scopes": list(scopes)}
        made: dict[str, Any] = self._remote.call("POST", self._place(project, env), body)
        return made

    def list(
        self, project: str | None, env: str | None
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The keys, of one environment or of all; and the slugs of projects by id."""
        projects = [self._project(project)] if project else list(self._all("/projects"))
        if env is not None and project is None:
            projects = [self._project(None)]
        slugs = {found["id"]: found["slug"] for found in projects}
        items: list[dict[str, Any]] = []
        for found in projects:
            path = f"/projects/{found['id']}/environments"
            for environment in self._all(path):
                if env in (None, environment["environment"], environment["id"]):
                    items += self._all(f"{path}/{environment['id']}/api-keys")
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

    # -- places -----------------------------------------------------------------------------

    def _place(self, project: str | None, env: str | None) -> str:
        found = self._project(project)
        path = f"/projects/{found['id']}/environments"
        if env is None:
            env = _only(list(self._all(path)), "environment", "environment")["environment"]
        return f"{path}/{quote(str(env), safe='')}/api-keys"

    def _project(self, slug: str | None) -> dict[str, Any]:
        if slug is None:
            return _only(list(self._all("/projects")), "slug", "project")
        found: dict[str, Any] = self._remote.call("GET", f"/projects/{quote(slug, safe='')}")
        return found

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            found = self._remote.call("GET", f"{path}?limit={_PAGE}&page={page}")
            yield from found["items"]
            if not found["pagination"]["hasNext"]:
                return
            page += 1


def _only(items: Sequence[dict[str, Any]], field: str, word: str) -> dict[str, Any]:
    if not items:
        raise Refused(f"there is no {word} that you may see")
    if len(items) > 1:
        known = ", ".join(sorted(str(item[field]) for item in items))
        raise Refused(f"there are several; name one {word}; known: {known}")
    return items[0]
