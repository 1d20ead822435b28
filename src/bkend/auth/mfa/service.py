"""Enabling, confirming, disabling and demanding the second factor (10 §6, §10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import structlog

from bkend.auth.attempts import counted
from bkend.auth.collections import USERS
from bkend.auth.errors import InvalidCredentials
from bkend.auth.identity import Identity
from bkend.auth.mfa import codes
from bkend.auth.mfa.collections import MFA, codes_purpose, secret_purpose
from bkend.auth.mfa.errors import (
    InvalidMfaCode,
    MfaAlreadyEnabled,
    MfaBackupCodesExhausted,
    MfaNotAvailable,
    MfaNotEnabled,
    MfaRequired,
    MfaSetupExpired,
)
from bkend.auth.mfa.shapes import BackupCodes, Setup
from bkend.auth.parts import AuthParts
from bkend.ids import uuid4
from bkend.sealing import Unsealable
from bkend.store import (
    Check,
    Compare,
    Condition,
    Conflict,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Exists,
    Insert,
    Missing,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time

log = structlog.get_logger(__name__)

_SLOTS = tuple(f"backup{number}" for number in range(codes.BACKUP_CODES))


class Mfa:
    """The second factor of one environment's users; a `bkend.auth.parts.SecondFactor`."""

    def __init__(self, parts: AuthParts) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._hasher = parts.hasher
        self._sealer = parts.sealer
        self._buckets = parts.buckets
        self._settings = parts.settings

    # -- for the signed-in user -------------------------------------------------------------

    async def enable(self, identity: Identity, password: str, issuer: str) -> Setup:
        """Begin: a new secret and new codes that count from `confirm` on.

        Raises MfaNotAvailable, TooManyLoginAttempts, InvalidCredentials, MfaAlreadyEnabled.
        """
        settings = await self._settings.current()
        if not settings.mfa_available:
            raise MfaNotAvailable
        async with counted(self._buckets, settings, identity.user["email"]):
            is_unchanged = await self._check_password(identity, password)
            if identity.user.get("mfaEnabled"):
                raise MfaAlreadyEnabled
            secret, backup = codes.new_secret(), codes.new_backup_codes()
            now, id = self._clock.now_ms(), identity.user_id
            fields = {
                "setup": uuid4(),
                "secret": self._sealer.seal(secret_purpose(id), secret),
                "pendingCodes": self._sealer.seal(codes_purpose(id), orjson.dumps(backup).decode()),
                "expiresAt": format_time(now + settings.mfa_setup_ttl_minutes * 60_000),
            }
            still = Check(USERS, all_of(Equals(("id",), id), is_unchanged), at_least=1)
            # A pending setup is replaced, an active one never: then the insertion is refused.
            begun: list[Operation] = [
                DeleteWhere(MFA, all_of(Equals(("id",), id), Exists(("pendingCodes",)))),
                Insert(MFA, id, fields, now, now, id),
            ]
            try:
                await self._store.commit([still, *begun])
            except Duplicate:
                raise MfaAlreadyEnabled from None
            except Conflict:  # the password was changed while this one was checked
                raise InvalidCredentials from None
        address = codes.address(secret, identity.user["email"], issuer)
        return {
            "secret": secret,
            "qrCodeUrl": address,
            "qrCodeSvg": codes.picture(address),
            "backupCodes": backup,
        }

    async def confirm(self, identity: Identity, code: str) -> BackupCodes:
        """Switch the pending factor on and keep only digests of its codes.

        Raises TooManyLoginAttempts, MfaAlreadyEnabled, MfaNotEnabled, MfaSetupExpired,
        InvalidMfaCode.
        """
        settings = await self._settings.current()
        async with counted(self._buckets, settings, identity.user["email"]):
            held = await self._held(identity.user_id)
            if identity.user.get("mfaEnabled") or (held and "pendingCodes" not in held):
                raise MfaAlreadyEnabled
            if held is None:
                raise MfaNotEnabled
            now, id = self._clock.now_ms(), identity.user_id
            if parse_time(held["expiresAt"]) <= now:
                raise MfaSetupExpired
            secret = self._secret(held)
            if not codes.is_totp(code) or codes.matching_step(secret, code, now) is None:
                raise InvalidMfaCode
            backup: list[str] = orjson.loads(self._open(codes_purpose(id), held["pendingCodes"]))
            digests = {
                slot: codes.digest(secret, one) for slot, one in zip(_SLOTS, backup, strict=True)
            }
            is_same = all_of(_is_setup(held), Exists(("pendingCodes",)))
            confirmed = Update(
                MFA,
                id,
                set={**digests, "lastStep": -1},
                unset=("pendingCodes", "expiresAt"),
                updated_at=now,
                guard=is_same,
            )
            switched_on = Update(
                USERS,
                id,
                set={"mfaEnabled": True},
                updated_at=now,
                guard=all_of(_is_off(), Equals(("deletedAt",), None)),
            )
            try:
                await self._store.commit([confirmed, switched_on])
            except (Conflict, Missing):  # confirmed, enabled anew or withdrawn at this moment
                found = await self._held(id)
                is_on = found is not None and "pendingCodes" not in found
                raise (MfaAlreadyEnabled if is_on else MfaNotEnabled) from None
        return {"backupCodes": backup}

    async def disable(self, identity: Identity, password: str, code: str | None) -> None:
        """Forget secret and codes. A code need not be given; if it is, it must be right.

        Raises TooManyLoginAttempts, InvalidCredentials, MfaNotEnabled, InvalidMfaCode,
        MfaBackupCodesExhausted.
        """
        settings = await self._settings.current()
        async with counted(self._buckets, settings, identity.user["email"]):
            is_unchanged = await self._check_password(identity, password)
            held = await self._held(identity.user_id)
            if not identity.user.get("mfaEnabled") or held is None:
                raise MfaNotEnabled
            guard = _is_setup(held)
            if code:
                guard = all_of(guard, self._proof(held, code))
            now = self._clock.now_ms()
            switched_off = Update(
                USERS,
                identity.user_id,
                set={"mfaEnabled": False},
                updated_at=now,
                guard=is_unchanged,
            )
            try:
                await self._store.commit([Delete(MFA, identity.user_id, guard=guard), switched_off])
            except Conflict as conflict:
                if conflict.collection != MFA:
                    raise InvalidCredentials from None
                raise (InvalidMfaCode if code else MfaNotEnabled) from None
            except Missing:
                raise MfaNotEnabled from None

    # -- for sign-in ------------------------------------------------------------------------

    async def demand(self, user: dict[str, Any], code: str | None) -> Sequence[Operation]:
        """See `SecondFactor.demand`. An empty code counts as none."""
        if not user.get("mfaEnabled"):
            return ()
        if not code:
            raise MfaRequired
        held = await self._held(user["id"])
        if held is None or "pendingCodes" in held:
            log.error("the second factor of a user is missing", user=user["id"])
            raise InvalidMfaCode
        if codes.is_totp(code):
            return [self._use_step(held, code)]
        slot = self._backup_slot(held, code)
        unused = all_of(_is_setup(held), Equals((slot,), held[slot]))
        return [Update(MFA, user["id"], unset=(slot,), guard=unused)]

    def forget(self, user_id: str) -> Operation:
        """The operation that removes everything of a user, for their withdrawal."""
        return DeleteWhere(MFA, Equals(("id",), user_id))

    # -- parts ------------------------------------------------------------------------------

    async def _check_password(self, identity: Identity, password: str) -> Condition:
        """That the password is still the one that was checked; raises InvalidCredentials."""
        encoded = identity.user.get("passwordHash")
        if not await self._hasher.verify(password, encoded):
            raise InvalidCredentials
        return Equals(("passwordHash",), encoded)

    async def _held(self, user_id: str) -> dict[str, Any] | None:
        body = await self._store.get(MFA, user_id)
        return decode(body) if body else None

    def _use_step(self, held: dict[str, Any], code: str) -> Operation:
        """Accepts a one-time password once: later sign-ins need a later one."""
        secret = self._secret(held)
        step = codes.matching_step(secret, code, self._clock.now_ms(), held["lastStep"])
        if step is None:
            raise InvalidMfaCode
        is_later = all_of(_is_setup(held), Compare(("lastStep",), "lt", step))
        return Update(MFA, held["id"], set={"lastStep": step}, guard=is_later)

    def _proof(self, held: dict[str, Any], code: str) -> Condition:
        """That a right code is still right when the factor is removed; uses nothing up."""
        if codes.is_totp(code):
            if codes.matching_step(self._secret(held), code, self._clock.now_ms()) is None:
                raise InvalidMfaCode
            return _is_setup(held)
        slot = self._backup_slot(held, code)
        return Equals((slot,), held[slot])

    def _backup_slot(self, held: dict[str, Any], code: str) -> str:
        """Where the digest of the backup code is kept."""
        if not codes.is_backup(code):
            raise InvalidMfaCode
        left = [slot for slot in _SLOTS if held.get(slot)]
        if not left:
            raise MfaBackupCodesExhausted
        presented = codes.digest(self._secret(held), code)
        for slot in left:
            if held[slot] == presented:
                return slot
        raise InvalidMfaCode

    def _secret(self, held: dict[str, Any]) -> str:
        return self._open(secret_purpose(held["id"]), held["secret"])

    def _open(self, purpose: str, sealed: str) -> str:
        try:
            return self._sealer.unseal(purpose, sealed)
        except Unsealable:
            log.error("a second factor cannot be opened with the master secret", purpose=purpose)
            raise InvalidMfaCode from None


def _is_setup(held: dict[str, Any]) -> Condition:
    return Equals(("setup",), held["setup"])


def _is_off() -> Condition:
    return Equals(("mfaEnabled",), False)
