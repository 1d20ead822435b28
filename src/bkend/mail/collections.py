"""What mail keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection

OUTBOX = "outbox"

COLLECTIONS: tuple[Collection, ...] = (Collection(OUTBOX),)
