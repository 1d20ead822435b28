"""Answers hold what their pages say, no more and no less (51 §3)."""

from __future__ import annotations

from tests.http.manage.company import Company

APP = "/projects/app"
TABLES = f"{APP}/environments/dev/tables"


async def test_versions_name_who_made_them(firm: Company) -> None:
    owner = firm.people["owner"]
    await owner.ok("POST", TABLES, {"tableName": "posts", "schema": {"title": "string"}})
    for kind in ("schema", "indexes"):
        place = f"{TABLES}/posts/{kind}/versions"
        [version] = await owner.items(place)
        assert (version["createdBy"], version["createdByName"]) == (owner.account_id, "Owner")
        assert await owner.ok("GET", f"{place}/1") == version


async def test_what_the_store_keeps_besides_is_not_shown(firm: Company) -> None:
    owner = firm.people["owner"]
    environments = f"{APP}/environments"
    body = {"environment": "staging", "copySchemaFrom": "dev"}
    made = await owner.ok("POST", environments, body)
    assert made["deployment"].keys() == {"status", "startedAt", "readyAt"}
    [organization] = await owner.items("/organizations")
    shown = [made, organization, await owner.ok("GET", APP)]
    shown += [await owner.ok("GET", f"{environments}/staging"), *await owner.items(environments)]
    for one in shown:
        assert not {"createdBy", "deletedAt", "environmentId"} & one.keys()


async def test_new_keys_name_who_made_them(firm: Company) -> None:
    owner = firm.people["owner"]
    project = await owner.ok("POST", "/projects", {"name": "Second"})
    environment = await owner.ok("POST", f"{APP}/environments", {"environment": "staging"})
    for made in (project, environment):
        assert made["apiKey"]["createdByName"] == "Owner"
