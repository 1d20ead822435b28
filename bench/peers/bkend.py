"""bkend itself, as its command line starts it."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.client import Client, post_all
from bench.documents import CATEGORIES, Document
from bench.peers.peer import batches
from bench.process import Server, free_port, run
from bench.workloads import PAGE_SIZE, VIEWS_ABOVE, Addresses

RECORDS = "/v1/data/posts"
_COMMAND = (sys.executable, "-m", "bkend")
_TABLES = """\
version: 1
tables:
  posts:
    fields:
      title: {type: string, required: true, maxLength: 200}
      content: {type: string}
      category: {type: string}
      status: {type: string}
      views: {type: number, default: 0}
      tags: {type: array, items: {type: string}}
    indexes:
      - {name: by_category, fields: {category: 1, createdAt: -1}}
    permissions:
      guest: {create: true, read: true, list: true}
"""


class Bkend:
    """This server with its default settings, request limits off; on SQLite unless an address of
    a PostgreSQL database is given."""

    name = "bkend"

    def __init__(self, database_url: str | None = None) -> None:
        self._database = {"BKEND_DATABASE_URL": database_url} if database_url else {}
        self._keys = _Keys(publishable="", secret="")
        self._ids: list[str] = []

    @property
    def secret(self) -> str:
        """The secret key of the environment."""
        return self._keys.secret

    def version(self) -> str:
        return version("bkend")

    def prepare(self, directory: Path) -> None:
        data = ["--data", str(directory / "data")]
        where: dict[str, Any] = {"directory": directory, "environment": self._database}
        made = json.loads(run([*_COMMAND, "init", "--json", *data], **where))
        self._keys = _Keys(publishable=made["publishableKey"], secret=made["secretKey"])
        tables = directory / "tables.yaml"
        tables.write_text(_TABLES)
        place = ["--project", made["projectSlug"], "--env", made["environment"]]
        run([*_COMMAND, "apply", str(tables), *place, "--yes", *data], **where)

    def start(self, directory: Path) -> Server:
        port = free_port()
        command = [*_COMMAND, "serve", "--data", str(directory / "data"), "--port", str(port)]
        return Server(
            "bkend",
            command,
            port=port,
            health="/healthz",
            directory=directory,
            environment={"BKEND_RATE_LIMIT": "off", **self._database},
        )

    def fill(
        self, server: Server, documents: Sequence[Document], stored: Callable[[int], None]
    ) -> None:
        headers = {"X-API-Key": self._keys.secret}

        def keep(records: list[dict[str, Any]]) -> None:
            self._ids.extend(record["id"] for record in records)
            stored(len(records))

        post_all(lambda: Client(server.port, headers), RECORDS, batches(documents), keep)

    def addresses(self) -> Addresses:
        page = f"{RECORDS}?page=1&limit={PAGE_SIZE}"
        return Addresses(
            headers={"X-API-Key": self._keys.publishable},
            records=RECORDS,
            ids=self._ids,
            newest=page,
            filtered=[f"{page}&{_filter({'category': name})}" for name in CATEGORIES],
            compared=f"{page}&{_filter({'views': {'$gt': VIEWS_ABOVE}})}",
            searched=lambda text: f"{page}&search={quote(text)}",
            batch_path=RECORDS,
            batch_body=lambda bodies: f"[{','.join(bodies)}]",
        )

    def secret_headers(self) -> dict[str, str]:
        """What the server itself would send."""
        return {"X-API-Key": self._keys.secret}

    def total(self, answer: dict[str, Any]) -> int:
        total: int = answer["pagination"]["total"]
        return total


@dataclass(frozen=True)
class _Keys:
    publishable: str
    secret: str


def _filter(condition: dict[str, object]) -> str:
    return f"andFilters={quote(json.dumps(condition, separators=(',', ':')))}"
