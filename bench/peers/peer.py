"""What the bench needs to know about a server it measures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from bench.documents import Document
from bench.process import Server
from bench.workloads import Addresses

BATCH = 500


class Peer(Protocol):
    """A server that stores documents."""

    @property
    def name(self) -> str: ...

    def version(self) -> str: ...

    def prepare(self, directory: Path) -> None:
        """Make a data directory ready for `fill`, with its accounts or keys."""

    def start(self, directory: Path) -> Server:
        """Start on a data directory, prepared or empty; returns at the first answer."""

    def fill(
        self, server: Server, documents: Sequence[Document], stored: Callable[[int], None]
    ) -> None:
        """Load the documents; `stored` is told how many more are in."""

    def addresses(self) -> Addresses:
        """Where the loaded documents and their lists are; after `fill`."""

    def total(self, answer: dict[str, Any]) -> int:
        """The total in the answer of a list."""


def batches(documents: Sequence[Document]) -> list[Sequence[Document]]:
    """The documents in the portions both peers are loaded with."""
    return [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
