"""What tests of invitations share: inviting, and calling in somebody's name."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from bkend.manage.control import PROJECTS
from bkend.store import Find
from tests.auth.answers import code
from tests.auth.links.conftest import Linked

BOB = "bob@example.com"
FIELDS = {
    "id",
    "resourceType",
    "resourceId",
    "resourceName",
    "resourceRole",
    "email",
    "name",
    "status",
    "expiresAt",
    "invitedBy",
    "inviterName",
    "createdAt",
    "updatedAt",
}
ORGANIZATION: dict[str, Any] = {
    "resourceType": "organization",
    "resourceId": "acme",
    "resourceName": "Acme",
    "resourceRole": "member",
    "email": BOB,
    "name": "Bob",
}
PATH = "/invitations"


async def project(linked: Linked, **fields: Any) -> dict[str, Any]:
    """The body of an invitation to the project."""
    found = await linked.api.served.core.database.control.find(Find(PROJECTS))
    [document] = orjson.loads(found.items)
    to_project = {"resourceType": "project", "resourceId": document["id"], "resourceRole": "admin"}
    return {**ORGANIZATION, **to_project, **fields}


async def call(
    linked: Linked, method: str, path: str = "", result: Any = None, **options: Any
) -> httpx.Response:
    """With the secret key, unless somebody has signed in."""
    linked.api.clock.now += 1
    headers = linked.with_secret_key()
    if result:
        headers = {"Authorization": f"Bearer {result['accessToken']}"}
    return await linked.http.request(method, f"/v1/auth{PATH}{path}", headers=headers, **options)


async def invite(linked: Linked, result: Any = None, **fields: Any) -> tuple[dict[str, Any], str]:
    """The invitation and its token."""
    answer = await call(linked, "POST", "", result, json={**ORGANIZATION, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body, (await linked.letter("invitation")).token


async def admin(linked: Linked) -> Any:
    made = await linked.api.sign_up("root@example.com")
    await linked.change_user("root@example.com", role="admin")
    return made


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, code(answer)
