"""Calls of commands to the management API of a server."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bkend.cli.commands import Refused

if TYPE_CHECKING:
    import httpx

TOKEN_VARIABLE = "BKEND_TOKEN"  # noqa: S105  the name of a variable
_SECONDS = 30
_CHANGE_SECONDS = 3600
"""An index over many rows takes its time, and so does erasing a field from them."""


class RemoteRefusal(Refused):
    """The server refused; `code` says why, the text names every detail as local refusals do."""

    def __init__(self, code: str, message: str, details: Sequence[str] = ()) -> None:
        super().__init__("\n".join(details) or message)
        self.code = code
        self.message = message


def logged_in(server: str) -> Remote:
    """The server with the token of `BKEND_TOKEN`, else of `bkend login`; Refused without one."""
    from bkend.cli.logins import read_logins, server_url

    url = server_url(server)
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        return Remote(url, token)
    kept = read_logins().get(url)
    if kept is None:
        raise Refused(f"you are not logged in to {url}; run `bkend login --server {url}`")
    return Remote(url, kept["token"])


class Remote:
    """One server, with a token or without; usable inside `async with`."""

    def __init__(self, server: str, token: str | None = None) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Remote:
        import httpx

        # Certificates take long to load.
        secure = self.server.startswith("https:")
        self._client = httpx.AsyncClient(headers=self._headers, verify=secure, timeout=_SECONDS)
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        if_match: int | None = None,
    ) -> Any:
        """The body of the answer to a call below `/manage/v1`. `if_match` is a schema version.

        Raises RemoteRefusal; Refused when the server cannot be reached or is none of ours.
        """
        import httpx

        assert self._client is not None
        try:
            answer = await self._client.request(
                method,
                f"{self.server}/manage/v1{path}",
                params=query,
                json=body,
                headers=None if if_match is None else {"If-Match": f'"{if_match}"'},
                timeout=_SECONDS
                if method == "GET"
                else httpx.Timeout(_SECONDS, read=_CHANGE_SECONDS),
            )
        except httpx.ReadTimeout:
            raise Refused(
                f"{self.server} does not answer; look there before you repeat it"
            ) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Refused(f"{self.server} cannot be reached: {error}") from None
        return self._understood(answer)

    def _understood(self, answer: httpx.Response) -> Any:
        import orjson

        try:
            found = orjson.loads(answer.content)  # numbers as the server itself reads them
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"{self.server} does not answer as a bkend server does")
        if answer.is_success:
            return found
        code, message = found.get("code"), found.get("message")
        if not isinstance(code, str) or not isinstance(message, str):
            raise Refused(f"{self.server} does not answer as a bkend server does")
        raise RemoteRefusal(code, message, _details(found.get("error")))


def _details(error: Any) -> list[str]:
    details = error.get("details") if isinstance(error, dict) else None
    if not isinstance(details, list):
        return []
    return [d["message"] for d in details if isinstance(d, dict) and "message" in d]
