"""Calls of commands to the management API of a server."""

from __future__ import annotations

from typing import Any

from bkend.cli.commands import Refused

_SECONDS = 30


class RemoteRefusal(Refused):
    """The server refused; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def logged_in(server: str, data: str | None) -> Remote:
    """The server with the token of `bkend login`; Refused without one."""
    from bkend.cli.logins import read_logins, server_url

    if data is not None:
        raise Refused("--server and --data name two places; give one")
    url = server_url(server)
    kept = read_logins().get(url)
    if kept is None:
        raise Refused(f"you are not logged in to {url}; run `bkend login --server {url}`")
    return Remote(url, kept["token"])


class Remote:
    """One server, with a token or without."""

    def __init__(self, server: str, token: str | None = None) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The body of the answer to a call below `/manage/v1`.

        Raises RemoteRefusal; Refused when the server cannot be reached or is none of ours.
        """
        import httpx

        try:
            answer = httpx.request(
                method,
                f"{self.server}/manage/v1{path}",
                json=body,
                headers=self._headers,
                timeout=_SECONDS,
                verify=self.server.startswith("https:"),  # certificates take long to load
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Refused(f"{self.server} cannot be reached: {error}") from None
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"{self.server} does not answer as a bkend server does")
        if answer.is_success:
            return found
        code, message = found.get("code"), found.get("message")
        if not isinstance(code, str) or not isinstance(message, str):
            raise Refused(f"{self.server} does not answer as a bkend server does")
        raise RemoteRefusal(code, message)
