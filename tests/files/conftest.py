"""People with files of every visibility, in environments of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio

from bkend.files.service import Files
from bkend.store.documents import decode
from tests.auth.conftest import Served, _api, database_url, served
from tests.users.conftest import Town

__all__ = ["database_url", "served"]

TEXT = b"The quick brown fox jumps over the lazy dog."
VISIBILITIES = ("public", "protected", "shared", "private")


@dataclass
class Archive(Town):
    """A town whose paths are below `/v1/files`."""

    files: Files = None  # type: ignore[assignment]

    async def call(
        self, who: str, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        url = path if path.startswith("/") else f"/v1/files/{path}".rstrip("/")
        return await super().call(who, method, url, body, **options)

    async def presign(self, who: str = "ada", **body: Any) -> Any:
        """An address to upload to."""
        wanted = {"filename": "fox.txt", "contentType": "text/plain", **body}
        return await self.ok(who, "POST", "presigned-url", wanted)

    async def upload(  # type: ignore[override]
        self, who: str = "ada", content: bytes = TEXT, **body: Any
    ) -> Any:
        """Presign and PUT; the answer of the first."""
        made = await self.presign(who, **body)
        answer = await self.put(made["url"], content)
        assert answer.status_code == 200, answer.text
        return made

    async def file(
        self, who: str = "ada", content: bytes = TEXT, presigned: Any = None, **body: Any
    ) -> Any:
        """A registered file."""
        made = await self.upload(who, content, **(presigned or {}))
        given = {"s3Key": made["key"], "originalName": "fox.txt", "mimeType": "text/plain"}
        return await self.ok(who, "POST", "", {**given, "size": len(content), **body}, status=201)

    async def put(  # type: ignore[override]
        self, url: str, body: Any, **headers: str
    ) -> httpx.Response:
        """PUT as browsers do: neither key nor token."""
        return await self.http.send(httpx.Request("PUT", url, content=body, headers=headers))

    async def set(self, **settings: Any) -> None:
        """Project settings, dots written as `__`."""
        served = self.api.served
        state = self.files.environment
        project = await served.core.database.control.get("projects", state.project.id)
        assert project is not None
        changes = {name.replace("__", "."): value for name, value in settings.items()}
        await served.core.projects.update(decode(project), {"settings": changes})

    async def shown(self, key: str, **headers: str) -> httpx.Response:
        """GET of a key without a signature."""
        return await self.fetch(f"http://bkend.test/raw/{key}", **headers)

    async def listed(self, who: str, query: str = "") -> Sequence[str]:
        """The ids of a list."""
        found = await self.ok(who, "GET", f"/v1/files{query}")
        return [one["id"] for one in found["items"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal at `/raw`."""
    found = answer.json()
    assert found["success"] is False
    assert found["statusCode"] == answer.status_code
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status_code, found["code"]


@pytest_asyncio.fixture(loop_scope="module")
async def archive(served: Served) -> AsyncIterator[Archive]:
    """Ada and Bob, plain users; Eve, an admin; Guy, a guest; the keys alone."""
    async with _api(served) as api:
        opened = [
            one
            for one in served.core.environments.opened()
            if one.files.environment.name == api.environment
        ]
        found = Archive(api, files=opened[0].files)
        found.callers["anonymous"] = (api.http.headers["X-API-Key"], "")
        found.callers["secret"] = (api.secret_key, "")
        for name, role in (("ada", "user"), ("bob", "user"), ("eve", "admin"), ("guy", "guest")):
            await found.add(name, role)
        yield found
        await found.set(
            storage__defaultVisibility=None,
            storage__guestPublicRead=None,
            storage__maxUploadBytes=None,
        )
