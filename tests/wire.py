"""Requests as bytes, past the manners of an HTTP client: odd paths, odd headers, exact answers."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.servers import RunningServer


@dataclass(frozen=True)
class WireAnswer:
    """An answer with its exact body and its headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def wire(
    server: RunningServer,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    key: str | None = None,
) -> WireAnswer:
    """Send the target as it is written. Without `key` the publishable one is sent, `""` is none."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = dict(headers or {})
    if key != "":
        sent.setdefault("X-API-Key", key or server.key)
    try:
        connection.request(method, target, body, sent)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return WireAnswer(answer.status, found, answer.read())
    finally:
        connection.close()
