"""What checks look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.core import Core
from bkend.environment import Environment
from bkend.manage.control import ENVIRONMENTS
from bkend.settings import Settings
from bkend.store import Find

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Patient:
    """An installation: its settings, and the opened parts unless `failure` says why not."""

    settings: Settings
    clock: Clock
    core: Core | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """An environment under the name that people know: `project/environment`."""

    name: str
    type: str
    environment: Environment


async def every_place(core: Core) -> AsyncIterator[Place]:
    """The environments, oldest first. Raises StoreError of one that cannot be opened."""
    slugs = await core.hierarchy.project_slugs()
    async for document in environment_documents(core):
        environment = await core.environments.get(document["id"])
        if environment is not None:
            name = place_name(document, slugs)
            yield Place(name, document["environmentType"], environment)


async def environment_documents(core: Core) -> AsyncIterator[dict[str, Any]]:
    """The environments as they are stored, oldest first."""
    offset = 0
    while True:
        query = Find(ENVIRONMENTS, descending=False, offset=offset, limit=_PAGE)
        documents = orjson.loads((await core.database.control.find(query)).items)
        for document in documents:
            yield document
        if len(documents) < _PAGE:
            return
        offset += _PAGE


def place_name(document: dict[str, Any], slugs: dict[str, str]) -> str:
    """`project/environment`."""
    return f"{slugs.get(document['projectId'], '?')}/{document['environment']}"
