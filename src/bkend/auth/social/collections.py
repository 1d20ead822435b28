"""What sign-in through providers keeps in an environment's store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bkend.sealing import SealedField
from bkend.store import Collection, Index, Operation, Update

PROVIDERS = "oauth_providers"
STATES = "oauth_states"

COLLECTIONS: tuple[Collection, ...] = (
    # The id is the provider's name.
    Collection(PROVIDERS),
    # The id is the digest of a state that was handed out and has not come back.
    Collection(STATES, (Index("expiry", (("expiresAt", 1),)),)),
)


def secret_purpose(name: str) -> str:
    """What the client secret of a provider opens for."""
    return f"oauth-client-secret:{name}"


def _forget(document: dict[str, Any]) -> Sequence[Operation]:
    """A provider whose secret nobody can open any more is switched off until it is set again."""
    return [Update(PROVIDERS, document["id"], set={"clientSecret": None, "enabled": False})]


SEALED: tuple[SealedField, ...] = (
    SealedField(
        PROVIDERS, "clientSecret", lambda document: secret_purpose(document["id"]), _forget
    ),
)
