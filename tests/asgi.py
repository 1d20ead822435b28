"""The application without a server: one call, one answer, thousands a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from bkend.app import build_app
from bkend.clock import Clock
from bkend.core import Core, open_core
from bkend.http.application import Application
from bkend.manage.hierarchy import Bootstrap
from bkend.settings import Settings
from tests.prepared import lay_out, lay_out_environment


@dataclass(frozen=True)
class Answer:
    """Status, headers in small letters, exact body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class InProcess:
    """The opened application and its first keys."""

    core: Core
    app: Application
    made: Bootstrap

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        body: bytes | Sequence[bytes] = b"",
        headers: Sequence[tuple[str, str]] = (),
        key: str | None = None,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """One request. Without `key` the publishable one is sent, `""` is none."""
        parts = [body] if isinstance(body, bytes) else list(body)
        sent = [(name.lower().encode(), value.encode()) for name, value in headers]
        if key != "":
            sent.append((b"x-api-key", (key or self.made.publishable_key or "").encode()))
        messages: list[dict[str, Any]] = []

        begun = bool(parts)

        async def receive() -> dict[str, Any]:
            if not parts and begun:
                await asyncio.Event().wait()  # the client stays until it is answered
            if not parts:
                return {"type": "http.disconnect"}
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "root_path": "",
            "query_string": query,
            "headers": sent,
            "client": (peer, 50000),
            "server": ("127.0.0.1", 8000),
        }
        await self.app(scope, receive, send)
        start, *rest = messages
        return Answer(
            start["status"],
            {name.decode().lower(): value.decode() for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in rest),
        )


_plainly = structlog.dev.plain_traceback


@asynccontextmanager
async def in_process(
    directory: Path, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[InProcess]:
    """Open a fresh data directory and the application on it."""
    chosen = Settings(data=directory, rate_limit=settings.pop("rate_limit", "off"), **settings)
    logs = structlog.get_config()
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=_plainly)])
    await lay_out(directory, chosen.database_url)
    try:
        async with open_core(chosen, serving=True, clock=clock) as core:
            made = await core.hierarchy.bootstrap()
            document = await core.hierarchy.environment(made.project_slug, made.environment)
            await lay_out_environment(directory, chosen.database_url, document["id"])
            app = build_app(core)
            yield InProcess(core, app, made)
            await app.finish()
    finally:
        structlog.configure(**logs)
