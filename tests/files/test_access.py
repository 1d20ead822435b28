"""The visibility matrix of 30 §6, cell by cell, at every endpoint; scopes; guests' reading."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.auth.conftest import Served
from tests.files.conftest import TEXT, VISIBILITIES, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = (403, "file/access-denied")
LOGIN = (401, "common/authentication-required")
HIDDEN = {"ownerId", "ownerType", "bucket", "category", "sharedWith", "metadata"}
_FULL = ("full",) * 4
MATRIX = {
    # public, protected, shared, private
    "ada": _FULL,  # the owner
    "eve": _FULL,  # an admin
    "secret": _FULL,
    "bob": ("public", "public", "public", "no"),  # in sharedWith
    "guy": ("public", "public", "no", "no"),  # logged in
    "anonymous": ("login",) * 4,
}


async def files_of(archive: Archive) -> dict[str, Any]:
    """A file of each visibility, shared with Bob."""
    return {
        visibility: await archive.file(
            visibility=visibility, sharedWith=[archive.ids["bob"]], metadata={"alt": "x"}
        )
        for visibility in VISIBILITIES
    }


async def test_who_sees_what(archive: Archive) -> None:
    files = await files_of(archive)
    for who, cells in MATRIX.items():
        seen = set()
        for (visibility, file), cell in zip(files.items(), cells, strict=True):
            where = f"{who}, {visibility}"
            if cell in ("no", "login"):
                refusal = DENIED if cell == "no" else LOGIN
                for method, path in (
                    ("GET", ""),
                    ("GET", "/download-url"),
                    ("POST", "/download-url"),
                    ("GET", "/download"),
                ):
                    found = await archive.refused(who, method, f"{file['id']}{path}")
                    assert found == refusal, where
                continue
            seen.add(file["id"])
            shown = await archive.ok(who, "GET", file["id"])
            assert shown == (file if cell == "full" else public_view(file)), where
            found = await archive.ok(who, "POST", f"{file['id']}/download-url")
            assert found["permanent"] is (visibility == "public"), where
            assert (await archive.fetch(found["url"])).content == TEXT, where
            assert (await archive.call(who, "GET", f"{file['id']}/download")).status_code == 302
        if who == "anonymous":
            assert await archive.refused(who, "GET", "") == LOGIN
            continue
        listed = await archive.ok(who, "GET", "")
        assert {one["id"] for one in listed["items"]} == seen, who
        assert listed["pagination"]["total"] == len(seen)
        for one in listed["items"]:
            assert (one.keys() >= HIDDEN) is (who in ("ada", "eve", "secret")), who
            assert bool(one.keys() & HIDDEN) is (who in ("ada", "eve", "secret")), who


def public_view(file: Any) -> Any:
    return {name: value for name, value in file.items() if name not in HIDDEN}


async def test_only_owners_and_admins_change_and_delete(archive: Archive) -> None:
    for visibility, file in (await files_of(archive)).items():
        for who, refusal in (("bob", DENIED), ("guy", DENIED), ("anonymous", LOGIN)):
            for method, path, body in (
                ("PATCH", "", {"originalName": "x"}),
                ("PATCH", "", "not an object"),
                ("PATCH", "/visibility", {"visibility": "public"}),
                ("DELETE", "", None),
            ):
                found = await archive.refused(who, method, f"{file['id']}{path}", body)
                assert found == refusal, (who, visibility, method)
        for who in ("ada", "eve", "secret"):
            changed = await archive.ok(who, "PATCH", file["id"], {"originalName": who})
            assert changed["originalName"] == who
        assert (await archive.ok("secret", "DELETE", file["id"])) == {"success": True}


async def test_bytes_without_a_signature(archive: Archive) -> None:
    for visibility, file in (await files_of(archive)).items():
        for method in ("GET", "HEAD"):
            url = f"http://bkend.test/raw/{file['key']}"
            answer = await archive.http.request(method, url, headers={"X-API-Key": ""})
            assert answer.status_code == (200 if visibility == "public" else 403)
        answer = await archive.shown(
            file["key"], Authorization=f"Bearer {archive.callers['ada'][1]}"
        )
        if visibility != "public":  # who asks makes no difference
            assert code(answer) == DENIED


async def test_a_file_turned_private_is_so_on_the_next_request(archive: Archive) -> None:
    file = await archive.file(visibility="public")
    assert (await archive.shown(file["key"])).status_code == 200
    hidden = await archive.ok("ada", "PATCH", f"{file['id']}/visibility", {"visibility": "private"})
    assert hidden["url"] is None
    assert code(await archive.shown(file["key"])) == DENIED
    assert await archive.refused("bob", "GET", file["id"]) == DENIED


async def test_a_download_address_outlives_a_change_of_sharing(archive: Archive) -> None:
    file = await archive.file(visibility="shared", sharedWith=[archive.ids["bob"]])
    url = (await archive.ok("bob", "POST", f"{file['id']}/download-url"))["url"]
    await archive.ok("ada", "PATCH", file["id"], {"sharedWith": []})
    assert await archive.refused("bob", "POST", f"{file['id']}/download-url") == DENIED
    answer = await archive.fetch(url)
    assert answer.content == TEXT
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''fox.txt"
    archive.api.clock.advance(3599)
    assert (await archive.fetch(url)).status_code == 200
    archive.api.clock.advance(2)
    assert code(await archive.fetch(url)) == DENIED


async def test_owners_by_credentials(archive: Archive) -> None:
    by_key = await archive.file("secret")
    assert by_key["ownerType"] == "service"
    assert by_key["ownerId"].startswith("tok_")
    archive.callers["both"] = (archive.api.secret_key, archive.callers["bob"][1])
    by_both = await archive.file("both")
    assert (by_both["ownerType"], by_both["ownerId"]) == ("user", archive.ids["bob"])
    private = await archive.file("ada")
    assert await archive.ok("both", "GET", private["id"]) == private


async def test_scopes_come_before_everything_else_of_a_file(
    archive: Archive, served: Served
) -> None:
    file = await archive.file(visibility="public")
    calls = {
        "create": [
            ("POST", "presigned-url", 400),
            ("POST", "", 400),
            ("POST", "upload", 400),
            ("POST", "multipart/init", 400),
            ("POST", "multipart/initiate", 400),
            ("POST", "multipart/presigned-url", 400),
            ("POST", "multipart/complete", 400),
            ("POST", "multipart/none/part-url", 400),
            ("POST", "multipart/none/complete", 400),
            ("POST", f"{file['id']}/complete", 200),
        ],
        "list": [("GET", "", 200), ("GET", "buckets", 200)],
        "read": [
            ("GET", file["id"], 200),
            ("POST", f"{file['id']}/download-url", 200),
            ("GET", f"{file['id']}/download-url", 200),
            ("GET", f"{file['id']}/download", 302),
        ],
        "update": [("PATCH", file["id"], 200), ("PATCH", f"{file['id']}/visibility", 400)],
        "delete": [
            ("POST", "multipart/abort", 400),
            ("POST", "multipart/none/abort", 404),
            ("DELETE", file["id"], 200),
        ],
    }
    environment = archive.files.environment
    for word in ("list", "read", "create", "update", "delete"):
        archive.callers[word] = (await scoped(served, environment, f"files:{word}"), "")
    archive.callers["posts"] = (await scoped(served, environment, "posts:*"), "")
    for word, some in calls.items():
        for method, path, status in some:
            for who in ("posts", "list", "read", "create", "update", "delete"):
                answer = await archive.call(who, method, path, {})
                allowed = who == word or (word, who) == ("list", "read")
                where = (who, method, path, answer.text)
                if allowed and method != "DELETE":
                    assert answer.status_code == status, where
                elif not allowed:
                    assert answer.status_code == 403, where
                    assert answer.json()["code"] == "data/scope-insufficient", where


async def scoped(served: Served, environment: Any, scope: str) -> str:
    """A secret key with one scope."""
    core = served.core
    project = orjson.loads(await core.database.control.get("projects", environment.project.id))
    made = await core.keys.create(
        type="secret",
        name="scoped",
        organization_id=project["organizationId"],
        project_id=environment.project.id,
        environment_id=environment.id,
        environment=environment.name,
        scopes=(scope,),
    )
    return str(made["key"])


async def test_guests_read_public_files_where_the_project_says_so(archive: Archive) -> None:
    files = await files_of(archive)
    await archive.set(storage__guestPublicRead=True)
    assert await archive.listed("anonymous") == [files["public"]["id"]]
    for visibility, file in files.items():
        if visibility == "public":
            assert await archive.ok("anonymous", "GET", file["id"]) == public_view(file)
            assert await archive.ok("anonymous", "POST", f"{file['id']}/download-url")
        else:
            assert await archive.refused("anonymous", "GET", file["id"]) == DENIED
        assert await archive.refused("anonymous", "DELETE", file["id"]) == LOGIN
        assert await archive.refused("anonymous", "PATCH", file["id"], {}) == LOGIN
    assert await archive.refused("anonymous", "POST", "presigned-url", {}) == LOGIN
    answer = await archive.http.get("/v1/files", headers={"X-API-Key": ""})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth/unauthorized")


async def test_filters_narrow_and_pages_add_up(archive: Archive) -> None:
    image = {"contentType": "image/png", "category": "images"}
    one = await archive.file(originalName="Über Berge.png", mimeType="image/png", presigned=image)
    two = await archive.file(originalName="b.txt", visibility="public")
    three = await archive.file("bob", originalName="a.gif", mimeType="image/gif", content=b"xx")
    four = await archive.file("bob", visibility="protected", bucket="temp", content=b"x")
    names = {one["id"]: 1, two["id"]: 2, three["id"]: 3, four["id"]: 4}
    for query, wanted in {
        "": [4, 3, 2, 1],
        "?sortDirection=asc": [1, 2, 3, 4],
        "?sortBy=originalName&sortDirection=asc": [3, 2, 4, 1],
        "?sortBy=size&sortDirection=asc&limit=2": [4, 3],
        "?limit=3&page=2": [1],
        "?mimeType=image/*": [3, 1],
        "?mimeType=image/gif,text/plain&limit=1000": [4, 3, 2],
        "?category=images": [1],
        "?bucket=temp": [4],
        "?visibility=public": [2],
        "?visibility=": [4, 3, 2, 1],
        f"?ownerId={archive.ids['bob']}&ownerType=user": [4, 3],
        "?ownerType=session": [],
        "?search=U%CC%88BER": [1],
        "?search=.T": [4, 2],
    }.items():
        found = await archive.listed("eve", query)
        assert [names[id] for id in found] == wanted, query
    assert [names[id] for id in await archive.listed("ada")] == [4, 2, 1]
    assert [names[id] for id in await archive.listed("ada", "?visibility=private")] == [1]
    assert await archive.listed("ada", f"?ownerId={archive.ids['bob']}") == [four["id"]]
    page = (await archive.ok("eve", "GET", "/v1/files?limit=3"))["pagination"]
    assert page == {
        "total": 4,
        "page": 1,
        "limit": 3,
        "totalPages": 2,
        "hasNext": True,
        "hasPrev": False,
        "hasNextPage": True,
        "hasPrevPage": False,
    }
    for bad in ("sortBy=ownerId", "visibility=x", "page=0", "limit=x", "sortDirection=up"):
        found = await archive.refused("eve", "GET", f"/v1/files?{bad}")
        assert found == (400, "common/invalid-parameters"), bad
