"""People who upload pictures, and whoever looks at them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from bkend.images.service import Images
from tests.auth.conftest import Served, database_url, served
from tests.files.conftest import Archive, archive
from tests.images.pictures import Seen, seen

__all__ = ["archive", "database_url", "served"]


@dataclass
class Gallery:
    """An archive whose files are pictures."""

    archive: Archive

    @property
    def images(self) -> Images:
        return self.archive.api.served.core.images

    @property
    def cache(self) -> Path:
        return self.archive.api.served.core.settings.data / "image-cache"

    async def picture(
        self, content: bytes, kind: str = "image/jpeg", visibility: str = "public"
    ) -> Any:
        """A registered picture of Ada's."""
        made = {"visibility": visibility, "contentType": kind, "filename": "picture"}
        return await self.archive.file("ada", content, made, mimeType=kind, visibility=visibility)

    async def key(self, content: bytes, kind: str = "image/jpeg", **more: Any) -> str:
        return str((await self.picture(content, kind, **more))["key"])

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET below `/img`, as browsers do."""
        return await self.archive.fetch(f"http://bkend.test/img/{path}", **headers)

    async def seen(self, path: str, **headers: str) -> Seen:
        """The picture that is answered, whose type must be what its bytes say."""
        answer = await self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        found = seen(answer.content)
        assert answer.headers["content-type"] == f"image/{found.format}"
        return found

    def kept(self, key: str | None = None) -> list[Path]:
        """Files of the cache, unfinished ones too."""
        return [path for path in self.cache.rglob("*") if path.is_file()]


@pytest_asyncio.fixture(loop_scope="module")
async def gallery(archive: Archive) -> AsyncIterator[Gallery]:
    yield Gallery(archive)


__all__ += ["Archive", "Served"]
