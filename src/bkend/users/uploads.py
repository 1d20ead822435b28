"""Signed addresses to upload an avatar to (11 §4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from bkend.clock import Clock
from bkend.secret import Rings, Secret

LIFETIME_SECONDS = 15 * 60
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a good signature allows: to PUT one key of one environment."""

    environment_id: str
    key: str


class UploadSigner:
    """Signs and checks addresses; the key comes from the master secret, so any process of the
    server can check what another has signed."""

    def __init__(self, secrets: Rings, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    def sign(self, grant: Grant) -> tuple[str, int]:
        """The query string for the grant, and when it expires, in milliseconds since 1970."""
        expires = self._clock.now_ms() // 1000 + LIFETIME_SECONDS
        signature = _signature(self._secrets.ring().current, grant, expires)
        query = {"environment": grant.environment_id, "expires": expires, "signature": signature}
        return urlencode(query), expires * 1000

    def check(self, key: str, query: str) -> Grant | None:
        """The grant of a PUT to this key with this query string; None when it is not (or no
        longer) good."""
        given = parse_qs(query, max_num_fields=None)
        if sorted(given) != ["environment", "expires", "signature"]:
            return None
        if any(len(values) != 1 for values in given.values()):
            return None
        expires = given["expires"][0]
        if not _SECONDS.fullmatch(expires):
            return None
        grant = Grant(given["environment"][0], key)
        signature = given["signature"][0].encode()
        accepted = [_signature(secret, grant, int(expires)) for secret in self._secrets.ring().all]
        if not any(hmac.compare_digest(good.encode(), signature) for good in accepted):
            return None
        return grant if self._clock.now_ms() < int(expires) * 1000 else None


def _signature(secret: Secret, grant: Grant, expires: int) -> str:
    text = f"PUT\n{grant.environment_id}\n{grant.key}\n{expires}"
    return hmac.new(secret.key("uploads"), text.encode(), hashlib.sha256).hexdigest()
