"""Projects and environments at a server, as commands name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from bkend.cli.commands import Refused
from bkend.cli.remote import Remote

_PAGE = 100


def environment_path(remote: Remote, project: str | None, env: str | None) -> str:
    """The path of an environment; what is None must be the only one. Refused if it is not."""
    found = one_project(remote, project)
    path = f"/projects/{found['id']}/environments"
    if env is None:
        env = _only(list(everything(remote, path)), "environment", "environment")["environment"]
    return f"{path}/{quote(str(env), safe='')}"


def one_project(remote: Remote, slug: str | None) -> dict[str, Any]:
    """The named project, or the only one."""
    if slug is None:
        return _only(list(everything(remote, "/projects")), "slug", "project")
    found: dict[str, Any] = remote.call("GET", f"/projects/{quote(slug, safe='')}")
    return found


def everything(remote: Remote, path: str) -> Iterator[dict[str, Any]]:
    """All items of a list, page by page."""
    page = 1
    while True:
        found = remote.call("GET", f"{path}?limit={_PAGE}&page={page}")
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
