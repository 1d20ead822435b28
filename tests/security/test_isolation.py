"""Nobody reaches what is another's: every route of the matrix, with every credential of another
tenant and of another environment.

All that one organization has carries a mark. Whatever strangers ask, no answer shows it; what names
something of that organization is not there for them; and afterwards nothing of it has changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from bkend.auth.collections import USERS
from bkend.files.collections import FILES
from bkend.manage.control import (
    ENVIRONMENTS,
    INVITATIONS,
    KEYS,
    MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
)
from bkend.store import Find, Store
from bkend.tables.models import TABLES
from tests.auth.conftest import cheap_hasher
from tests.engines import ENGINES
from tests.http.manage.company import Caller, Company, company
from tests.prepared import prepared_url
from tests.security.matrix import MATRIX, Entry

MARK = "marked"
PEOPLE = {"email": "", "password": "correct horse", "name": ""}
TABLE = {
    "tableName": "posts",
    "schema": {"title": "string"},
    "permissions": {"user": {"create": True, "read": True}, "guest": {"read": True}},
}
STRANGERS = ("cookie", "token", "narrow token", "secret", "user", "other secret", "other user")
"""The first five are of another organization but `narrow token`, which is of this one and for
another project; the last two of another environment of the same project."""
_FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="marked.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nmarked\r\n--x--\r\n"
)
_OWN_ROUTES = frozenset({"/manage/v1/organizations", "/manage/v1/projects"})
"""They name nothing that is somebody's."""


@dataclass
class Neighbours:
    """One organization, and strangers."""

    firm: Company
    names: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    async def build(self) -> None:
        firm, names = self.firm, self.names
        owner = firm.people["owner"]
        await owner.ok("PATCH", "/organizations/default", {"name": MARK})
        await owner.ok("PATCH", "/projects/app", {"name": MARK})
        dev = "/projects/app/environments/dev"
        names["table"] = (await owner.ok("POST", f"{dev}/tables", TABLE))["id"]
        row = await owner.ok("POST", f"{dev}/tables/posts/records", {"title": MARK})
        user = await self.sign_up(firm.opened.made.publishable_key or "", MARK)
        key = await owner.ok("POST", f"{dev}/api-keys", {"type": "secret", "name": MARK})
        upload = {"Content_Type": "multipart/form-data; boundary=x"}
        file = (await owner.call("POST", f"{dev}/files", _FORM, **upload)).json()
        invitation = await owner.ok(
            "POST",
            "/organizations/default/invitations",
            {"email": f"{MARK}@people.example", "name": MARK},
        )
        [member] = await owner.items("/organizations/default/members", "role=admin")
        names |= {
            "row": row["id"],
            "user": user[0],
            "key": key["id"],
            "file": file["id"],
            "invitation": invitation["id"],
            "member": member["id"],
            "project": firm.opened.made.project_id,
            "org": firm.organization,
        }
        await self.strangers()

    async def sign_up(self, key: str, name: str) -> tuple[str, str]:
        """Id and access token of a new user."""
        body = {**PEOPLE, "email": f"{name}@users.example", "name": name}
        made = (await self.firm.data("POST", "auth/email/signup", key, body)).json()
        return made["user"]["id"], made["accessToken"]

    async def strangers(self) -> None:
        firm, core = self.firm, self.firm.opened.core
        ada = await firm.person("ada")
        home = await ada.ok("POST", "/organizations", {"name": "Ada"})
        project = await ada.ok("POST", "/projects", {"name": "Ada"})
        dev = f"/projects/{project['id']}/environments/dev"
        await ada.ok("POST", f"{dev}/tables", TABLE)
        token = await core.keys.create(
            type="bearer", name="a", organization_id=home["id"], created_by=ada.account_id
        )
        owner = firm.people["owner"]
        other_project = await owner.ok("POST", "/projects", {"name": "Elsewhere"})
        narrow = await core.keys.create(
            type="bearer",
            name="narrow",
            organization_id=firm.organization,
            project_ids=[other_project["id"]],
            created_by=owner.account_id,
        )
        secret = await ada.ok("POST", f"{dev}/api-keys", {"type": "secret", "name": "s"})
        own_key = project["apiKey"]["key"]
        staging = await owner.ok("POST", "/projects/app/environments", {"environment": "staging"})
        environment = "/projects/app/environments/staging"
        await owner.ok("POST", f"{environment}/tables", TABLE)
        other = await owner.ok("POST", f"{environment}/api-keys", {"type": "secret", "name": "s"})
        other_key = staging["apiKey"]["key"]
        user = (await self.sign_up(own_key, "eve"))[1]
        other_user = (await self.sign_up(other_key, "mallory"))[1]
        self.headers = {
            "cookie": ada.headers,
            "token": {"Authorization": f"Bearer {token['key']}"},
            "narrow token": {"Authorization": f"Bearer {narrow['key']}"},
            "secret": {"X-API-Key": secret["key"]},
            "user": {"X-API-Key": own_key, "Authorization": f"Bearer {user}"},
            "other secret": {"X-API-Key": other["key"]},
            "other user": {"X-API-Key": other_key, "Authorization": f"Bearer {other_user}"},
        }

    def path_of(self, entry: Entry) -> str:
        """The entry's path, with what there really is in the marked organization."""
        names = self.names
        if not entry.route.startswith("/manage/"):
            path = entry.path.replace("{row}", names["row"]).replace("{user}", names["user"])
            return path.replace("/files/none", f"/files/{names['file']}")
        words = {"org": "default", "project": names["project"], "env": "dev", "table": "posts"}
        kinds = ("member", "invitation", "key", "user", "file")
        plural = {"api-keys": "key", "access-tokens": "key", "records": "row"}
        plural |= {f"{kind}s": kind for kind in kinds}
        id = next((names[n] for word, n in plural.items() if f"/{word}/{{id}}" in entry.route), "x")
        more = {"id": id, "target": "staging", "version": "1", "provider": "google"}
        given = {"token": "none", "session_id": "x", "code": "x", **words, **more}
        return entry.route.format(**given)

    async def snapshot(self) -> dict[str, Any]:
        """All that could be changed of the marked organization."""
        core = self.firm.opened.core
        control, organization = core.database.control, self.names["org"]
        found: dict[str, Any] = {}
        for name in (ORGANIZATIONS, PROJECTS, ENVIRONMENTS, KEYS, MEMBERS, INVITATIONS):
            documents = await _all(control, name)
            found[name] = [
                {n: v for n, v in one.items() if n not in ("lastUsedAt", "updatedAt")}
                for one in documents
                if organization in (one["id"], one.get("organizationId"))
                or one.get("projectId") == self.names["project"]
            ]
        environment = await core.hierarchy.environment("app", "dev")
        store = await core.database.environment(environment["id"])
        for name in (USERS, FILES, TABLES, self.names["table"], "auth_settings", "email_templates"):
            found[f"dev {name}"] = await _all(store, name)
        return found


async def _all(store: Store, collection: str) -> list[Any]:
    page = await store.find(Find(collection, descending=False, limit=500))
    documents: list[Any] = orjson.loads(page.items)
    return documents


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from prepared_url(request.param, request)


@pytest_asyncio.fixture
async def neighbours(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbours]:
    monkeypatch.setattr("bkend.core.PasswordHasher", cheap_hasher)
    async with company(tmp_path / "data", database_url) as firm:
        found = Neighbours(firm)
        await found.build()
        yield found


def _is_asked(entry: Entry) -> bool:
    """Not what would end the stranger's own session, or is about no data at all."""
    ends = entry.fresh_session or 0 in entry.statuses or "/session" in entry.route
    return not ends and not entry.route.startswith(("/manage/v1/account", "/docs", "/console"))


def _names_somebody(entry: Entry) -> bool:
    route = entry.route
    inside = route.startswith(("/manage/v1/organizations/", "/manage/v1/projects/"))
    return inside and route not in _OWN_ROUTES


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_see_and_change_nothing(neighbours: Neighbours, name: str) -> None:
    firm, headers = neighbours.firm, neighbours.headers[name]
    before = await neighbours.snapshot()
    is_tenant = name in ("cookie", "token", "narrow token")
    for entry in filter(_is_asked, MATRIX):
        path = neighbours.path_of(entry)
        body = b"" if entry.body is None else orjson.dumps(entry.body)
        answer = await firm.opened.call(
            entry.method, path, body=body, headers=list(headers.items()), key=""
        )
        assert answer.status < 500, (entry, answer.body)
        shown = answer.body.decode("utf-8", "replace")
        if name != "narrow token" or "/organizations" not in entry.route:
            assert MARK not in shown, (entry, shown)
        if _names_somebody(entry) and not (
            name == "narrow token" and "/organizations" in entry.route
        ):
            expected = (404, "common/not-found") if is_tenant else (401, "auth/unauthorized")
            assert (answer.status, answer.json()["code"]) == expected, entry
        elif any(neighbours.names[kind] in path for kind in ("row", "user", "file")):
            assert answer.status not in (200, 201), (entry, shown)
    assert await neighbours.snapshot() == before


async def test_the_marks_are_really_there(neighbours: Neighbours) -> None:
    owner: Caller = neighbours.firm.people["owner"]
    for entry in MATRIX:
        path = neighbours.path_of(entry)
        if entry.method == "GET" and _names_somebody(entry) and path.endswith("/members"):
            assert (await owner.ok("GET", path.removeprefix("/manage/v1")))["items"]
    row = f"/projects/app/environments/dev/tables/posts/records/{neighbours.names['row']}"
    assert (await owner.ok("GET", row))["title"] == MARK
    key = neighbours.firm.opened.made.secret_key or ""
    answer = await neighbours.firm.data("GET", f"data/posts/{neighbours.names['row']}", key)
    assert answer.json()["title"] == MARK
    answer = await neighbours.firm.data("GET", f"users/{neighbours.names['user']}", key)
    assert answer.status == 200
    answer = await neighbours.firm.data("GET", f"files/{neighbours.names['file']}", key)
    assert answer.status == 200


@pytest.mark.parametrize("name", ["cookie", "token"])
async def test_nobody_makes_a_project_for_others(neighbours: Neighbours, name: str) -> None:
    stranger = Caller(neighbours.firm.opened, neighbours.headers[name])
    for organization in ("default", neighbours.names["org"]):
        body = {"name": "x", "organizationId": organization}
        assert await stranger.refused("POST", "/projects", body) == (404, "common/not-found")
        refused = await stranger.refused("GET", "/projects", query=f"org={organization}")
        assert refused == (404, "common/not-found")
