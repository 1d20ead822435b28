"""People of every kind at `/v1/users`, in environments of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio

from bkend.auth.collections import USERS
from bkend.store import Update
from tests.auth.conftest import CLIENT, PASSWORD, Api, Served, _api, database_url, served

__all__ = ["database_url", "served"]

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 64
GIF = b"GIF89a" + b"\x00" * 64
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"\x00" * 64
PICTURES = {"image/png": PNG, "image/jpeg": JPEG, "image/gif": GIF, "image/webp": WEBP}

Caller = tuple[str, str]
"""Key and token, either may be empty."""


@dataclass
class Town:
    """An environment with its people, and the callers that they are."""

    api: Api
    callers: dict[str, Caller] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def http(self) -> httpx.AsyncClient:
        return self.api.http

    async def add(self, name: str, role: str = "user") -> str:
        """Sign somebody up, without a request; the user's id."""
        made: Any = await self.api.auth.sign_up(f"{name}@example.com", PASSWORD, name, CLIENT)
        self.ids[name] = made["user"]["id"]
        self.callers[name] = (self.http.headers["X-API-Key"], made["accessToken"])
        if role != "user":
            await self.api.store.commit([Update(USERS, self.ids[name], set={"role": role})])
        return self.ids[name]

    async def call(
        self, who: str, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        """A call below `/v1/users`, or of a path that begins with `/`."""
        key, token = self.callers[who]
        headers = {"X-API-Key": key} | ({"Authorization": f"Bearer {token}"} if token else {})
        if body is not None:
            options["json"] = body
        url = path if path.startswith("/") else f"/v1/users/{path}".rstrip("/")
        return await self.http.request(method, url, headers=headers, **options)

    async def ok(
        self, who: str, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any
    ) -> Any:
        """The body of an answer with that status."""
        answer = await self.call(who, method, path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def refused(
        self, who: str, method: str, path: str, body: Any = None, **more: Any
    ) -> tuple[int, str]:
        """Status and code of a refusal, whose body must be well formed."""
        answer = await self.call(who, method, path, body, **more)
        found = answer.json()
        assert found["success"] is False, found
        assert found["statusCode"] == answer.status_code
        assert found["code"] == found["error"]["code"]
        return answer.status_code, found["code"]

    async def stored(self, name: str) -> dict[str, Any]:
        """The user as admins see it."""
        found: dict[str, Any] = await self.ok("secret", "GET", self.ids[name])
        return found

    async def upload(self, who: str, name: str, picture: bytes = PNG, kind: str = "png") -> Any:
        """Ask for an address and put a picture there; the answer with the address."""
        made = await self.ok(
            who, "POST", f"{self.ids[name]}/avatar/upload-url", {"filename": f"me.{kind}"}
        )
        answer = await self.put(made["url"], picture, f"image/{kind}")
        assert answer.status_code == 200, answer.text
        return made

    async def put(self, url: str, body: Any, content_type: str) -> httpx.Response:
        """PUT as browsers do: neither key nor token."""
        request = httpx.Request("PUT", url, content=body, headers={"Content-Type": content_type})
        return await self.http.send(request)

    async def fetch(self, url: str, **headers: str) -> httpx.Response:
        """GET as browsers do."""
        return await self.http.send(httpx.Request("GET", url, headers=headers))


@pytest_asyncio.fixture(loop_scope="module")
async def town(served: Served) -> AsyncIterator[Town]:
    """Ada and Bob, plain users; Eve, an admin; Guy, a guest; the keys alone."""
    async with _api(served) as api:
        found = Town(api)
        found.callers["anonymous"] = (api.http.headers["X-API-Key"], "")
        found.callers["secret"] = (api.secret_key, "")
        for name, role in (("ada", "user"), ("bob", "user"), ("eve", "admin"), ("guy", "guest")):
            await found.add(name, role)
        yield found
