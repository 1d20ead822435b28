"""Reading an S3 object piece by piece, past broken connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from bkend.objects.interface import ObjectInfo, ObjectsUnavailable
from bkend.objects.s3_client import AbsentObject, S3Client

_PART = 256 * 1024
_ATTEMPTS = 3


class S3Object:
    """An object being read, out of the answer in which S3 began to send it.

    Its first piece is kept, so whoever looks at the beginning first costs no second request.
    """

    path = None

    def __init__(self, client: S3Client, name: str, info: ObjectInfo, body: Any) -> None:
        """`name`: the key in the bucket, with the prefix."""
        self._client = client
        self._name = name
        self.info = info
        self._body = body
        self._position = 0
        self._until = info.size
        self._first: bytes | None = None

    async def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on; raises ObjectsUnavailable when the rest is gone."""
        end = self.info.size if length is None else min(self.info.size, offset + length)
        while offset < end:
            part = await self._part(offset, end)
            offset += len(part)
            yield part

    async def close(self) -> None:
        """Let the connection go."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    async def _part(self, offset: int, end: int) -> bytes:
        if self._first is None and offset < _PART and self._position == 0:
            self._first = await self._read(0, min(_PART, self.info.size), self.info.size)
        if self._first is not None and offset < len(self._first):
            return self._first[offset:end]
        return await self._read(offset, min(_PART, end - offset), end)

    async def _read(self, offset: int, size: int, end: int) -> bytes:
        """So many bytes; a connection that breaks is replaced, a few times."""
        failure: ObjectsUnavailable | None = None
        for _ in range(_ATTEMPTS):
            try:
                if self._body is None or offset != self._position or self._until < end:
                    await self._reopen(offset, end)
                found: bytes = await self._client.work(self._body.read, size)
            except AbsentObject:
                failure = ObjectsUnavailable("the object was replaced or deleted while it was read")
                break
            except ObjectsUnavailable as error:
                failure = error
                await self.close()
            else:
                self._position = offset + len(found)
                if found:
                    return found
                await self.close()
        raise failure or ObjectsUnavailable("S3 ended the object too early")

    async def _reopen(self, offset: int, end: int) -> None:
        await self.close()
        window = {"Range": f"bytes={offset}-{end - 1}", "IfMatch": f'"{self.info.etag}"'}
        answer = await self._client.call("get_object", Key=self._name, **window)
        self._body, self._position, self._until = answer["Body"], offset, end
