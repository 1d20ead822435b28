"""Whether an S3 server holds an upload to the length that its address was signed with.

Amazon does. Some servers that speak its protocol take any length; there, an address handed to a
client would be one for any number of bytes, so uploads must go through this server instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bkend.objects.interface import ObjectsUnavailable
from bkend.objects.s3_client import S3Client

_SIGNED = 1
_PATIENCE_SECONDS = 5

log = structlog.get_logger(__name__)


class LengthCheck:
    """Asks the server once, by sending a byte more than was signed."""

    def __init__(self, client: S3Client, name: str, sign: Callable[[int], str]) -> None:
        """`name`: an object to be sent, and deleted again; `sign`: its address for a length."""
        self._client = client
        self._name = name
        self._sign = sign
        self._known: bool | None = None
        self._asking = asyncio.Lock()

    async def is_held(self) -> bool:
        """Whether a longer body is refused; False, too, while the server cannot be asked."""
        if self._known is None:
            async with self._asking:
                if self._known is None:
                    self._known = await self._ask()
        return self._known is True

    async def _ask(self) -> bool | None:
        import httpx

        try:
            verify = self._client.verify
            async with httpx.AsyncClient(verify=verify, timeout=_PATIENCE_SECONDS) as http:
                answer = await http.put(self._sign(_SIGNED), content=b"x" * (_SIGNED + 1))
            if answer.is_success:
                await self._client.call("delete_object", Key=self._name)
                log.info("uploads go through this server: S3 does not hold them to their length")
                return False
        except (httpx.HTTPError, ObjectsUnavailable) as error:
            log.warning("S3 not asked yet", reason=type(error).__name__)
            return None
        return True if 400 <= answer.status_code < 500 else None
