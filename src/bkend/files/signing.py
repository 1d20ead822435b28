"""Signed addresses of bytes (30 §5.2, §5.8, §5.9; 11 §4).

A signature holds for one method, key, environment, end, size bound and part, of a file or of an
avatar, and for nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from bkend.clock import Clock
from bkend.secret import Rings, Secret

_SECONDS = re.compile(r"[1-9][0-9]{0,11}")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_FIELDS = 4
_ALWAYS = frozenset({"expires", "signature"})
_ENVIRONMENT = frozenset({"environment"})
_PART = frozenset({"uploadId", "partNumber"})


@dataclass(frozen=True, slots=True)
class Permit:
    """What a signature allows."""

    method: Literal["GET", "PUT"]
    environment_id: str
    key: str
    limit: int = 0
    """The most bytes of an upload."""
    upload_id: str = ""
    part: int = 0
    area: Literal["files", "avatars"] = "files"


@dataclass(frozen=True, slots=True)
class Signature:
    """The fields of a signed address, not yet believed."""

    expires: int
    """Seconds since 1970."""
    value: str
    upload_id: str = ""
    part: int = 0
    environment_id: str = ""
    """Given where the key does not tell it, which is of avatars."""


def read_signature(query: str) -> Signature | None:
    """The signature of a query string; None when it has none that is well formed."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return None
    given = dict(pairs)
    more = given.keys() - _ALWAYS
    if len(pairs) != len(given) or len(given) - len(more) != len(_ALWAYS):
        return None
    if more not in (frozenset(), _ENVIRONMENT, _PART) or not _SECONDS.fullmatch(given["expires"]):
        return None
    part = given.get("partNumber", "")
    if part and not _NUMBER.fullmatch(part):
        return None
    return Signature(
        int(given["expires"]),
        given["signature"],
        given.get("uploadId", ""),
        int(part or 0),
        given.get("environment", ""),
    )


class FileSigner:
    """Signs and checks; any process of the server can check what another has signed."""

    def __init__(self, secrets: Rings, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    def sign(self, permit: Permit, seconds: int) -> tuple[str, int]:
        """The query string, and when it ends, in milliseconds since 1970."""
        expires = self._clock.now_ms() // 1000 + seconds
        query: dict[str, str | int] = {}
        if permit.area == "avatars":
            query = {"environment": permit.environment_id}
        elif permit.upload_id:
            query = {"uploadId": permit.upload_id, "partNumber": permit.part}
        signature = _signature(self._secrets.ring().current, permit, expires)
        return urlencode({**query, "expires": expires, "signature": signature}), expires * 1000

    def accepts(self, permit: Permit, given: Signature) -> bool:
        """Whether the signature allows exactly this, and still does."""
        now, ring, signature = self._clock.now_ms(), self._secrets.ring(), given.value.encode()
        secrets = [ring.current, *(held.secret for held in ring.signing(now))]
        accepted = [_signature(secret, permit, given.expires) for secret in secrets]
        if not any(hmac.compare_digest(good.encode(), signature) for good in accepted):
            return False
        return now < given.expires * 1000


def _signature(secret: Secret, permit: Permit, expires: int) -> str:
    fields = (
        permit.area,
        permit.method,
        permit.environment_id,
        permit.key,
        expires,
        permit.limit,
        permit.upload_id,
        permit.part,
    )
    text = "\n".join(map(str, fields))
    return hmac.new(secret.key("files"), text.encode(), hashlib.sha256).hexdigest()
