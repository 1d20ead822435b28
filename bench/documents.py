"""The documents every peer is loaded with: the same ones on every run."""

import json
import random
from collections.abc import Iterator
from typing import TypedDict

CATEGORIES = tuple(f"c{number}" for number in range(50))
STATUSES = ("draft", "review", "published", "archived", "removed")
VIEWS_LIMIT = 10_000
CONTENT_LENGTH = 150

_WORDS = (
    "amber",
    "anchor",
    "autumn",
    "basket",
    "beacon",
    "bridge",
    "candle",
    "canyon",
    "cedar",
    "copper",
    "cotton",
    "delta",
    "ember",
    "fabric",
    "falcon",
    "forest",
    "garden",
    "glacier",
    "harbor",
    "hazel",
    "island",
    "jasmine",
    "kettle",
    "lantern",
    "ledger",
    "linen",
    "marble",
    "meadow",
    "mirror",
    "nectar",
    "ocean",
    "orchard",
    "paper",
    "pebble",
    "planet",
    "quartz",
    "raven",
    "river",
    "saddle",
    "silver",
    "spruce",
    "temple",
    "timber",
    "tunnel",
    "valley",
    "velvet",
    "violet",
    "walnut",
    "willow",
    "winter",
)


class Document(TypedDict):
    """One row as a client sends it."""

    title: str
    content: str
    category: str
    status: str
    views: int
    tags: list[str]


def documents(count: int, *, seed: int = 1) -> Iterator[Document]:
    """Yield `count` documents; the same seed yields the same ones."""
    source = random.Random(seed)
    for number in range(count):
        yield Document(
            title=f"{source.choice(_WORDS)} {source.choice(_WORDS)} {number}",
            content=_prose(source),
            category=source.choice(CATEGORIES),
            status=source.choice(STATUSES),
            views=source.randrange(VIEWS_LIMIT),
            tags=source.sample(_WORDS, 3),
        )


def searches(count: int = 2_000) -> list[str]:
    """Texts that stand in few titles, more of them than any server remembers answers to."""
    source = random.Random(5)
    return [f"{source.choice(_WORDS)} {source.randrange(10, 1_000)}" for _ in range(count)]


def bodies(count: int, *, seed: int) -> list[str]:
    """Documents as compact JSON bodies, one line each."""
    return [json.dumps(document, separators=(",", ":")) for document in documents(count, seed=seed)]


def _prose(source: random.Random) -> str:
    words: list[str] = []
    length = 0
    while length < CONTENT_LENGTH:
        word = source.choice(_WORDS)
        words.append(word)
        length += len(word) + 1
    return " ".join(words)
