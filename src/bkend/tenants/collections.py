"""What tenants' accounts keep in the control store (51 §3.1, §7).

An account's second factor is in its document, in fields that are never shown: `mfaSetup` names
one setup, `mfaSecret` is sealed, `mfaPendingUntil` is there until it is confirmed, then
`mfaLastStep` and a digest for each backup code that is left, `mfaBackup0` to `mfaBackup9`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bkend.auth import collections as auth_collections
from bkend.auth.social import collections as social_collections
from bkend.mail import collections as mail_collections
from bkend.sealing import SealedField
from bkend.store import Collection, Index, Operation, Update

TENANT_ACCOUNTS = "tenant_accounts"
TENANT_SESSIONS = "tenant_sessions"
TENANT_LINKS = "tenant_links"
DEVICE_CODES = "device_codes"
LOGIN_EVENTS = "login_events"

BACKUP_SLOTS = tuple(f"mfaBackup{number}" for number in range(10))
MFA_FIELDS = ("mfaSetup", "mfaSecret", "mfaPendingUntil", "mfaLastStep", *BACKUP_SLOTS)
"""Every field of the second factor but `mfaEnabled`."""

_SHARED = (auth_collections.BUCKETS, auth_collections.AUTH_SETTINGS)

COLLECTIONS: tuple[Collection, ...] = (
    Collection(TENANT_ACCOUNTS, (Index("email", (("email", 1),), unique=True),)),
    Collection(
        TENANT_SESSIONS,
        (
            Index("account", (("accountId", 1), ("lastUsedAt", -1))),
            Index("expiry", (("expiresAt", 1),)),
        ),
    ),
    Collection(
        TENANT_LINKS,
        (
            Index("digest", (("digest", 1),), unique=True),
            Index("account", (("accountId", 1),)),
            Index("expiry", (("expiresAt", 1),)),
        ),
    ),
    Collection(
        DEVICE_CODES,
        (
            Index("userCode", (("userCode", 1),), unique=True),
            Index("expiry", (("expiresAt", 1),)),
        ),
    ),
    Collection(
        LOGIN_EVENTS,
        (Index("account", (("accountId", 1), ("createdAt", -1))),),
    ),
    *(found for found in auth_collections.COLLECTIONS if found.name in _SHARED),
    *(found for found in social_collections.COLLECTIONS if found.name == social_collections.STATES),
    *mail_collections.COLLECTIONS,
)


def secret_purpose(account_id: str) -> str:
    """What the sealed secret of an account's second factor opens for."""
    return f"tenant-totp:{account_id}"


def _switch_off(document: dict[str, Any]) -> Sequence[Operation]:
    """A factor that nobody can open any more is switched off."""
    off = {"mfaEnabled": False}
    return [Update(TENANT_ACCOUNTS, document["id"], set=off, unset=MFA_FIELDS)]


SEALED: tuple[SealedField, ...] = (
    SealedField(
        TENANT_ACCOUNTS, "mfaSecret", lambda account: secret_purpose(account["id"]), _switch_off
    ),
)
"""Where the control store keeps sealed values, for rotations."""
