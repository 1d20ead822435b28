"""The formats of pictures that are read and written, and which of them an answer has (30 §8).

Also used inside the processes that transform, so it imports nothing of the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

Format: TypeAlias = Literal["webp", "jpeg", "png", "gif", "avif"]

TYPES: dict[Format, str] = {
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "avif": "image/avif",
}
FORMATS: dict[str, Format] = {
    "webp": "webp",
    "jpeg": "jpeg",
    "jpg": "jpeg",
    "png": "png",
    "gif": "gif",
    "avif": "avif",
}
"""By the words of `format(…)`."""
CONVERTED = frozenset({"jpeg", "png"})
"""Sources that become WebP for those who take it."""
SNIFFED = 64
"""So many bytes tell the format."""
_STAYING = frozenset({"image/gif", "image/webp", "image/avif"})
_AVIF_BRANDS = frozenset({b"avif", b"avis", b"mif1", b"msf1", b"miaf"})


def sniff(head: bytes) -> Format | None:
    """The format that the first bytes of a file tell; None for every other kind of file."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return "avif"
    return None


@lru_cache(maxsize=256)
def is_svg(content_type: str) -> bool:
    """Whether a file of this type is served as it is."""
    return content_type.partition(";")[0].strip().lower() == "image/svg+xml"


@lru_cache(maxsize=256)
def stays(content_type: str) -> bool:
    """Whether a file of this type keeps its format, whatever the client lists."""
    return content_type.partition(";")[0].strip().lower() in _STAYING


def takes_webp(accept: Iterable[str]) -> bool:
    """Whether `image/webp` is listed in the Accept headers, and not with `q=0`."""
    for header in accept:
        for listed in header.split(","):
            kind, *parameters = (part.strip().lower() for part in listed.split(";"))
            if kind == "image/webp" and not any(map(_is_nothing, parameters)):
                return True
    return False


def _is_nothing(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", ".")
