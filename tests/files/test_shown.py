"""Bytes at `/raw` as they are shown: ranges, conditions, headers (30 §7)."""

from __future__ import annotations

import pytest

from tests.files.conftest import TEXT, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-3", b"The "),
        ("bytes=40-", b"dog."),
        ("bytes=-4", b"dog."),
        ("bytes=40-1000", b"dog."),
        ("bytes=-1000", TEXT),
        ("Bytes = 0-0", b"T"),
        ("bytes=0-3, 900-", b"The "),
    ],
)
async def test_a_range(archive: Archive, header: str, wanted: bytes) -> None:
    file = await archive.file(visibility="public")
    answer = await archive.shown(file["key"], Range=header)
    assert (answer.status_code, answer.content) == (206, wanted)
    start = TEXT.index(wanted)
    expected = f"bytes {start}-{start + len(wanted) - 1}/{len(TEXT)}"
    assert answer.headers["content-range"] == expected
    assert answer.headers["content-length"] == str(len(wanted))
    assert "Content-Range" in answer.headers["access-control-expose-headers"]


async def test_several_ranges_and_those_that_are_too_much(archive: Archive) -> None:
    """Attack 37: many, overlapping, endless or malformed ranges cost no more than the file."""
    file = await archive.file(visibility="public")
    answer = await archive.shown(file["key"], Range="bytes=0-2,40-")
    assert answer.status_code == 206
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert (
        answer.content
        == (
            f"--{boundary}\r\nContent-Type: text/plain\r\n"
            f"Content-Range: bytes 0-2/44\r\n\r\nThe\r\n"
            f"--{boundary}\r\nContent-Type: text/plain\r\n"
            f"Content-Range: bytes 40-43/44\r\n\r\ndog.\r\n"
            f"--{boundary}--\r\n"
        ).encode()
    )
    assert answer.headers["content-length"] == str(len(answer.content))
    for ignored in (
        "bytes=" + ",".join(f"{n}-{n}" for n in range(17)),
        "bytes=" + "0-0," * 100_000 + "0-0",
        "bytes=0-,0-,0-",
        "bytes=3-1",
        "bytes=x",
        "bytes=-",
        "bytes=" + "9" * 4000 + "-",
        "lines=0-1",
        "bytes=0-1;2-3",
    ):
        answer = await archive.shown(file["key"], Range=ignored)
        assert (answer.status_code, answer.content) == (200, TEXT), ignored[:40]
    for beyond in ("bytes=44-", "bytes=-0", "bytes=99-100,200-"):
        answer = await archive.shown(file["key"], Range=beyond)
        assert code(answer) == (416, "file/range-not-satisfiable")
        assert answer.headers["content-range"] == "bytes */44"


async def test_only_what_has_changed_is_sent(archive: Archive) -> None:
    file = await archive.file(visibility="public")
    first = await archive.shown(file["key"])
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f'"x", W/{etag}'}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"Range": "bytes=0-0", "If-Range": etag}, 206),
        ({"Range": "bytes=0-0", "If-Range": modified}, 206),
        ({"Range": "bytes=0-0", "If-Range": '"x"'}, 200),
        ({"Range": "bytes=0-0", "If-None-Match": etag}, 304),
    ):
        answer = await archive.shown(file["key"], **headers)
        assert answer.status_code == status, headers
    head = await archive.http.head(f"/raw/{file['key']}")
    assert (head.content, head.headers["etag"]) == (b"", etag)
    assert head.headers["content-length"] == str(len(TEXT))


@pytest.mark.parametrize(
    ("kind", "is_inline"),
    [
        ("image/png", True),
        ("image/svg+xml", False),
        ("IMAGE/SVG+xml", False),
        ("audio/mpeg", True),
        ("video/mp4", True),
        ("application/pdf", True),
        ("text/plain", True),
        ("text/html", False),
        ("application/xhtml+xml", False),
        ("text/xml", False),
        ("application/javascript", False),
    ],
)
async def test_nothing_with_scripts_is_shown_in_a_browser(
    archive: Archive, kind: str, is_inline: bool
) -> None:
    content = SVG if "svg" in kind.lower() else HTML
    made = {"visibility": "public", "contentType": kind}
    file = await archive.file(
        content=content, presigned=made, mimeType=kind, originalName='a";\u00e9 b.html'
    )
    answer = await archive.shown(file["key"])
    assert answer.content == content
    assert answer.headers["content-type"] == kind.lower()
    word = "inline" if is_inline else "attachment"
    expected = f"{word}; filename*=UTF-8''a%22%3B%C3%A9%20b.html"
    assert answer.headers["content-disposition"] == expected
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=86400"
