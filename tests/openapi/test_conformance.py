"""The server keeps what its OpenAPI documents promise: no 5xx, no status that is not documented,
answers of the documented type and shape."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.openapi.apps_story import as_user, new_user, secret
from tests.openapi.asking import Asking
from tests.openapi.exploring import explore
from tests.openapi.tenants_story import M
from tests.openapi.world import Headers, World, by_token

NEVER_2XX = {
    "POST /manage/v1/projects/{project}/environments/{env}/retry": (
        "sets up what could not be set up before, which takes a storage that has failed"
    ),
    "POST /manage/v1/system/organizations/{org}/owner": (
        "makes an Owner where there is none, which takes an account that is gone"
    ),
    "PUT /manage/v1/projects/{project}/environments/{env}/users/{id}/claim-email": (
        "gives an address to a user who has none, which takes an import"
    ),
}
"""Operations that do not succeed here, with the reason."""

OF_THEIR_OWN = frozenset(
    {
        "DELETE /manage/v1/session",
        "DELETE /v1/auth/withdraw",
        "POST /v1/auth/signout",
        "POST /v1/auth/password/change",
        "POST /v1/auth/mfa/enable",
        "POST /v1/auth/mfa/confirm",
        "POST /v1/auth/mfa/disable",
    }
)
"""Operations that end the session or the account of whoever calls them."""


def label(method: str, path: str) -> str:
    return f"{method} {path}"


@pytest.mark.parametrize("name", ["tenants", "apps"])
def test_every_operation_succeeds_as_it_is_described(
    name: str, request: pytest.FixtureRequest
) -> None:
    asking: Asking = request.getfixturevalue(name).asking
    known = {label(*operation) for operation in asking.operations()}
    assert known - asking.succeeded - NEVER_2XX.keys() == set()
    assert NEVER_2XX.keys() & asking.succeeded == set()


@pytest.mark.parametrize("name", ["tenants", "apps"])
def test_whoever_shows_nothing_gets_nothing(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    asking = world.asking
    for method, path in asking.operations():
        described = asking.described(method, path)
        if described.get("security", asking.document.get("security")):
            names = [one["name"] for one in described.get("parameters", ()) if one["in"] == "path"]
            parameters = {name: world.ids.get(name, "none") for name in names}
            url = world.server.url + path.format(**parameters)
            answer = asking.session.request(method, url, timeout=30)
            assert answer.status_code == 401, (method, path, answer.text)


def test_the_management_api_keeps_its_promises(tenants: World) -> None:
    token = by_token(tenants.server.made["managementToken"])
    ada = tenants.log_in("ada@people.example")
    bob = tenants.log_in("bob@people.example")

    def credentials(method: str, path: str) -> Headers:
        if label(method, path) in OF_THEIR_OWN:
            return tenants.log_in("dora@people.example", "four brown horses?")
        if path.startswith(f"{M}/account"):
            return bob
        security = tenants.asking.described(method, path).get("security", [])
        schemes = {scheme for one in security for scheme in one}
        if label(method, path) == f"POST {M}/organizations":
            return ada  # an account must own it
        if path.startswith(f"{M}/system"):
            return ada
        if "managementToken" in schemes:
            return token
        return ada if schemes else {}

    def parameters(method: str, path: str) -> dict[str, str]:
        return known(tenants, method, path, _meant_by(path))

    found = explore(tenants.asking, credentials, parameters)
    assert not found, "\n\n".join(found)


def test_the_calls_of_apps_keep_their_promises(apps: World) -> None:
    user = as_user(apps, apps.ids["admin"])

    def credentials(method: str, path: str) -> Headers:
        if label(method, path) in OF_THEIR_OWN:
            return as_user(apps, new_user(apps)["accessToken"])
        security = apps.asking.described(method, path).get("security", [{"apiKey": []}])
        if not security:
            return {}
        return user if all("userToken" in one for one in security) else secret(apps)

    def parameters(method: str, path: str) -> dict[str, str]:
        return known(apps, method, path, "")

    found = explore(apps.asking, credentials, parameters)
    assert not found, "\n\n".join(found)


def _meant_by(path: str) -> str:
    """What `{id}` stands for in a path."""
    for word, thing in (("users", "user"), ("files", "file"), ("records", "record")):
        if f"/{word}/{{id}}" in path:
            return thing
    return "magic_link" if "email-templates" in path else "none"


def known(world: World, method: str, path: str, id: str) -> dict[str, str]:
    """Names of things that are there, for the parameters of a path."""
    values = {
        **world.ids,
        "id": world.ids.get(id, id),
        "provider": "github" if "session" in path else "acme",
        "target": "dev",
        "version": "1",
    }
    described = world.asking.described(method, path).get("parameters", ())
    names: list[str] = [one["name"] for one in described if one["in"] == "path"]
    return {name: values[name] for name in names if name in values}


@pytest.mark.parametrize("name", ["posts", "plain"])
def test_the_calls_of_a_table_keep_their_promises(name: str, apps: World) -> None:
    document: Any = _table_document(apps, name)
    table = Asking(apps.server.url, document, is_closed=False)
    rows = f"/v1/data/{name}"
    headers = secret(apps)
    made = table.ok("POST", rows, {"title": "One"}, headers=headers)
    table.ok("POST", rows, [{"title": "Two"}], headers=headers)
    table.ok("GET", rows, headers=headers)
    for method, body in (("GET", None), ("PATCH", {"title": "Three"}), ("DELETE", None)):
        given = () if body is None else (body,)
        table.ok(method, f"{rows}/{{id}}", *given, headers=headers, id=made["id"])
    kept = table.ok("POST", rows, {"title": "Kept"}, headers=headers)["id"]
    found = explore(table, lambda *_: headers, lambda _, path: {"id": kept} if "id" in path else {})
    table.session.close()
    assert not found, "\n\n".join(found)


def _table_document(world: World, name: str) -> Any:
    url = f"{world.server.url}/v1/data/{name}/openapi"
    answer = requests.get(url, headers=secret(world), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()
