"""The second factor of tenants: one-time passwords and backup codes (51 §8)."""

from __future__ import annotations

from typing import Any

import structlog

from bkend.auth.mfa import codes
from bkend.auth.mfa.errors import (
    InvalidMfaCode,
    MfaAlreadyEnabled,
    MfaBackupCodesExhausted,
    MfaNotEnabled,
    MfaRequired,
    MfaSetupExpired,
)
from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.sealing import Sealer, Unsealable
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Equals,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time
from bkend.tenants.accounts import same_and_active
from bkend.tenants.collections import BACKUP_SLOTS, MFA_FIELDS, TENANT_ACCOUNTS, secret_purpose

SETUP_MS = 10 * 60_000
ISSUER = "bkend"

log = structlog.get_logger(__name__)


class Mfa:
    """Begins, confirms, removes and demands the second factor of accounts."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    async def begin(self, account: dict[str, Any]) -> dict[str, Any]:
        """A new secret, to be confirmed within ten minutes: `{secret, otpauthUrl, qrCodeSvg}`.

        Whoever calls has checked the password. Raises MfaAlreadyEnabled.
        """
        if account["mfaEnabled"]:
            raise MfaAlreadyEnabled
        id, now, secret = account["id"], self._clock.now_ms(), codes.new_secret()
        fields = {
            "mfaSetup": uuid4(),
            "mfaSecret": self._sealer.seal(secret_purpose(id), secret),
            "mfaPendingUntil": format_time(now + SETUP_MS),
        }
        guard = all_of(same_and_active(account), Equals(("mfaEnabled",), False))
        try:
            await self._store.commit([Update(TENANT_ACCOUNTS, id, set=fields, guard=guard)])
        except (Conflict, Missing):
            raise MfaAlreadyEnabled from None
        address = codes.address(secret, account["email"], ISSUER)
        return {"secret": secret, "otpauthUrl": address, "qrCodeSvg": codes.picture(address)}

    async def confirm(self, account: dict[str, Any], code: str) -> list[str]:
        """Switch the pending factor on; its backup codes, shown only now.

        Raises MfaAlreadyEnabled, MfaNotEnabled, MfaSetupExpired, InvalidMfaCode.
        """
        now = self._clock.now_ms()
        if account["mfaEnabled"]:
            raise MfaAlreadyEnabled
        until = account.get("mfaPendingUntil")
        if until is None:
            raise MfaNotEnabled
        if parse_time(until) <= now:
            raise MfaSetupExpired
        secret = self._secret(account)
        step = codes.matching_step(secret, code, now) if codes.is_totp(code) else None
        if step is None:
            raise InvalidMfaCode
        backup = codes.new_backup_codes()
        digests = {
            slot: codes.digest(secret, one) for slot, one in zip(BACKUP_SLOTS, backup, strict=True)
        }
        change = Update(
            TENANT_ACCOUNTS,
            account["id"],
            set={**digests, "mfaEnabled": True, "mfaLastStep": step},
            unset=("mfaPendingUntil",),
            updated_at=now,
            guard=all_of(_is_setup(account), Equals(("mfaEnabled",), False)),
        )
        try:
            await self._store.commit([change])
        except (Conflict, Missing):  # begun anew or confirmed at this moment
            raise MfaNotEnabled from None
        return backup

    async def remove(self, account: dict[str, Any], code: str) -> None:
        """Forget the factor, for a code that is right and unused.

        Whoever calls has checked the password. Raises MfaNotEnabled, MfaRequired, InvalidMfaCode,
        MfaBackupCodesExhausted.
        """
        if not account["mfaEnabled"]:
            raise MfaNotEnabled
        used_up = self.demand(account, code)
        assert isinstance(used_up, Update)
        guard = all_of(same_and_active(account), used_up.guard or _is_setup(account))
        off = Update(
            TENANT_ACCOUNTS,
            account["id"],
            set={"mfaEnabled": False},
            unset=MFA_FIELDS,
            updated_at=self._clock.now_ms(),
            guard=guard,
        )
        try:
            await self._store.commit([off])
        except (Conflict, Missing):
            raise InvalidMfaCode from None

    def demand(self, account: dict[str, Any], code: str | None) -> Operation | None:
        """The operation that uses the code up, for the commit that signs in; None without a
        second factor. Its Conflict means that somebody else has used the code.

        Raises MfaRequired without a code, InvalidMfaCode, MfaBackupCodesExhausted.
        """
        if not account["mfaEnabled"]:
            return None
        if not code:
            raise MfaRequired
        id = account["id"]
        if codes.is_totp(code):
            secret, last = self._secret(account), account["mfaLastStep"]
            step = codes.matching_step(secret, code, self._clock.now_ms(), last)
            if step is None:
                raise InvalidMfaCode
            is_later = all_of(_is_setup(account), Compare(("mfaLastStep",), "lt", step))
            return Update(TENANT_ACCOUNTS, id, set={"mfaLastStep": step}, guard=is_later)
        slot = self._backup_slot(account, code)
        unused = all_of(_is_setup(account), Equals((slot,), account[slot]))
        return Update(TENANT_ACCOUNTS, id, unset=(slot,), guard=unused)

    def _backup_slot(self, account: dict[str, Any], code: str) -> str:
        """Where the digest of the backup code is kept."""
        if not codes.is_backup(code):
            raise InvalidMfaCode
        left = [slot for slot in BACKUP_SLOTS if account.get(slot)]
        if not left:
            raise MfaBackupCodesExhausted
        presented = codes.digest(self._secret(account), code)
        for slot in left:
            if account[slot] == presented:
                return slot
        raise InvalidMfaCode

    def _secret(self, account: dict[str, Any]) -> str:
        try:
            return self._sealer.unseal(secret_purpose(account["id"]), account["mfaSecret"])
        except Unsealable:
            log.error("a second factor cannot be opened with the master secret", id=account["id"])
            raise InvalidMfaCode from None


def _is_setup(account: dict[str, Any]) -> Condition:
    return Equals(("mfaSetup",), account.get("mfaSetup"))
