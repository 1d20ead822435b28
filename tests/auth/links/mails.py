"""The mails that an environment has written, read in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from bkend.mail.collections import OUTBOX
from bkend.store import Find, Store


@dataclass(frozen=True)
class Letter:
    """A mail of the outbox."""

    to: str
    category: str
    values: dict[str, str]

    @property
    def link(self) -> str:
        """The address that it leads to."""
        [link] = [value for name, value in self.values.items() if name.endswith("Link")]
        return link

    @property
    def query(self) -> dict[str, str]:
        """What the link's query says; a field that stands twice fails."""
        found = parse_qs(urlsplit(self.link).query, keep_blank_values=True)
        assert all(len(values) == 1 for values in found.values()), self.link
        return {name: values[0] for name, values in found.items()}

    @property
    def token(self) -> str:
        """The token that the link carries."""
        return self.query["token"]


async def letters(store: Store, category: str | None = None) -> list[Letter]:
    """The mails in the outbox, the oldest first."""
    found = await store.find(Find(OUTBOX, descending=False, limit=100))
    documents: list[dict[str, Any]] = orjson.loads(found.items)
    return [_letter(document) for document in documents if category in (None, document["category"])]


def _letter(document: dict[str, Any]) -> Letter:
    return Letter(document["to"], document["category"], document["values"])
