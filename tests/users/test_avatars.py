"""Avatars: signed uploads, public reads, both ways to attach one (11 §4)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bkend.auth.collections import USERS
from bkend.objects.collections import OBJECT_REMOVALS
from bkend.store.documents import decode
from bkend.users.avatars import LARGEST_AVATAR
from tests.auth.conftest import Served, _api
from tests.users.conftest import JPEG, PICTURES, PNG, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID = (400, "common/invalid-parameters")
FORBIDDEN = (403, "user/forbidden")
HTML = b"<!doctype html><script>alert(1)</script>"


async def ask(town: Town, who: str = "ada", name: str = "ada", **body: Any) -> Any:
    """An address to upload to."""
    body = body or {"filename": "me.png"}
    return await town.ok(who, "POST", f"{town.ids[name]}/avatar/upload-url", body)


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    found = answer.json()
    assert found["success"] is False
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status_code, found["code"]


async def test_the_address_is_told_twice_with_key_and_expiry(town: Town) -> None:
    made = await ask(town, filename="Me At Sea.JPEG")
    assert made["url"] == made["uploadUrl"]
    assert made["url"].startswith(f"http://bkend.test/raw/{made['key']}?")
    assert made["key"].startswith(f"avatars/{town.api.environment}/{town.ids['ada']}/")
    assert made["key"].endswith(".jpg")
    assert town.api.clock.now_ms() // 1000 + 900 == int(
        parse_qs(urlsplit(made["url"]).query)["expires"][0]
    )
    typed = await ask(town, filename="noextension", contentType="image/webp")
    assert typed["key"].endswith(".webp")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filename": ""},
        {"filename": "x" * 256 + ".png"},
        {"filename": 7},
        {"filename": {"$ne": None}},
        {"filename": "noextension"},
        {"filename": "picture.svg"},
        {"filename": "page.html"},
        {"filename": "a.png", "contentType": "image/svg+xml"},
        {"filename": "a.png", "contentType": "text/html"},
        {"filename": "a.png", "contentType": 7},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_bad_request_for_an_address(town: Town, body: Any) -> None:
    path = f"{town.ids['ada']}/avatar/upload-url"
    assert await town.refused("ada", "POST", path, body) == INVALID


@pytest.mark.parametrize("filename", ["../../etc/passwd.png", "a\x00b.png", "/abs.png", "a/b.png"])
async def test_of_the_file_name_only_the_extension_is_used(town: Town, filename: str) -> None:
    made = await ask(town, filename=filename)
    assert made["key"].count("/") == 3
    assert ".." not in made["key"]


@pytest.mark.parametrize("content_type", PICTURES)
async def test_each_of_the_four_types_is_stored_and_served_as_it_is(
    town: Town, content_type: str
) -> None:
    made = await ask(town, filename="me.png")  # another type than the one asked for is fine
    address = made["url"].partition("?")[0]
    assert code(await town.fetch(address)) == (404, "file/not-found")
    answer = await town.put(made["url"], PICTURES[content_type], f"{content_type}; charset=x")
    assert (answer.status_code, answer.content) == (200, b"")
    shown = await town.fetch(address)
    assert (shown.status_code, shown.content) == (200, PICTURES[content_type])
    assert shown.headers["content-type"] == content_type
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert shown.headers["cache-control"] == "public, max-age=86400"
    assert shown.headers["etag"] == answer.headers["etag"]
    assert shown.headers["content-length"] == str(len(shown.content))
    assert shown.headers["access-control-allow-origin"] == "*"


async def test_the_server_reads_only_what_has_changed(town: Town) -> None:
    address = (await town.upload("ada", "ada"))["url"].partition("?")[0]
    first = await town.fetch(address)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f'"x", W/{etag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ):
        answer = await town.fetch(address, **headers)
        assert answer.status_code == status, headers
        assert answer.content == (b"" if status == 304 else PNG)
    head = await town.http.head(address)
    assert (head.content, head.headers["etag"]) == (b"", etag)
    assert head.headers["content-length"] == str(len(PNG))


async def test_an_upload_may_be_repeated_until_the_address_expires(town: Town) -> None:
    made = await town.upload("ada", "ada", PNG)
    town.api.clock.advance(899)
    assert (await town.put(made["url"], JPEG, "image/jpeg")).status_code == 200
    assert (await town.fetch(made["url"].partition("?")[0])).content == JPEG
    town.api.clock.advance(1)
    assert code(await town.put(made["url"], PNG, "image/png")) == (403, "file/access-denied")
    assert (await town.fetch(made["url"].partition("?")[0])).content == JPEG


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML, "image/png"),
        (HTML, "text/html"),
        (PNG, "text/html"),
        (PNG, "image/jpeg"),
        (PNG, "image/svg+xml"),
        (PNG, ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (b"GIF8", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WAVE", "image/webp"),
        (b"", "image/png"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_is_no_picture_is_refused_and_not_kept(
    town: Town, body: bytes, content_type: str
) -> None:
    made = await ask(town)
    assert code(await town.put(made["url"], body, content_type)) == (415, "file/invalid-format")
    assert (await town.fetch(made["url"].partition("?")[0])).status_code == 404


async def test_the_limit_is_five_mebibytes_to_the_byte(town: Town) -> None:
    made = await ask(town)
    whole = PNG + b"\x00" * (LARGEST_AVATAR - len(PNG))
    assert (await town.put(made["url"], whole, "image/png")).status_code == 200

    async def one_more() -> Any:  # streamed: no length is announced
        for _ in range(5):
            yield b"\xff\xd8\xff" + b"\x00" * (1024 * 1024 - 3)
        yield b"\x00"

    for body in (whole + b"\x00", one_more()):
        refused = await town.put(made["url"], body, "image/jpeg")
        assert code(refused) == (413, "file/file-too-large")
    assert (await town.fetch(made["url"].partition("?")[0])).content == whole


async def test_a_signature_is_good_for_its_own_address_alone(town: Town, served: Served) -> None:
    ada, bob = await ask(town), await ask(town, "bob", "bob")
    other = await ask(town)
    query = urlsplit(ada["url"]).query
    parts = {name: values[0] for name, values in parse_qs(query).items()}
    async with _api(served) as elsewhere:
        found = await served.core.hierarchy.environment("app", elsewhere.environment)
        foreign = found["id"]

    def changed(**more: str) -> str:
        pairs = [f"{name}={value}" for name, value in {**parts, **more}.items()]
        return f"http://bkend.test/raw/{ada['key']}?{'&'.join(pairs)}"

    base = "http://bkend.test/raw/"
    for address in (
        f"{base}{bob['key']}?{query}",
        f"{base}{other['key']}?{query}",
        f"{base}{ada['key'].replace(town.api.environment, 'other')}?{query}",
        f"{base}{ada['key'].replace('.png', '.gif')}?{query}",
        f"{base}{ada['key']}",
        f"{base}{ada['key']}?signature=",
        changed(expires=str(int(parts["expires"]) + 1)),
        changed(expires="99999999999"),
        changed(expires="-1"),
        changed(expires="1e9"),
        changed(expires="٩٩"),
        changed(environment=foreign),
        changed(environment=""),
        changed(signature=parts["signature"][:-1]),
        changed(signature=parts["signature"].upper()),
        changed(signature="é"),
        changed(more="x"),
        f"{changed()}&expires={parts['expires']}",
    ):
        refused = await town.put(address, PNG, "image/png")
        assert code(refused) == (403, "file/access-denied"), address
    for key in (ada["key"], bob["key"], other["key"]):
        assert (await town.fetch(base + key)).status_code == 404
    for method in ("POST", "PATCH", "DELETE"):
        assert (await town.http.request(method, ada["url"], content=PNG)).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "avatars/../secret",
        "avatars/%2e%2e/%2e%2e/secret",
        "avatars/dev/..%2f..%2fsecret",
        "avatars/dev/x/../../../secret",
        "avatars/dev/x/%00.png",
        "avatars/dev/x/00000000-0000-4000-8000-000000000000.html",
        "avatars//etc/passwd",
        "avatars/",
        "avatars/.tmp/x",
        "avatars/dev/~zz/00000000-0000-4000-8000-000000000000.png",
        "avatars/dev/~ff/00000000-0000-4000-8000-000000000000.png",
    ],
)
async def test_no_path_leads_out_of_the_pictures(town: Town, path: str) -> None:
    query = urlsplit((await ask(town))["url"]).query
    shown = await town.http.get(f"http://bkend.test/raw/{path}")
    assert shown.status_code == 404
    assert shown.json()["code"] in ("file/not-found", "common/not-found")
    refused = await town.put(f"http://bkend.test/raw/{path}?{query}", PNG, "image/png")
    assert refused.status_code in (403, 404)


async def test_browsers_may_put_from_anywhere(town: Town) -> None:
    made = await ask(town)
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type, x-odd",
    }
    answer = await town.http.options(made["url"], headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type, x-odd"
    stored = await town.put(made["url"], PNG, "image/png")
    assert stored.headers["access-control-allow-origin"] == "*"
    assert "ETag" in stored.headers["access-control-expose-headers"]


async def test_a_stale_authorization_does_no_harm(town: Town) -> None:
    made = await ask(town)
    headers = {"Authorization": "Bearer nonsense", "X-API-Key": "x", "Content-Type": "image/png"}
    assert (await town.http.put(made["url"], content=PNG, headers=headers)).status_code == 200


async def test_a_banned_user_uploads_no_more(town: Town) -> None:
    made = await ask(town)
    await town.ok("secret", "PATCH", town.ids["ada"], {"status": "banned"})
    assert code(await town.put(made["url"], PNG, "image/png")) == (403, "file/access-denied")


async def test_a_user_deleted_during_the_upload_leaves_no_picture(town: Town) -> None:
    made = await ask(town)

    async def slowly() -> Any:
        yield PNG
        await town.ok("secret", "DELETE", town.ids["ada"])
        yield b"\x00"

    assert code(await town.put(made["url"], slowly(), "image/png")) == (403, "file/access-denied")
    assert (await town.fetch(made["url"].partition("?")[0])).status_code == 404


# -- attaching ------------------------------------------------------------------------------


async def picture(town: Town) -> tuple[Any, Any]:
    """Ada's image and key as they are stored."""
    row = decode(await town.api.store.get(USERS, town.ids["ada"]) or b"")
    return row["image"], row.get("avatarKey")


@pytest.mark.parametrize("variant", ["key", "address", "profile key"])
async def test_both_published_ways_show_the_picture_and_replace_the_one_before(
    town: Town, variant: str
) -> None:
    async def attach(made: Any) -> Any:
        address = made["url"].partition("?")[0]
        path = f"{town.ids['ada']}/{'avatar' if variant == 'key' else 'profile'}"
        body = {"s3Key": made["key"]} if variant == "key" else {"image": address}
        if variant == "profile key":
            body = {"image": made["key"]}
        changed = await town.ok("ada", "PATCH", path, body)
        assert changed["image"] == address
        assert (await town.ok("ada", "GET", "/v1/auth/me"))["image"] == address
        assert (await town.fetch(changed["image"])).status_code == 200
        assert await picture(town) == (address, made["key"])
        return address

    first = await attach(await town.upload("ada", "ada"))
    second = await attach(await town.upload("ada", "ada"))
    await attach({"url": second, "key": second.removeprefix("http://bkend.test/raw/")})
    assert (await town.fetch(first)).status_code == 404
    assert (await town.fetch(second)).status_code == 200
    assert await town.api.store.count(OBJECT_REMOVALS) == 0


async def test_a_signature_in_the_image_is_cut_off(town: Town) -> None:
    made = await town.upload("ada", "ada")
    path = f"{town.ids['ada']}/profile"
    changed = await town.ok("ada", "PATCH", path, {"image": made["url"] + "#x"})
    assert changed["image"] == made["url"].partition("?")[0]


async def test_another_address_merely_replaces_but_frees_the_stored_picture(town: Town) -> None:
    address = (await town.upload("ada", "ada"))["url"].partition("?")[0]
    path = f"{town.ids['ada']}/profile"
    outside = "https://pictures.example.com/a.png?token=1"
    await town.ok("ada", "PATCH", path, {"image": address})
    assert (await town.ok("ada", "PATCH", path, {"image": outside}))["image"] == outside
    assert (await town.fetch(address)).status_code == 404
    made = await town.upload("ada", "ada")
    await town.ok("ada", "PATCH", f"{town.ids['ada']}/avatar", {"s3Key": made["key"]})
    assert (await town.ok("ada", "PATCH", path, {"image": None}))["image"] is None
    assert (await town.fetch(made["url"].partition("?")[0])).status_code == 404


async def test_removing_is_idempotent(town: Town) -> None:
    made = await town.upload("ada", "ada")
    ada = town.ids["ada"]
    await town.ok("ada", "PATCH", f"{ada}/avatar", {"s3Key": made["key"]})
    for _ in range(2):
        assert set(await town.ok("ada", "DELETE", f"{ada}/avatar")) == {"message"}
        assert (await town.stored("ada"))["image"] is None
        assert (await town.fetch(made["url"].partition("?")[0])).status_code == 404


async def test_the_picture_of_another_is_not_ones_own(town: Town) -> None:
    made = await town.upload("bob", "bob")
    address = made["url"].partition("?")[0]
    ada = town.ids["ada"]
    assert await town.refused("ada", "PATCH", f"{ada}/avatar", {"s3Key": made["key"]}) == FORBIDDEN
    found = await town.refused("ada", "PATCH", f"{ada}/profile", {"image": made["key"]})
    assert found == INVALID
    await town.ok("ada", "PATCH", f"{ada}/profile", {"image": address})  # an address like any other
    await town.ok("ada", "DELETE", f"{ada}/avatar")
    assert (await town.fetch(address)).status_code == 200


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", INVALID),
        (None, INVALID),
        (7, INVALID),
        ({"$ne": None}, INVALID),
        ("x" * 2000, INVALID),
        ("files/dev/x.png", FORBIDDEN),
        ("avatars/../../etc/passwd", FORBIDDEN),
        ("/etc/passwd", FORBIDDEN),
        ("https://x.example/a.png", FORBIDDEN),
        ("avatars/{environment}/{ada}/../{bob}/x.png", FORBIDDEN),
        ("avatars/other/{ada}/00000000-0000-4000-8000-000000000000.png", FORBIDDEN),
        ("avatars/{environment}/{bob}/00000000-0000-4000-8000-000000000000.png", FORBIDDEN),
        ("avatars/{environment}/{ada}/00000000-0000-4000-8000-000000000000.png", INVALID),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_key_that_cannot_be_attached(
    town: Town, key: Any, expected: tuple[int, str]
) -> None:
    if isinstance(key, str):
        key = key.format(environment=town.api.environment, **town.ids)
    path = f"{town.ids['ada']}/avatar"
    assert await town.refused("ada", "PATCH", path, {"s3Key": key}) == expected
    assert await picture(town) == (None, None)


async def test_of_pictures_attached_at_once_one_stays(town: Town) -> None:
    made = [await town.upload("ada", "ada") for _ in range(6)]
    path = f"{town.ids['ada']}/avatar"
    await asyncio.gather(*(town.ok("ada", "PATCH", path, {"s3Key": m["key"]}) for m in made))
    image, _ = await picture(town)
    addresses = [m["url"].partition("?")[0] for m in made]
    served = [a for a in addresses if (await town.fetch(a)).status_code == 200]
    assert served == [image]
