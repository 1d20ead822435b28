"""Uploads for which the disk has no room: refused, and nothing that was there is lost (30 §5.2)."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from bkend.files.collections import UPLOADS
from bkend.objects.interface import ObjectsUnavailable
from bkend.store import Find
from tests.files.conftest import TEXT, Archive

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_disk_that_is_full_refuses_and_keeps_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await archive.presign()

    def full(*_: Any) -> None:
        raise ObjectsUnavailable("full")

    monkeypatch.setattr("bkend.objects.local.LocalObjects._begin", full)
    answer = await archive.put(made["url"], TEXT)
    assert (answer.status_code, answer.json()["code"]) == (503, "common/unavailable")
    monkeypatch.undo()
    assert (await archive.api.store.find(Find(UPLOADS))).total == 1
    assert (await archive.put(made["url"], TEXT)).status_code == 200


async def test_a_disk_that_fills_up_midway_keeps_what_was_there(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await archive.upload(visibility="public")
    folder = archive.api.served.core.settings.data / "objects" / ".tmp"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("bkend.objects.local.os.fsync", full)
        answer = await archive.put(made["url"], b"other")
        assert (answer.status_code, answer.json()["code"]) == (503, "common/unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "No space" not in answer.text
    assert list(folder.iterdir()) == []
    assert (await archive.shown(made["key"])).content == TEXT


async def test_only_the_room_that_is_needed_is_asked_of_the_disk(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address without a size takes up to 100 MiB; a small file needs less than that."""

    class Nearly:
        free = 64 * 1024 * 1024 + 1000

    monkeypatch.setattr("bkend.objects.local.shutil.disk_usage", lambda _: Nearly)
    made = await archive.presign()
    assert (await archive.put(made["url"], b"x" * 1001)).status_code == 503
    assert (await archive.put(made["url"], b"x" * 1000)).status_code == 200
