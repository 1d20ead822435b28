"""What authentication keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection, Index

USERS = "users"
ACCOUNTS = "accounts"
SESSIONS = "sessions"
BUCKETS = "buckets"
AUTH_SETTINGS = "auth_settings"

COLLECTIONS: tuple[Collection, ...] = (
    # `emailKey` is the normalised address; a deleted user has none, which frees it (10 §12).
    Collection(
        USERS,
        (
            Index("emailKey", (("emailKey", 1),), unique=True, sparse=True),
            Index("slug", (("slug", 1),), unique=True, sparse=True),
            Index("name", (("name", 1),)),
            Index("deletedAt", (("deletedAt", 1),), sparse=True),
        ),
    ),
    Collection(
        ACCOUNTS,
        (
            Index("user", (("userId", 1), ("provider", 1)), unique=True),
            Index("provider", (("provider", 1), ("providerAccountId", 1)), unique=True),
        ),
    ),
    Collection(
        SESSIONS,
        (
            Index("user", (("userId", 1), ("lastActivityAt", -1))),
            Index("expiry", (("expiresAt", 1),)),
        ),
    ),
    Collection(BUCKETS, (Index("expiry", (("expiresAt", 1),)),)),
    Collection(AUTH_SETTINGS),
)
