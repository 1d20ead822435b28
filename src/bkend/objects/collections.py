"""What the object store keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection

OBJECT_REMOVALS = "object_removals"
KEPT_BY = (("files", "s3Key"), ("file_uploads", "s3Key"))
"""Collections, and their field, that hold the keys of objects in use."""

COLLECTIONS: tuple[Collection, ...] = (Collection(OBJECT_REMOVALS),)
