"""JSON bodies of FastAPI endpoints, read as the hot lane reads them.

The size limit holds, and what is no valid Unicode or nested without end is malformed JSON: the
standard library's parser lets half a surrogate pair through, which nothing can store.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict

from bkend.auth.errors import InvalidRequest
from bkend.http.exchange import Exchange
from bkend.http.openapi import Route

_MALFORMED = "malformed"


class JsonRequest(Request):
    """A request whose body is read already."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._body = body

    async def json(self) -> Any:
        """The value; a text for what is no JSON.

        FastAPI would refuse that at once, before it has asked who calls. A text is no body of
        ours, so it is refused too, in its turn.
        """
        try:
            return orjson.loads(self._body)
        except orjson.JSONDecodeError:
            return _MALFORMED


class JsonRoute(Route):
    """The route class of routers with JSON bodies. Raises PayloadTooLarge."""

    malformed = InvalidRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            exchange: Exchange = request.scope["bkend.exchange"]
            return await handle(JsonRequest(request, await exchange.body()))

        return handle_json


class Body(BaseModel):
    """Nothing is converted: a number, list or object in place of a string is refused."""

    model_config = ConfigDict(strict=True, extra="ignore")


def answer(body: Mapping[str, Any] | bytes, status: int = 200) -> Response:
    """A JSON answer that nobody stores on the way; bytes are sent as they are."""
    return Response(
        body if isinstance(body, bytes) else orjson.dumps(body),
        status,
        {"Cache-Control": "no-store"},
        "application/json; charset=utf-8",
    )
