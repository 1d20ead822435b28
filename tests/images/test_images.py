"""`/img`: what comes of real pictures, and how it is answered (30 §8)."""

from __future__ import annotations

import pytest

from tests.files.conftest import code
from tests.images.conftest import Gallery
from tests.images.pictures import (
    BLUE,
    GREEN,
    RED,
    SVG,
    WEBP,
    animation,
    halves,
    jpeg,
    noisy,
    plain,
    png,
    see_through,
    seen,
    turned,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHITE = [255, 255, 255]


# -- sizes ----------------------------------------------------------------------------------------


async def test_sides(gallery: Gallery) -> None:
    square = await gallery.key(jpeg(halves(600, 600)))
    small = await gallery.key(jpeg(halves(100, 50)))
    for path, sides in {
        f"fit-in/300x200/{square}": (200, 200),
        f"fit-in/300x200/{small}": (100, 50),
        f"fit-in/50x0/{small}": (50, 25),
        f"fit-in/0x20/{small}": (40, 20),
        f"fit-in/200x0/{small}": (100, 50),
        f"fit-in/0x0/{small}": (100, 50),
        f"80x80/smart/{small}": (80, 80),
        f"80x80/smart/{square}": (80, 80),
        f"301x7/{square}": (301, 7),
        f"300x200/{small}": (300, 200),
        f"200x0/{small}": (200, 100),
        f"0x25/{small}": (50, 25),
        f"0x0/{small}": (100, 50),
        small: (100, 50),
        f"smart/{small}": (100, 50),
    }.items():
        assert (await gallery.seen(path)).sides == sides, path


async def test_the_middle_is_kept_of_a_plain_crop(gallery: Gallery) -> None:
    key = await gallery.key(jpeg(halves(300, 100)))
    found = await gallery.seen(f"100x100/{key}")
    assert found.is_like(20, 50, RED)
    assert found.is_like(80, 50, BLUE)


@pytest.mark.parametrize("left", [0, 250, 500])
async def test_a_smart_crop_finds_the_details_each_time(gallery: Gallery, left: int) -> None:
    picture = plain(600, 100, RED).insert(noisy(100, 100), left, 0)
    key = await gallery.key(png(picture), "image/png")
    answers = [await gallery.get(f"100x100/smart/{word}{key}") for word in ("", "filters:a()/")]
    assert answers[0].content == answers[1].content
    found = seen(answers[0].content)
    assert found.image[0].deviate() > 40  # noise has 60, the plain rest none
    plainly = await gallery.seen(f"100x100/{key}")
    assert (plainly.image[0].deviate() > 40) is (left == 250)


async def test_pixels_of_one_side_are_enough(gallery: Gallery) -> None:
    key = await gallery.key(png(plain(1, 3000)), "image/png")
    assert (await gallery.seen(f"fit-in/10x10/{key}")).sides == (1, 10)
    for word in ("50x50", "50x50/smart", "4096x4000", "4096x4000/smart"):
        sides = tuple(map(int, word.partition("/")[0].split("x")))
        assert (await gallery.seen(f"{word}/filters:format(jpeg)/{key}")).sides == sides


# -- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["webp", "jpeg", "jpg", "png", "gif", "avif"])
async def test_the_format_that_is_asked_for(gallery: Gallery, word: str) -> None:
    key = await gallery.key(jpeg(halves(60, 40)))
    answer = await gallery.get(f"fit-in/30x0/filters:format({word})/{key}")
    found = seen(answer.content)
    assert found.format == word.replace("jpg", "jpeg")
    assert answer.headers["content-type"] == f"image/{found.format}"
    assert "vary" not in answer.headers
    assert found.sides == (30, 20)
    assert found.is_like(5, 10, RED)
    assert found.is_like(25, 10, BLUE)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("image/jpeg", jpeg(halves(60, 40))),
        ("image/png", png(halves(60, 40))),
        ("application/octet-stream", png(halves(60, 40))),
    ],
    ids=["jpeg", "png", "of no type"],
)
async def test_webp_for_those_who_take_it(gallery: Gallery, kind: str, made: bytes) -> None:
    key = await gallery.key(made, kind)
    for path in (key, f"30x20/{key}", f"filters:quality(50)/{key}"):
        with_webp, without = await gallery.get(path, **WEBP), await gallery.get(path)
        assert seen(with_webp.content).format == "webp"
        assert seen(without.content).format == seen(made).format
        assert with_webp.headers["vary"] == without.headers["vary"] == "Accept"
        assert with_webp.headers["etag"] != without.headers["etag"]
    declined = await gallery.seen(key, Accept="image/webp;q=0, image/*")
    assert declined.format == seen(made).format


@pytest.mark.parametrize("kind", ["gif", "webp", "avif"])
async def test_other_formats_stay(gallery: Gallery, kind: str) -> None:
    picture = halves(64, 64)
    made = {
        "gif": picture.gifsave_buffer(),
        "webp": picture.webpsave_buffer(),
        "avif": picture.heifsave_buffer(compression="av1"),
    }[kind]
    key = await gallery.key(made, f"image/{kind}")
    answer = await gallery.get(f"32x32/{key}", **WEBP)
    found = seen(answer.content)
    assert (found.format, found.sides) == (kind, (32, 32))
    assert found.is_like(4, 16, RED)
    assert "vary" not in answer.headers


@pytest.mark.parametrize("kind", ["gif", "webp"])
async def test_an_animation_goes_on(gallery: Gallery, kind: str) -> None:
    key = await gallery.key(animation(kind=kind), f"image/{kind}")
    for path, sides in {
        key: (60, 40),
        f"fit-in/30x30/{key}": (30, 20),
        f"20x20/{key}": (20, 20),
        f"20x20/smart/{key}": (20, 20),
        f"120x0/filters:blur(1)/{key}": (120, 80),
    }.items():
        found = await gallery.seen(path)
        assert (found.format, found.frames, found.sides) == (kind, 3, sides), path
        assert found.image.get("delay") == [120, 120, 120]
        middle = sides[1] // 2
        for number, colour in enumerate((RED, GREEN, BLUE)):
            assert found.is_like(sides[0] - 5, number * sides[1] + middle, colour), path


async def test_of_an_animation_in_another_format_the_first_frame_is_left(gallery: Gallery) -> None:
    key = await gallery.key(animation(), "image/gif")
    for word in ("webp", "png", "jpeg", "avif"):
        found = await gallery.seen(f"filters:format({word})/{key}")
        assert (found.format, found.frames, found.sides) == (word, 1, (60, 40))
        assert found.is_like(50, 20, RED)


# -- what is done to the pixels -------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [3, 6, 8])
async def test_pictures_stand_upright_and_tell_nothing(gallery: Gallery, orientation: int) -> None:
    upright = halves(90, 60)
    lying = {3: upright.rot180(), 6: upright.rot270(), 8: upright.rot90()}[orientation]
    content = turned(lying, orientation)
    assert seen(content).image.get("orientation") == orientation
    key = await gallery.key(content)
    for path, sides in {
        key: (90, 60),
        f"fit-in/45x45/{key}": (45, 30),
        f"40x20/{key}": (40, 20),
        f"filters:format(png)/{key}": (90, 60),
        f"filters:format(avif)/{key}": (90, 60),
    }.items():
        found = await gallery.seen(path)
        assert found.sides == sides, path
        assert found.is_like(3, 10, RED), path
        assert found.is_like(sides[0] - 4, 10, BLUE), path
        told = [
            name for name in found.image.get_fields() if name.startswith(("exif", "xmp", "icc"))
        ]
        assert told == [], path
        if found.image.get_typeof("orientation"):
            assert found.image.get("orientation") == 1


async def test_transparency(gallery: Gallery) -> None:
    key = await gallery.key(png(see_through(60, 40)), "image/png")
    for word in ("png", "webp", "avif", "gif"):
        found = await gallery.seen(f"fit-in/30x0/filters:format({word})/{key}")
        assert found.image.hasalpha(), word
        assert found.at(5, 10)[3] > 250, word
        assert found.at(25, 10)[3] < 5, word
    onto_white = await gallery.seen(f"fit-in/30x0/filters:format(jpeg)/{key}")
    assert onto_white.is_like(5, 10, BLUE)
    assert onto_white.is_like(25, 10, WHITE)


@pytest.mark.parametrize("profile", ["cmyk", "p3", "grey", "16 bits"])
async def test_colours_are_those_of_srgb(gallery: Gallery, profile: str) -> None:
    picture, expected = plain(40, 40, RED), RED
    match profile:
        case "cmyk":
            content = jpeg(picture.icc_transform("cmyk", input_profile="srgb"))
            assert seen(content).image.bands == 4
        case "p3":
            wide = picture.icc_transform("p3", input_profile="srgb")
            assert abs(wide.getpoint(0, 0)[0] - RED[0]) > 10
            content = jpeg(wide, Q=95)
        case "grey":
            content, expected = png(picture.colourspace("b-w")), [101, 101, 101]
        case _:
            content = png(picture.colourspace("rgb16"))
            assert seen(content).image.format == "ushort"
    key = await gallery.key(content)
    for word in ("jpeg", "png", "webp"):
        found = await gallery.seen(f"20x20/filters:format({word})/{key}")
        assert found.image.format == "uchar"
        assert not found.image.get_typeof("icc-profile-data")
        if found.image.bands == 1:
            assert abs(found.at(10, 10)[0] - expected[0]) < 20
        else:
            assert found.is_like(10, 10, expected, within=25), (word, found.at(10, 10))


async def test_quality_is_the_size_of_the_answer(gallery: Gallery) -> None:
    key = await gallery.key(png(noisy(120, 120)), "image/png")
    for word in ("jpeg", "webp", "avif"):
        sizes = [
            len((await gallery.get(f"filters:format({word}){more}/{key}")).content)
            for more in (":quality(10)", "", ":quality(80)", ":quality(100)", ":quality(900)")
        ]
        assert sizes[0] < sizes[1] == sizes[2] < sizes[3] == sizes[4], word


async def test_blur_takes_details_away(gallery: Gallery) -> None:
    key = await gallery.key(png(noisy(200, 200)), "image/png")
    sharp = (await gallery.seen(key)).image.deviate()
    blurs = ("blur(1)", "blur(4)", "blur(20)", "blur(9999)")
    found = [(await gallery.seen(f"filters:{blur}/{key}")).image.deviate() for blur in blurs]
    assert sharp > found[0] > found[1] > found[2] >= found[3]
    assert (await gallery.seen(f"filters:blur(150,0.5)/{key}")).image.deviate() > found[1]


async def test_a_blurred_edge_of_transparency_keeps_its_colour(gallery: Gallery) -> None:
    key = await gallery.key(png(see_through(60, 40)), "image/png")
    found = await gallery.seen(f"filters:blur(4):format(png)/{key}")
    assert 20 < found.at(30, 20)[3] < 235
    assert found.is_like(30, 20, BLUE)


# -- answers --------------------------------------------------------------------------------------


async def test_headers(gallery: Gallery) -> None:
    key = await gallery.key(jpeg(halves(60, 40)))
    path = f"30x20/{key}"
    answer = await gallery.get(path)
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    etag = answer.headers["etag"]
    assert etag.startswith('"')
    assert (await gallery.get(path)).headers["etag"] == etag
    assert (await gallery.get(f"030x20/filters:later()/{key}")).headers["etag"] == etag
    head = await gallery.archive.http.head(f"/img/{path}")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    assert head.headers["content-length"] == str(len(answer.content))
    part = await gallery.get(path, Range="bytes=0-1")
    assert (part.status_code, part.content) == (206, answer.content[:2])
    asked = await gallery.archive.http.options(f"/img/{path}", headers={"Origin": "https://x.y"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"


async def test_what_has_not_changed_is_not_sent_again(gallery: Gallery) -> None:
    key = await gallery.key(jpeg(halves(60, 40)))
    answer = await gallery.get(f"30x20/{key}")
    made = len(gallery.kept())
    for headers in (
        {"If-None-Match": answer.headers["etag"]},
        {"If-None-Match": f'"x", W/{answer.headers["etag"]}'},
        {"If-Modified-Since": answer.headers["last-modified"]},
    ):
        again = await gallery.get(f"30x20/{key}", **headers)
        assert (again.status_code, again.content) == (304, b""), headers
        assert again.headers["etag"] == answer.headers["etag"]
        assert again.headers["vary"] == "Accept"
        assert "content-type" not in again.headers
    assert len(gallery.kept()) == made
    other = {"If-None-Match": answer.headers["etag"], **WEBP}
    assert (await gallery.get(f"30x20/{key}", **other)).status_code == 200


async def test_the_original_is_never_changed(gallery: Gallery) -> None:
    content = turned(halves(60, 40), 6)
    key = await gallery.key(content)
    assert (await gallery.get(f"10x10/filters:format(png)/{key}")).status_code == 200
    assert (await gallery.archive.shown(key)).content == content


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/SVG+xml; charset=utf-8"])
async def test_svg_is_what_it_is_at_raw(gallery: Gallery, kind: str) -> None:
    key = await gallery.key(SVG, kind)
    raw = await gallery.archive.shown(key)
    for path in (key, f"300x200/smart/filters:format(png)/{key}"):
        answer = await gallery.get(path, **WEBP)
        assert answer.content == SVG
        for name in ("content-type", "content-disposition", "content-security-policy", "etag"):
            assert answer.headers[name] == raw.headers[name]
    assert raw.headers["content-disposition"].startswith("attachment")
    hidden = await gallery.key(SVG, kind, visibility="private")
    assert code(await gallery.get(hidden)) == (403, "file/access-denied")


# -- refusals -------------------------------------------------------------------------------------


async def test_only_public_files_are_shown(gallery: Gallery) -> None:
    for visibility in ("protected", "shared", "private"):
        file = await gallery.picture(jpeg(plain(9, 9)), visibility=visibility)
        url = (await gallery.archive.ok("ada", "POST", f"{file['id']}/download-url"))["url"]
        query = url.partition("?")[2]
        for path in (file["key"], f"5x5/{file['key']}", f"5x5/{file['key']}?{query}"):
            answer = await gallery.get(path)
            assert code(answer) == (403, "file/access-denied")
            assert answer.headers["cache-control"] == "no-store"


async def test_an_upload_is_shown_as_it_was_announced(gallery: Gallery) -> None:
    content = jpeg(plain(9, 9))
    for visibility, status in (("public", 200), ("private", 403)):
        made = await gallery.archive.upload(
            "ada", content, contentType="image/jpeg", visibility=visibility
        )
        assert (await gallery.get(f"5x5/{made['key']}")).status_code == status
    pending = await gallery.archive.presign(visibility="public")
    assert code(await gallery.get(pending["key"])) == (404, "file/not-found")


async def test_an_avatar_is_an_image_too(gallery: Gallery) -> None:
    archive = gallery.archive
    path = f"/v1/users/{archive.ids['ada']}/avatar"
    made = await archive.ok("ada", "POST", f"{path}/upload-url", {"filename": "me.png"})
    unused = f"80x80/smart/{made['key']}"
    assert code(await gallery.get(unused)) == (404, "file/not-found")
    content = png(noisy(200, 100))
    sent = await archive.put(made["url"], content, **{"Content-Type": "image/png"})
    assert sent.status_code == 200
    found = await gallery.seen(unused, **WEBP)
    assert (found.sides, found.format) == ((80, 80), "webp")
    await archive.ok("ada", "PATCH", path, {"s3Key": made["key"]})
    await archive.ok("ada", "DELETE", path)
    assert code(await gallery.get(unused)) == (404, "file/not-found")
    assert code(await gallery.get("avatars/e1/x/y.png")) == (404, "file/not-found")


async def test_paths_never_lead_to_another_object(gallery: Gallery) -> None:
    hidden = await gallery.key(jpeg(plain(9, 9)), visibility="private")
    public = await gallery.key(jpeg(plain(9, 9)))
    folder, _, name = hidden.rpartition("/")
    for path in (
        f"5x5/{folder}/../{name}",
        f"5x5/{public}/../{name}",
        f"5x5/{public}%2F..%2F{name}",
        f"5x5/%2e%2e/{hidden}",
        f"5x5//{public}",
        f"5x5/{public}/",
        f"5x5/{public}%00",
        f"5x5/other/{public.partition('/')[2]}",
        f"5x5/{folder}",
        "5x5/../../../../etc/passwd",
        "5x5/.tmp/x",
        "5x5/" + "a" * 3000,
        "filters:watermark(/etc/passwd)/x",
    ):
        assert (await gallery.get(path)).status_code in (403, 404), path
    encoded = await gallery.get(f"5x5/{hidden.replace('/', '%2F')}")
    assert code(encoded) == (403, "file/access-denied")
    assert (await gallery.get(f"5x5%2F{public.replace('/', '%2F')}")).status_code == 200


async def test_refusals_of_paths(gallery: Gallery) -> None:
    key = await gallery.key(jpeg(plain(9, 9)))
    for path, expected in {
        "none": (404, "file/not-found"),
        f"4097x1/{key}": (400, "file/invalid-path"),
        f"filters:quality(x)/{key}": (400, "file/invalid-path"),
        f"filters:format(bmp)/{key}": (400, "file/invalid-format"),
        "": (400, "file/invalid-path"),
    }.items():
        answer = await gallery.get(path)
        assert code(answer) == expected
        assert answer.headers["cache-control"] == "no-store"
    for method in ("POST", "PUT", "DELETE"):
        answer = await gallery.archive.http.request(method, f"/img/{key}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_what_is_too_long_for_webp_stays_as_it_is(gallery: Gallery) -> None:
    key = await gallery.key(png(plain(17_000, 2)), "image/png")
    assert (await gallery.seen(key, **WEBP)).format == "png"
    asked = await gallery.get(f"filters:format(webp)/{key}")
    assert code(asked) == (400, "file/invalid-format")
    assert (await gallery.seen(f"fit-in/100x0/{key}", **WEBP)).format == "webp"
