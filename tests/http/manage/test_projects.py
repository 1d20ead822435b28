"""Projects over `/manage/v1` (51 §3.4, §3.8, §5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.http.manage.company import Company, company


async def made(firm: Company, **body: Any) -> Any:
    owner = firm.people["owner"]
    return await owner.ok("POST", "/projects", {"name": "Shop", **body})


async def test_a_new_project_has_an_environment_and_a_key_that_work(firm: Company) -> None:
    project = await made(firm, name="My Shop!")
    assert project["slug"] == "my-shop"
    assert project["environmentCount"] == 1
    assert (project["primaryCloud"], project["primaryRegion"]) == ("self", "local")
    [environment] = project["environments"]
    assert (environment["environment"], environment["environmentType"]) == ("dev", "dev")
    assert environment["status"] == environment["deployment"]["status"] == "active"
    key = project["apiKey"]
    assert (key["name"], key["type"], key["isDefault"]) == ("Default", "publishable", True)
    body = {"email": "ada@example.com", "password": "correct horse", "name": "Ada"}
    answer = await firm.data("POST", "auth/email/signup", key["key"], body)
    assert answer.status == 201, answer.body


async def test_a_taken_slug_is_refused_and_a_derived_one_gets_a_number(firm: Company) -> None:
    await made(firm, slug="shop")
    owner = firm.people["owner"]
    refused = await owner.refused("POST", "/projects", {"name": "Shop", "slug": "shop"})
    assert refused == (409, "project/slug-taken")
    assert (await made(firm))["slug"] == "shop-2"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": 5},
        {"name": "x", "slug": "A"},
        {"name": "x", "slug": "-ab"},
        {"name": "x", "slug": ["abc"]},
        {"name": "x", "description": "x" * 1001},
        {"name": "x", "primaryCloud": "moon"},
        {"name": "x", "primaryRegion": "x" * 51},
        [],
        "x",
    ],
    ids=str,
)
async def test_malformed_projects(firm: Company, body: Any) -> None:
    refused = await firm.people["owner"].refused("POST", "/projects", body)
    assert refused == (400, "common/invalid-parameters")


async def test_lists_are_searched_sorted_and_paged(firm: Company) -> None:
    owner = firm.people["owner"]
    for name in ("Beta", "Alpha", "Gamma"):
        await made(firm, name=name, primaryRegion="seoul" if name == "Beta" else "local")
    names = [one["name"] for one in await owner.items("/projects", "sortBy=name&sortDirection=asc")]
    assert names == ["Alpha", "Beta", "Gamma", "app"]
    assert [one["name"] for one in await owner.items("/projects", "search=ALPH")] == ["Alpha"]
    assert [one["name"] for one in await owner.items("/projects", "region=seoul")] == ["Beta"]
    page = await owner.ok("GET", "/projects", query="limit=1000")
    assert page["pagination"]["limit"] == 100
    page = await owner.ok("GET", "/projects", query=f"org={firm.organization}&limit=3&page=2")
    assert [len(page["items"]), page["pagination"]["total"]] == [1, 4]
    assert await owner.refused("GET", "/projects", query="sortBy=settings") == (
        400,
        "common/invalid-parameters",
    )
    assert await owner.refused("GET", "/projects", query="limit=0") == (
        400,
        "common/invalid-parameters",
    )


async def test_a_project_is_changed(firm: Company) -> None:
    project, owner = await made(firm), firm.people["owner"]
    body = {
        "name": "Store",
        "slug": "store",
        "description": "d",
        "settings": {"customRoles": ["vip"]},
    }
    changed = await owner.ok("PATCH", f"/projects/{project['id']}", body)
    assert {name: changed[name] for name in body} == body
    assert (await owner.ok("GET", "/projects/store"))["id"] == project["id"]
    taken = await owner.refused("PATCH", "/projects/store", {"slug": "app"})
    assert taken == (409, "project/slug-taken")


@pytest.mark.parametrize(
    "settings",
    [
        {"nonsense": 1},
        {"webhookUrl": "https://x.example"},
        {"notificationEmail": "nobody"},
    ],
    ids=str,
)
async def test_settings_that_do_nothing_are_refused(firm: Company, settings: Any) -> None:
    owner = firm.people["owner"]
    refused = await owner.refused("PATCH", "/projects/app", {"settings": settings})
    assert refused == (400, "common/invalid-parameters")


async def test_an_inactive_project_refuses_its_keys(firm: Company) -> None:
    project, owner = await made(firm), firm.people["owner"]
    key = project["apiKey"]["key"]
    await owner.ok("PATCH", "/projects/shop", {"status": "inactive"})
    answer = await firm.data("GET", "data/things", key)
    assert (answer.status, answer.json()["code"]) == (403, "environment/not-active")
    await owner.ok("PATCH", "/projects/shop", {"status": "active"})
    assert (await firm.data("GET", "data/things", key)).status == 404


async def test_a_deleted_project_is_gone_with_its_keys_and_frees_its_slug(firm: Company) -> None:
    project, owner = await made(firm, slug="shop"), firm.people["owner"]
    refused = await owner.refused("DELETE", "/projects/shop", {"confirm": "shop"})
    assert refused == (422, "common/confirmation-required")
    await owner.ok("DELETE", "/projects/shop", {"confirm": "Shop"})
    assert await owner.refused("GET", "/projects/shop") == (404, "common/not-found")
    answer = await firm.data("GET", "data/things", project["apiKey"]["key"])
    assert (answer.status, answer.json()["code"]) == (401, "auth/token-revoked")
    assert (await made(firm, slug="shop"))["id"] != project["id"]


async def test_statistics(firm: Company) -> None:
    owner = firm.people["owner"]
    await owner.ok(
        "POST", "/projects/app/environments/dev/tables", {"tableName": "t", "schema": {}}
    )
    await owner.ok("POST", "/projects/app/environments/dev/tables/t/records", [{}, {}])
    assert await owner.ok("GET", "/projects/app/stats") == {
        "environmentCount": 1,
        "tableCount": 1,
        "recordCount": 2,
        "userCount": 0,
        "fileCount": 0,
        "storageBytes": 0,
    }


async def test_origins(firm: Company) -> None:
    owner, cors = firm.people["owner"], "/projects/app/cors"
    assert await owner.ok("GET", cors) == {"allowedOrigins": []}
    found = await owner.ok("POST", f"{cors}/origins", {"origin": "HTTPS://App.example.com/"})
    assert found == {"allowedOrigins": ["https://app.example.com"]}
    await owner.ok("POST", f"{cors}/origins", {"origin": "https://app.example.com"})
    await owner.ok("POST", f"{cors}/origins", {"origin": "http://localhost:5173"})
    assert (await owner.ok("GET", cors))["allowedOrigins"] == [
        "https://app.example.com",
        "http://localhost:5173",
    ]
    key = firm.opened.made.publishable_key or ""
    answer = await firm.opened.call(
        "GET", "/v1/data/x", key=key, headers=[("Origin", "https://evil.example")]
    )
    assert "access-control-allow-origin" not in answer.headers
    found = await owner.ok("DELETE", f"{cors}/origins", {"origin": "http://localhost:5173"})
    assert found == {"allowedOrigins": ["https://app.example.com"]}
    assert await owner.refused("DELETE", f"{cors}/origins", {"origin": "https://x.example"}) == (
        404,
        "common/not-found",
    )
    for origin in ("*", "https://*.example.com", "http://x.example", "https://x/y", "x", None, 7):
        for method, path, body in (
            ("POST", f"{cors}/origins", {"origin": origin}),
            ("PUT", cors, {"allowedOrigins": [origin]}),
        ):
            assert await owner.refused(method, path, body) == (400, "cors/invalid-origin")
    many = [f"https://a{number}.example" for number in range(21)]
    refused = await owner.refused("PUT", cors, {"allowedOrigins": many})
    assert refused == (409, "cors/limit-reached")
    await owner.ok("PUT", cors, {"allowedOrigins": many[:20]})
    refused = await owner.refused("POST", f"{cors}/origins", {"origin": many[20]})
    assert refused == (409, "cors/limit-reached")


async def test_what_the_roles_may_do_with_projects(firm: Company) -> None:
    for name in ("member", "billing"):
        caller = firm.people[name]
        for method, path, body in (
            ("POST", "/projects", {"name": "x"}),
            ("PATCH", "/projects/app", {"name": "x"}),
            ("DELETE", "/projects/app", {"confirm": "app"}),
            ("PUT", "/projects/app/cors", {"allowedOrigins": []}),
            ("GET", "/projects/app/activities", None),
        ):
            assert await caller.refused(method, path, body) == (403, "common/forbidden"), path
    assert (await firm.people["member"].ok("GET", "/projects/app"))["slug"] == "app"
    assert await firm.people["billing"].refused("GET", "/projects/app") == (403, "common/forbidden")
    assert await firm.people["billing"].items("/projects") == []


async def test_limits_of_the_server(tmp_path: Path) -> None:
    async with company(tmp_path / "data", max_projects=2, max_environments=2) as firm:
        owner = firm.people["owner"]
        await owner.ok("POST", "/projects", {"name": "Two"})
        refused = await owner.refused("POST", "/projects", {"name": "Three"})
        assert refused == (409, "project/limit-reached")
        await owner.ok("POST", "/projects/app/environments", {"environment": "staging"})
        refused = await owner.refused("POST", "/projects/app/environments", {"environment": "prod"})
        assert refused == (409, "environment/limit-reached")
