"""Denied is denied everywhere: the matrix asked of a real server, and no route outside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bkend.files.raw import METHODS, ROUTE
from bkend.records.api import _COLLECTION_METHODS, _DOCUMENT_METHODS, _RECORD_METHODS
from bkend.records.imports import RESERVED_IDS
from tests.answers import ok, refusal
from tests.asgi import in_process
from tests.security.conftest import Callers
from tests.security.matrix import (
    CALLERS,
    CODES,
    FIXED,
    LIKE,
    LINKS,
    MATRIX,
    NOT_ROUTES,
    ROW,
    ROWS,
    SHORT_ROW,
    SHORT_ROWS,
    Entry,
)


@pytest.mark.parametrize("entry", MATRIX, ids=str)
def test_status_for_every_kind_of_caller(
    bare: httpx.Client, admin: httpx.Client, callers: Callers, entry: Entry
) -> None:
    found: dict[str, int] = {}
    statuses = dict(zip(CALLERS, entry.statuses, strict=True))
    if entry in FIXED:
        statuses |= {name: statuses[like] for name, like in LIKE.items()}
    for name, expected in statuses.items():
        if not expected:
            continue
        path = entry.path.replace("{row}", row_of(admin, callers, entry))
        path = path.replace("{user}", callers.people.owner.id)
        headers = callers.headers[name]
        if entry.fresh_session:
            headers = callers.with_fresh_session(name)
        answer = bare.request(entry.method, path, json=entry.body, headers=headers)
        found[name] = answer.status_code
        if entry in LINKS:
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        elif expected >= 400 and entry.method != "HEAD":
            code = answer.json()["code"]
            refusal(answer, found[name], code)
            if entry.route.startswith("/manage/"):
                unsaid = {
                    401: "auth/unauthorized",
                    400: "common/invalid-parameters",
                    404: "common/not-found",
                }
                assert code in (unsaid[expected], "auth/oauth-not-configured")
            elif name in CODES and expected == 401:
                assert code == CODES[name]
    assert found == {name: status for name, status in statuses.items() if status}


def row_of(admin: httpx.Client, callers: Callers, entry: Entry) -> str:
    """The id of a new row of the owner's, for a table that has rows."""
    if "{row}" not in entry.path:
        return ""
    table = entry.path.split("/")[-2]
    if table == "users":
        return callers.people.owner.id
    body = {"title": "x", "text": "x", "createdBy": callers.people.owner.id}
    return str(ok(admin.post(f"/v1/data/{table}", json=body), 201)["id"])


def routes_of(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and path of every route of an application, included routers and mounts too."""
    for route in routes:
        inside = getattr(route, "original_router", route)
        if hasattr(inside, "routes"):
            assert not getattr(route, "path", ""), "a mount: its prefix would be lost here"
            yield from routes_of(inside.routes)
        else:
            for method in route.methods:
                yield method, route.path


async def test_no_route_is_missing_from_the_matrix(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data") as opened:
        served: set[tuple[str, str]] = set()
        for later in (opened.app._fixed, opened.app._management):
            endpoints: Any = await later.loaded()
            served |= set(routes_of(endpoints.router.routes))
    served |= {(method, path) for method in _COLLECTION_METHODS for path in (ROWS, SHORT_ROWS)}
    served |= {(method, path) for method in _RECORD_METHODS for path in (ROW, SHORT_ROW)}
    served |= {
        (method, f"{path}/{word}")
        for method in _DOCUMENT_METHODS
        for path in (ROWS, SHORT_ROWS)
        for word in RESERVED_IDS
    }
    served |= {(method, ROUTE) for method in METHODS}
    listed = {(entry.method, entry.route) for entry in MATRIX if entry.route not in NOT_ROUTES}
    refused = {(e.method, e.route) for e in MATRIX if set(e.statuses) == {405}}
    assert served - listed == set()
    assert listed - served - refused == set(), "entries of routes that are gone"
