"""What sign-in through providers keeps in an environment's store."""

from __future__ import annotations

from bkend.store import Collection, Index

PROVIDERS = "oauth_providers"
STATES = "oauth_states"

COLLECTIONS: tuple[Collection, ...] = (
    # The id is the provider's name.
    Collection(PROVIDERS),
    # The id is the digest of a state that was handed out and has not come back.
    Collection(STATES, (Index("expiry", (("expiresAt", 1),)),)),
)
