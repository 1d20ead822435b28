"""Images as they are asked for: kept ones, or made once for all who wait for them (30 §8)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import structlog

from bkend.errors import ApiError
from bkend.files.errors import FileNotFound, InvalidFileFormat
from bkend.images.cache import ImageCache
from bkend.images.errors import ImagesBusy
from bkend.images.formats import FORMATS, Format
from bkend.images.instructions import Instructions
from bkend.images.pool import Busy, NoWorker, Pool, TookTooLong, WorkerLost
from bkend.images.results import Result
from bkend.objects.interface import ObjectInfo, Objects, ObjectsUnavailable
from bkend.objects.local_files import for_owner

LARGEST_SOURCE = 100 * 1024 * 1024
"""Bytes of a file that an image is made of."""
_EDITION = "1"
"""Another one whenever the same instructions give other images: kept ones are not used then."""
_REMEMBERED = 1000
_REMEMBERED_SECONDS = 300.0
_NO_IMAGES = "The server cannot make images right now"

log = structlog.get_logger(__name__)

Look = Callable[[], Awaitable[ObjectInfo]]
"""The object as it is now, for those who may see it; raises ApiError otherwise."""


class SourceChanged(Exception):
    """The object was replaced while the image was made; ask again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An image of an object."""

    source: ObjectInfo
    asked: Instructions
    automatic: bool
    """JPEG and PNG become WebP where no format is asked for."""

    @property
    def tag(self) -> str:
        """Of the finished image; differs with everything that it is made of."""
        made_of = (
            _EDITION,
            self.source.etag,
            self.source.key,
            self.asked.path(),
            "webp" if self.automatic else "",
        )
        text = "\n".join(made_of).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:32]


class Images:
    """The images of a server."""

    def __init__(self, objects: Objects, cache: ImageCache, processes: int) -> None:
        self._objects = objects
        self._cache = cache
        self.pool = Pool(processes, cache.temporary)
        self.recent = cache.recent
        self._flights: dict[str, _Flight] = {}
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def open(self, wish: Wish, look: Look) -> Result:
        """The image, to be closed. Whoever wishes the same at the same time gets the same; it is
        made to the end even if nobody waits for it any more, and kept only if the object is then
        still what it was to `look`.

        Raises InvalidFileFormat (no picture, or too large a one), FileNotFound, ImagesBusy,
        SourceChanged, what `look` raises, ObjectsUnavailable.
        """
        tag = wish.tag
        held = self.recent.get(tag)
        if held is not None:
            return held.again()
        result = await self._cache.open(wish.source.key, tag)
        if result is None:
            self._refuse_again(tag)
            result = await self._joined(wish, tag, look)
        self.recent.keep(tag, result.of(wish.source, tag))
        return result

    async def _joined(self, wish: Wish, tag: str, look: Look) -> Result:
        """Made for this wish or another one like it."""
        flight = self._flights.get(tag)
        if flight is None:
            flight = _Flight(asyncio.create_task(self._made(wish, look)))
            self._flights[tag] = flight
            flight.task.add_done_callback(lambda _: self._flights.pop(tag, None))
        return await flight.join()

    async def sweep(self) -> None:
        """Drop what is not used any more."""
        try:
            await self._cache.sweep()
        except OSError as error:
            log.warning("images not removed yet", reason=str(error))

    async def close(self) -> None:
        """End what is being made."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.pool.close()

    # -- making -----------------------------------------------------------------------------

    async def _made(self, wish: Wish, look: Look) -> Result:
        key, tag = wish.source.key, wish.tag
        kept = await self._cache.open(key, tag)  # it may have been finished a moment ago
        if kept is not None:
            return kept
        if wish.source.size > LARGEST_SOURCE:
            raise InvalidFileFormat("The picture is larger than 100 MiB")
        try:
            async with self.pool.place():
                await self._cache.prepare()
                copy, draft = self._cache.draft(), self._cache.draft()
                try:
                    await self._fetch(wish.source, copy)
                    format_ = await self._transform(wish, copy, draft)
                    if (await look()).etag != wish.source.etag:
                        raise SourceChanged
                    return await self._cache.keep(key, tag, draft, format_)
                finally:
                    await asyncio.to_thread(_remove, copy, draft)
        except (Busy, NoWorker) as error:
            raise ImagesBusy(_NO_IMAGES if isinstance(error, NoWorker) else None) from None
        except OSError as error:
            raise ObjectsUnavailable(f"images: {error}") from error

    async def _fetch(self, source: ObjectInfo, copy: Path) -> None:
        """The bytes as a file of their own. Raises FileNotFound, SourceChanged, OSError."""
        found = await self._objects.open(source.key)
        if found is None:
            raise FileNotFound
        try:
            if found.info.etag != source.etag:
                raise SourceChanged
            file = await asyncio.to_thread(open, copy, "xb", opener=for_owner)
            with file:
                async for part in found.parts():
                    await asyncio.to_thread(file.write, part)
        finally:
            await found.close()

    async def _transform(self, wish: Wish, copy: Path, draft: Path) -> Format:
        """Raises InvalidFileFormat, NoWorker."""
        job = {
            "source": str(copy),
            "target": str(draft),
            "asked": asdict(wish.asked),
            "automatic": wish.automatic,
        }
        try:
            answer = await self.pool.run(job)
        except TookTooLong:
            log.warning("an image took too long", key=wish.source.key, asked=wish.asked.path())
            answer = {"refused": "The picture takes too long to be made"}
        except WorkerLost:
            log.warning("an image ended its process", key=wish.source.key, asked=wish.asked.path())
            answer = {"refused": "The file is damaged, or takes too much memory"}
        if "refused" in answer:
            self._remember(wish.tag, answer["refused"])
            raise InvalidFileFormat(answer["refused"])
        return FORMATS[answer["format"]]

    def _remember(self, tag: str, reason: str) -> None:
        """For a while the same file is refused without another look."""
        self._refused[tag] = (monotonic() + _REMEMBERED_SECONDS, reason)
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)

    def _refuse_again(self, tag: str) -> None:
        until, reason = self._refused.get(tag, (0.0, ""))
        if monotonic() < until:
            raise InvalidFileFormat(reason)


class _Flight:
    """An image being made, and how many wait for it."""

    def __init__(self, task: asyncio.Task[Result]) -> None:
        self.task = task
        self._waiting = 0
        task.add_done_callback(lambda _: self._let_go())

    async def join(self) -> Result:
        """The image, once it is made; who leaves early takes it from nobody."""
        self._waiting += 1
        try:
            return (await asyncio.shield(self.task)).again()
        except ApiError as error:
            raise error.with_traceback(None) from None
        finally:
            self._waiting -= 1
            self._let_go()

    def _let_go(self) -> None:
        """Once nobody needs it any more."""
        if self._waiting or not self.task.done() or self.task.cancelled():
            return
        if self.task.exception() is None:
            self.task.result().let_go()


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
