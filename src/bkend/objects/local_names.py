"""Where a key lies below the folder of a local store, and which keys lie there.

A segment of a key becomes a folder in one of 256 folders named by a digest of it, so that none
grows without end. Names are percent-encoded to a safe alphabet, so no key leads out; a file's name
ends in `=`, a folder's never does, so `a` and `a/b` can both be stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from bkend.objects.interface import segments

_PIECE = 200
_FILE = "="
_GOES_ON = "%"


def path_of(root: Path, key: str) -> Path:
    """The file of a key; raises InvalidKey."""
    *folders, name = segments(key)
    *folded, last = _pieces(name)
    return _below(root, folders).joinpath(_shard(name), *folded, last + _FILE)


def keys_below(root: Path, prefix: str) -> Iterator[str]:
    """The keys in the folder that the prefix names, and below; raises InvalidKey."""
    folder, _, _ = prefix.rpartition("/")
    start = _below(root, segments(folder)) if folder else root
    return _walk(start, f"{folder}/" if folder else "")


def _below(root: Path, parts: list[str]) -> Path:
    for segment in parts:
        root = root.joinpath(_shard(segment), *_pieces(segment))
    return root


def _shard(segment: str) -> str:
    return hashlib.sha256(segment.encode()).hexdigest()[:2]


def _pieces(segment: str) -> list[str]:
    """The encoded segment, in pieces that file systems take; all but the last end in `%`."""
    encoded = quote(segment, safe="")
    if encoded.startswith("."):
        encoded = f"%2E{encoded[1:]}"
    pieces = [encoded[at : at + _PIECE] for at in range(0, len(encoded), _PIECE)]
    return [*(piece + _GOES_ON for piece in pieces[:-1]), pieces[-1]]


def _walk(folder: Path, above: str) -> Iterator[str]:
    """The keys of the files below a folder; `above` is the key so far."""
    for shard in _entries(folder):
        if not shard.name.startswith("."):
            yield from _walk_pieces(Path(shard.path), above, "")


def _walk_pieces(folder: Path, above: str, begun: str) -> Iterator[str]:
    """The same of a shard, or of the rest of a long segment that has begun."""
    for entry in _entries(folder):
        if entry.name.endswith(_FILE):
            yield above + unquote(begun + entry.name.removesuffix(_FILE))
        elif entry.name.endswith(_GOES_ON):
            rest = begun + entry.name.removesuffix(_GOES_ON)
            yield from _walk_pieces(Path(entry.path), above, rest)
        else:
            yield from _walk(Path(entry.path), f"{above}{unquote(begun + entry.name)}/")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []
