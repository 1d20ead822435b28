"""What mail keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection, Index

OUTBOX = "outbox"
TEMPLATES = "email_templates"

COLLECTIONS: tuple[Collection, ...] = (
    # `dueAt` (ms) is there while something is to be done with a mail: sent, or tried again.
    Collection(
        OUTBOX,
        (
            Index("due", (("dueAt", 1),), sparse=True),
            Index("status", (("status", 1), ("createdAt", -1))),
        ),
    ),
    Collection(TEMPLATES),
)
