"""What the object store keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection

OBJECT_REMOVALS = "object_removals"

COLLECTIONS: tuple[Collection, ...] = (Collection(OBJECT_REMOVALS),)
