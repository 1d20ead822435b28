"""Forms with files (`multipart/form-data`), read as they come.

Everything but the bytes of a file is bounded: the boundary, the headers of a part, the number of
parts, the length of a text (attack: endless fields).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from email.message import Message

from bkend.errors import InvalidParameters

LONGEST_TEXT = 64 * 1024
_MOST_PARTS = 20
_LONGEST_HEADERS = 8 * 1024
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{1,70}")
_NAMED = re.compile(r';\s*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part, before its body is read."""

    name: str
    filename: str | None
    """None of a text."""
    content_type: str


class FormReader:
    """The parts of a form one after another; each body is read before the next part.

    Raises InvalidParameters for what is no form.
    """

    def __init__(self, content_type: str, chunks: AsyncIterable[bytes]) -> None:
        header = Message()
        header["content-type"] = content_type
        boundary = header.get_boundary("")
        if header.get_content_type() != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
            raise InvalidParameters("Send a form of type multipart/form-data with a boundary")
        self._delimiter = b"\r\n--" + boundary.encode()
        self._chunks = aiter(chunks)
        self._buffer = bytearray(b"\r\n")  # so that the first boundary is like the others
        self._parts = 0
        self._in_body = False

    async def part(self) -> FormPart | None:
        """The next part, or None after the last."""
        if self._parts == 0:
            await self._need(len(self._delimiter))
            if not self._buffer.startswith(self._delimiter):
                raise _malformed()
            del self._buffer[: len(self._delimiter)]
        elif self._in_body:
            async for _ in self.body():
                pass
        await self._need(2)
        if self._buffer.startswith(b"--"):
            return None
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidParameters(f"A form has at most {_MOST_PARTS} parts")
        self._in_body = True
        return _described(await self._headers())

    async def body(self) -> AsyncIterator[bytes]:
        """The bytes of the part that `part` has answered."""
        keep = len(self._delimiter) - 1
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                if at:
                    yield bytes(self._buffer[:at])
                del self._buffer[: at + len(self._delimiter)]
                self._in_body = False
                return
            if len(self._buffer) > keep:
                yield bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
            await self._more()

    async def text(self) -> bytes:
        """The body of a text. Raises InvalidParameters when it is long."""
        found = bytearray()
        async for piece in self.body():
            found += piece
            if len(found) > LONGEST_TEXT:
                raise InvalidParameters("A text of a form has at most 64 KiB")
        return bytes(found)

    async def _headers(self) -> bytes:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _LONGEST_HEADERS:
                raise _malformed()
            await self._more()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + 4]
        if len(found) > _LONGEST_HEADERS or not found.startswith(b"\r\n"):
            raise _malformed()
        return found

    async def _need(self, length: int) -> None:
        while len(self._buffer) < length:
            await self._more()

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._chunks)
        except StopAsyncIteration:
            raise _malformed() from None


def _described(headers: bytes) -> FormPart:
    try:
        lines = headers.decode().strip().split("\r\n")
    except UnicodeDecodeError:
        raise _malformed() from None
    fields = {
        name.strip().lower(): value.strip()
        for name, mark, value in (line.partition(":") for line in lines)
        if mark
    }
    disposition = fields.get("content-disposition", "")
    if not disposition.lower().startswith("form-data"):
        raise _malformed()
    named = {name.lower(): _unescaped(text) for name, text in _NAMED.findall(disposition)}
    if "name" not in named:
        raise _malformed()
    kind = fields.get("content-type", "")
    return FormPart(named["name"], named.get("filename"), kind)


def _unescaped(text: str) -> str:
    """As browsers write names: three characters percent-encoded, or a backslash before a quote."""
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    return text.replace('\\"', '"').replace("\\\\", "\\")


def _malformed() -> InvalidParameters:
    return InvalidParameters("The form is malformed, or ends too early")
