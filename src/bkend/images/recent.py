"""Small images that were asked for lately, in memory."""

from __future__ import annotations

from collections import OrderedDict

from bkend.images.results import Result


class RecentImages:
    """At most `most` bytes of them, by tag; those that were not asked for longest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._found: OrderedDict[str, Result] = OrderedDict()
        self._tags: dict[str, set[str]] = {}

    def get(self, tag: str) -> Result | None:
        """The image; its bytes are its `content`."""
        found = self._found.get(tag)
        if found is not None:
            self._found.move_to_end(tag)
        return found

    def keep(self, tag: str, image: Result) -> None:
        """Remember an image whose bytes are known already; of others nothing."""
        if image.content is None or image.info.size > self._most or tag in self._found:
            return
        self._found[tag] = image
        self._tags.setdefault(image.info.key, set()).add(tag)
        self._size += image.info.size
        while self._size > self._most:
            self._drop(next(iter(self._found)))

    def forget(self, key: str) -> None:
        """Drop the images of a key."""
        for tag in list(self._tags.get(key, ())):
            self._drop(tag)

    def _drop(self, tag: str) -> None:
        image = self._found.pop(tag)
        self._size -= image.info.size
        tags = self._tags[image.info.key]
        tags.discard(tag)
        if not tags:
            del self._tags[image.info.key]
