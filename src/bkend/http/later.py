"""An ASGI app that is loaded in a thread while others are already served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bkend.http.transports import AsgiApp, Receive, Scope, Send


class Later:
    """Stands for the app; who calls it before it is loaded waits for it."""

    def __init__(self, load: Callable[[], AsgiApp]) -> None:
        self._load = load
        self._app: AsgiApp | None = None
        self._loading: asyncio.Future[AsgiApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        app = self._app or await self.loaded()
        await app(scope, receive, send)

    async def loaded(self) -> AsgiApp:
        """The app; what goes wrong while it is loaded is raised for everybody who waits."""
        if self._app is None:
            if self._loading is None:
                loop = asyncio.get_running_loop()
                self._loading = loop.run_in_executor(None, self._load)
            try:
                self._app = await asyncio.shield(self._loading)
            finally:
                if self._loading is not None and self._loading.done():
                    self._loading = None
        return self._app
