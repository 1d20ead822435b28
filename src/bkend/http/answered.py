"""For endpoints of Starlette that answer by the exchange itself."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Answered(Response):
    """Sends nothing: the answer is out, or somebody around will give it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass
