"""What the second factor keeps in an environment's store: one document a user, never shown.

`setup` names one enabling, so that guards hold through whatever happens to the other fields.
A pending one has `expiresAt` and its codes sealed in `pendingCodes`; an active one has
`lastStep` and a digest for each backup code that is left, `backup0` to `backup9`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bkend.auth.collections import USERS
from bkend.sealing import SealedField
from bkend.store import Collection, Delete, Operation, Update

MFA = "mfa"

COLLECTIONS: tuple[Collection, ...] = (Collection(MFA),)


def secret_purpose(user_id: str) -> str:
    """What the sealed secret of a user opens for."""
    return f"totp:{user_id}"


def codes_purpose(user_id: str) -> str:
    """What the sealed backup codes of a pending setup open for."""
    return f"backup-codes:{user_id}"


def _forget(document: dict[str, Any]) -> Sequence[Operation]:
    """A factor that nobody can open any more is switched off."""
    switched_off = Update(USERS, document["id"], set={"mfaEnabled": False})
    return [Delete(MFA, document["id"]), switched_off]


SEALED: tuple[SealedField, ...] = (
    SealedField(MFA, "secret", lambda document: secret_purpose(document["id"]), _forget),
    SealedField(MFA, "pendingCodes", lambda document: codes_purpose(document["id"]), _forget),
)
