"""Calls to providers: short, bounded, and never led elsewhere by a redirect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import httpx

_LARGEST = 512 * 1024
_SECONDS = 10.0
_CONNECT_SECONDS = 5.0


class ProviderUnreachable(Exception):
    """The provider did not answer in time, at all, or with something readable. The text is for
    the log: it names the address, never what was sent."""


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """Status and decoded JSON body."""

    status: int
    body: Any

    @property
    def object(self) -> dict[str, Any]:
        """The body if it is an object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}


class Outbound:
    """The client that all environments share; it opens at the first call."""

    def __init__(self, seconds: float = _SECONDS, largest: int = _LARGEST) -> None:
        """`seconds` for a whole call, `largest` answer in bytes."""
        self._seconds = seconds
        self._largest = largest
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> ProviderAnswer:
        """GET; raises ProviderUnreachable."""
        return await self._call("GET", url, headers, None, None)

    async def post_form(
        self, url: str, form: Mapping[str, str], credentials: tuple[str, str] | None = None
    ) -> ProviderAnswer:
        """POST a form, with `credentials` as HTTP Basic; raises ProviderUnreachable."""
        return await self._call("POST", url, None, form, credentials)

    async def close(self) -> None:
        """Close the connections that are kept."""
        if self._client is not None:
            await self._client.aclose()

    async def _call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
        credentials: tuple[str, str] | None,
    ) -> ProviderAnswer:
        import httpx

        # Compressed answers are not asked for: a small one may unfold into a very large one.
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "bkend",
            **(headers or {}),
        }
        auth = httpx.BasicAuth(*credentials) if credentials else None
        client = await self._opened()
        try:
            async with (
                asyncio.timeout(self._seconds),
                client.stream(
                    method, url, headers=sent, data=dict(form) if form else None, auth=auth
                ) as answer,
            ):
                body = await self._read(answer)
                return ProviderAnswer(answer.status_code, orjson.loads(body))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise ProviderUnreachable(f"{url}: {type(error).__name__}") from error
        except orjson.JSONDecodeError as error:
            raise ProviderUnreachable(f"{url}: the answer is not JSON") from error

    async def _read(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise ProviderUnreachable(f"{answer.url}: the answer is compressed, unasked")
        parts: list[bytes] = []
        size = 0
        async for part in answer.aiter_raw():
            size += len(part)
            if size > self._largest:
                raise ProviderUnreachable(f"{answer.url}: the answer is too large")
            parts.append(part)
        return b"".join(parts)

    async def _opened(self) -> httpx.AsyncClient:
        import httpx

        async with self._opening:
            if self._client is None:
                # Reading the certificates takes long enough to be felt by other requests.
                context = await asyncio.to_thread(httpx.create_ssl_context)
                self._client = httpx.AsyncClient(
                    verify=context,
                    follow_redirects=False,
                    timeout=httpx.Timeout(self._seconds, connect=_CONNECT_SECONDS),
                    limits=httpx.Limits(max_connections=50, max_keepalive_connections=10),
                )
            return self._client
