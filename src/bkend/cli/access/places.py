"""Projects and environments as commands name them: by slug and name, or left out when there is
only one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bkend.cli.access.remote import Remote
from bkend.cli.commands import Refused

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.environment import Environment
    from bkend.manage.hierarchy import Place

_PAGE = 100


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """An environment at a server: `path` is below `/manage/v1`, `name` as in `app/dev`."""

    path: str
    name: str


async def local_environment(
    core: Core, project: str | None, env: str | None
) -> tuple[Place, Environment]:
    """An environment of a data directory, opened. Raises HierarchyProblem."""
    place = await core.hierarchy.place(project, env)
    environment = await core.environments.get(place.environment_id)
    assert environment is not None
    return place, environment


async def remote_place(remote: Remote, project: str | None, env: str | None) -> RemotePlace:
    """An environment at the server. Raises Refused."""
    found = await one_project(remote, project)
    path = f"/projects/{found['id']}/environments"
    known = [one async for one in everything(remote, path)]
    if env is None:
        chosen = _only(known, "environment", "environment")
    else:
        named = [one for one in known if env in (one["environment"], one["id"])]
        if not named:
            names = ", ".join(sorted(one["environment"] for one in known))
            raise Refused(f"project {found['slug']!r} has no environment {env!r}; known: {names}")
        chosen = named[0]
    name = f"{found['slug']}/{chosen['environment']}"
    return RemotePlace(f"{path}/{quote(chosen['id'], safe='')}", name)


async def one_project(remote: Remote, slug: str | None) -> dict[str, Any]:
    """The named project, or the only one."""
    if slug is None:
        return _only([one async for one in everything(remote, "/projects")], "slug", "project")
    found: dict[str, Any] = await remote.call("GET", f"/projects/{quote(slug, safe='')}")
    return found


async def everything(remote: Remote, path: str) -> AsyncIterator[dict[str, Any]]:
    """All items of a list, page by page."""
    page = 1
    while True:
        query = {"limit": str(_PAGE), "page": str(page)}
        found = await remote.call("GET", path, query=query)
        for item in found["items"]:
            yield item
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
