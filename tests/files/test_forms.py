"""Uploads as a form (30 §5.10), read as they come and bounded in everything but the file
(attack 38: endless fields, big texts, disks that fill up)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bkend.errors import InvalidParameters
from bkend.files.collections import FILES, UPLOADS
from bkend.files.forms import FormReader
from bkend.store import Find
from tests.files.conftest import TEXT, Archive

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID = (400, "common/invalid-parameters")
FORM = "multipart/form-data; boundary=xyz"


async def send(archive: Archive, who: str = "ada", **parts: Any) -> Any:
    return await archive.call(who, "POST", "upload", files=parts.pop("files", None), **parts)


async def nothing_is_left(archive: Archive) -> bool:
    counts = [(await archive.api.store.find(Find(name))).total for name in (FILES, UPLOADS)]
    folder = archive.files.environment
    prefix = f"{folder.project.id}/{folder.name}/"
    keys = [key async for key in archive.api.served.core.objects.keys(prefix)]
    return counts == [0, 0] and not keys


async def test_a_file_with_what_is_said_of_it(archive: Archive) -> None:
    answer = await send(
        archive,
        files={"file": ("Füchse.txt", TEXT, "text/plain")},
        data={"visibility": "public", "category": "documents", "metadata": '{"tags":["a"]}'},
    )
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert (file["originalName"], file["mimeType"], file["size"]) == (
        "Füchse.txt",
        "text/plain",
        len(TEXT),
    )
    assert (file["category"], file["bucket"], file["metadata"]) == (
        "documents",
        "documents",
        {"tags": ["a"]},
    )
    assert (await archive.shown(file["key"])).content == TEXT
    assert await archive.listed("ada") == [file["id"]]


def raw(*parts: tuple[str, bytes]) -> bytes:
    """A form as bytes; the first of each pair are the headers."""
    pieces = [b"--xyz\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts]
    return b"".join(pieces) + b"--xyz--\r\n"


FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain'


def text(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"'


async def post(archive: Archive, body: bytes, kind: str = FORM) -> Any:
    key, token = archive.callers["ada"]
    headers = {"X-API-Key": key, "Authorization": f"Bearer {token}", "Content-Type": kind}
    return await archive.http.post("/v1/files/upload", content=body, headers=headers)


async def test_texts_may_come_after_the_file(archive: Archive) -> None:
    answer = await post(
        archive, raw((FILE, b"--xyz\r\n-\r\n--xy"), (text("visibility"), b"public"))
    )
    assert answer.status_code == 201, answer.text
    shown = await archive.shown(answer.json()["key"])
    assert shown.content == b"--xyz\r\n-\r\n--xy"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        raw(),
        raw((text("visibility"), b"public")),
        raw((FILE, TEXT), (FILE, TEXT)),
        raw((FILE, TEXT), (text("visibility"), b"secret")),
        raw((FILE, TEXT), (text("metadata"), b"[1]")),
        raw((FILE, TEXT), (text("metadata"), b"{")),
        raw((text("category"), b"\xff"), (FILE, TEXT)),
        raw((FILE, TEXT), (text("x"), b"y" * 70_000)),
        raw((FILE, TEXT), *[(text(f"f{n}"), b"x") for n in range(30)]),
        raw((FILE, TEXT), ("X: " + "y" * 10_000, b"")),
        raw((FILE, TEXT), ("Content-Type: text/plain", b"")),
        raw((FILE, TEXT))[:-8],
        raw((FILE, TEXT))[: 80 + len(TEXT)],
        b"x" * 100_000,
    ],
    ids=range(16),
)
async def test_a_form_that_is_none(archive: Archive, body: bytes) -> None:
    answer = await post(archive, body)
    assert (answer.status_code, answer.json()["code"]) == INVALID
    assert await nothing_is_left(archive)


async def test_other_refusals_keep_nothing_either(archive: Archive) -> None:
    await archive.set(storage__maxUploadBytes=10)
    for body, kind, code in (
        (raw((FILE, b"x" * 11)), FORM, "file/file-too-large"),
        (raw((FILE, b"")), FORM, "file/file-too-small"),
        (raw((FILE.replace("a.txt", "a/b"), b"x")), FORM, "file/invalid-name"),
        (raw((FILE.replace("text/plain", "nope"), b"x")), FORM, "file/invalid-format"),
        (raw((FILE, b"x")), "multipart/form-data", "common/invalid-parameters"),
        (raw((FILE, b"x")), "application/json", "common/invalid-parameters"),
        (raw((FILE, b"x")), f"{FORM}{'y' * 80}", "common/invalid-parameters"),
    ):
        answer = await post(archive, body, kind)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert await nothing_is_left(archive)
    assert (await post(archive, raw((FILE, b"x" * 10)))).status_code == 201


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_pieces_of_every_size_are_the_same_form(size: int) -> None:
    content = b"\r\n--xy\r\n--xyz" + b"\r" * 5 + b"\r\n--xyy" * 3
    content = content.replace(b"\r\n--xyz", b"\r\n--xy_")
    body = raw((text("a"), b""), (FILE, content), (text("b"), b"\r\n"))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    reader = FormReader(FORM, pieces())
    found = {}
    while (part := await reader.part()) is not None:
        found[part.name] = b"".join([piece async for piece in reader.body()])
    assert found == {"a": b"", "file": content, "b": b"\r\n"}


async def test_a_part_that_is_not_read_is_passed_over() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield raw((FILE, TEXT), (text("b"), b"x"))

    reader = FormReader(FORM, pieces())
    await reader.part()
    part = await reader.part()
    assert part is not None
    assert (part.name, await reader.text()) == ("b", b"x")
    assert await reader.part() is None
    with pytest.raises(InvalidParameters):
        FormReader("text/plain", pieces())
