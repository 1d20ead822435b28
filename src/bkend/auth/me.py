"""`GET /v1/auth/me` from memory: what apps ask at every start (10 §10)."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

from bkend.auth.identity import Identity
from bkend.http.admissions import Admission, Admissions
from bkend.http.exchange import Exchange
from bkend.http.gate import Gate

PATH = "/v1/auth/me"
_REMEMBERED = 8192

_Request: TypeAlias = tuple[str | None, str | None]
"""API key, Authorization header."""


class MeDoor:
    """The answers of the endpoint, until the key, the session or the user changes."""

    def __init__(self, gate: Gate, admissions: Admissions) -> None:
        self._gate = gate
        self._admissions = admissions
        self._held: dict[_Request, tuple[Admission, bytes]] = {}

    def remembered(self, exchange: Exchange) -> bytes | None:
        """What the endpoint would answer, if that is known; raises RateLimited."""
        request = _request(exchange)
        held = self._held.get(request)
        if held is None:
            return None
        admission, body = held
        environment = self._admissions.hold(admission)
        if environment is None:
            self._held.pop(request, None)
            return None
        exchange.environment = environment
        self._gate.take_token(exchange, admission.key)
        return body

    def remember(self, exchange: Exchange, identity: Identity, body: bytes) -> None:
        """Keep the answer to a request."""
        if len(self._held) >= _REMEMBERED:
            del self._held[next(iter(self._held))]
        request = _request(exchange)
        forget = partial(self._held.pop, request, None)
        self._held[request] = self._admissions.of(exchange, identity, forget), body


def _request(exchange: Exchange) -> _Request:
    return exchange.headers.get("x-api-key"), exchange.headers.get("authorization")
