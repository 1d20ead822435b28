"""What files keep in an environment's store."""

from __future__ import annotations

from bkend.store import Collection, Index

FILES = "files"
"""Registered files: what lists, reads and the system table show."""
UPLOADS = "file_uploads"
"""Intents: addresses given out, and uploads in parts, not registered yet. Same id as the file's."""


def _filter(name: str) -> Index:
    return Index(f"by_{name}", ((name, 1),))


COLLECTIONS: tuple[Collection, ...] = (
    Collection(
        FILES,
        (
            Index("by_key", (("s3Key", 1),), unique=True),
            Index("by_owner", (("ownerId", 1), ("ownerType", 1))),
            *map(
                _filter,
                ("visibility", "bucket", "category", "mimeType", "originalName", "size"),
            ),
        ),
    ),
    Collection(
        UPLOADS,
        (
            Index("by_key", (("s3Key", 1),), unique=True),
            Index("by_upload", (("uploadId", 1),), sparse=True),
        ),
    ),
)
