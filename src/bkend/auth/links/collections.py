"""What links keep in an environment's store. Of a token only its digest is there (10 §3)."""

from __future__ import annotations

from bkend.store import Collection, Index

TOKENS = "link_tokens"
INVITATIONS = "invitations"
MEMBERSHIPS = "memberships"

COLLECTIONS: tuple[Collection, ...] = (
    Collection(
        TOKENS,
        (
            Index("digest", (("digest", 1),), unique=True),
            Index("user", (("userId", 1),)),
            Index("expiry", (("expiresAt", 1),)),
        ),
    ),
    # `pendingKey` names address and resource while an invitation is pending: never two of them.
    Collection(
        INVITATIONS,
        (
            Index("digest", (("digest", 1),), unique=True),
            Index("pending", (("pendingKey", 1),), unique=True, sparse=True),
            Index("email", (("email", 1),)),
            Index("inviter", (("invitedBy", 1),)),
        ),
    ),
    Collection(
        MEMBERSHIPS,
        (Index("membership", (("userId", 1), ("organizationId", 1)), unique=True),),
    ),
)
