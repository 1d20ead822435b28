"""Which master secret a database belongs to (00 §7, 51 §10).

The control store keeps a fingerprint of the secret in force. It tells a lost secret from a new
installation, and because servers listen to the store, it tells them of a rotation too.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from bkend.clock import Clock
from bkend.manage.control import MASTER_SECRETS
from bkend.secret import ConfiguredSecrets, Ring, Rings, SecretFile, SecretMissing
from bkend.store import Conflict, Duplicate, Equals, Insert, Operation, Store, StoreRefused, Update

_ID = "master"
_LOSS = (
    "without it everybody must sign in again, and the secrets of sign-in providers and the second "
    "factors of users cannot be opened; to go on without it, run `bkend secrets accept-loss`"
)


class _MissingSecrets:
    """Stands in for secrets that are not here, until somebody needs them."""

    def __init__(self, refused: StoreRefused) -> None:
        self._refused = refused

    def ring(self) -> Ring:
        """Raises StoreRefused."""
        raise self._refused

    def refresh(self) -> None:
        """There is nothing to look at."""


class MasterSecrets:
    """The secrets of an installation, held against the fingerprint in its control store."""

    def __init__(
        self,
        control: Store,
        clock: Clock,
        directory: Path,
        configured: str | None,
        configured_earlier: str | None,
    ) -> None:
        """Raises StoreRefused when an earlier secret is configured alone."""
        if configured is None and configured_earlier is not None:
            raise StoreRefused("BKEND_SECRET_PREVIOUS is set without BKEND_SECRET; set both")
        self._control = control
        self._clock = clock
        self._directory = directory
        self._configured = (
            None if configured is None else ConfiguredSecrets(configured, configured_earlier)
        )

    async def open(self, *, serving: bool, lost: bool) -> Rings:
        """The secrets; a new installation gets one. With `lost` any secret will do.

        When the data was written under a secret that is not here, a server is refused by
        StoreRefused, which says what is lost and how to go on; a command as soon as it needs
        the secret: many work on a database whose secret only the servers have.
        """
        try:
            return await self._open(serving=serving, lost=lost)
        except StoreRefused as refused:
            if serving:
                raise
            return _MissingSecrets(refused)

    async def _open(self, *, serving: bool, lost: bool) -> Rings:
        known = await self._known()
        rings = self._rings(make=known is None or lost)
        ring = rings.ring()
        # Whatever a command finds in a new database is not yet the secret of its servers.
        while not lost and (serving or known) and known != ring.current.fingerprint:
            if known is not None and known not in _fingerprints(ring):
                raise StoreRefused(self._foreign())
            await self.note(ring, known)
            known = await self._known()
        return rings

    async def note(self, ring: Ring, known: str | None) -> None:
        """Keep the fingerprint of the secret in force, unless it is not `known` any more."""
        now, fields = self._clock.now_ms(), {"fingerprint": ring.current.fingerprint}
        noted: Operation = Insert(MASTER_SECRETS, _ID, fields, now, now)
        if known is not None:
            is_known = Equals(("fingerprint",), known)
            noted = Update(MASTER_SECRETS, _ID, set=fields, updated_at=now, guard=is_known)
        try:
            await self._control.commit([noted])
        except (Conflict, Duplicate):
            pass  # another process was first

    async def note_rotation(self, ring: Ring) -> None:
        """Keep the new fingerprint, whatever it was: servers hear of it and look at the file."""
        await self.note(ring, await self._known())

    async def is_lost(self, ring: Ring) -> bool:
        """Whether the data was written under a secret that is not among these."""
        known = await self._known()
        return known is not None and known not in _fingerprints(ring)

    def _rings(self, *, make: bool) -> Rings:
        if self._configured is not None:
            return self._configured
        try:
            return SecretFile(self._directory, make=make)
        except SecretMissing:
            raise StoreRefused(
                f"the master secret of this data is missing: put {self._directory / 'secret'} "
                f"back from a backup, or set BKEND_SECRET as it was; {_LOSS}"
            ) from None

    def _foreign(self) -> str:
        if self._configured is None:
            found = f"{self._directory / 'secret'} is not the master secret of this data"
            return f"{found}: put the right one back from a backup, or set BKEND_SECRET; {_LOSS}"
        return (
            "BKEND_SECRET is not the master secret of this data: set it as it was, or set "
            f"BKEND_SECRET_PREVIOUS to the former one if you are replacing it; {_LOSS}"
        )

    async def _known(self) -> str | None:
        body = await self._control.get(MASTER_SECRETS, _ID)
        return None if body is None else str(orjson.loads(body)["fingerprint"])


def _fingerprints(ring: Ring) -> list[str]:
    return [secret.fingerprint for secret in ring.all]
