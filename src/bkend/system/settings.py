"""Settings that a server admin may change while the server runs (50 §11, 51 §8).

What was given at the start, by a flag, a variable or the file, stands, and cannot be changed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bkend.clock import Clock
from bkend.errors import Detail, InvalidParameters
from bkend.manage.control import SERVER_SETTINGS
from bkend.manage.quotas import Quotas
from bkend.settings import PREFIX, SECRETS, Settings, fault_of, masked
from bkend.settings_reading import sources_of
from bkend.store import Duplicate, Insert, Store, Update
from bkend.store.documents import SYSTEM_FIELDS, decode
from bkend.tenants.parts import SignupMode

CHANGEABLE = {
    "signup": "signup",
    "trashDays": "trash_days",
    "activityDays": "activity_days",
    "maxProjects": "max_projects",
    "maxEnvironments": "max_environments",
    "maxOrigins": "max_origins",
}
"""Their names here, and in `Settings`."""
STORED = "stored"
"""The source of a setting that was changed while the server ran."""
_ID = "settings"

log = structlog.get_logger("bkend.system")


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings as they are at the moment."""

    signup: SignupMode
    trash_days: int
    activity_days: int
    quotas: Quotas


class ServerSettings:
    """Reads them once per change; only those that were changed are stored."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._held: dict[str, Any] | None = None
        store.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (SERVER_SETTINGS, "*"):
            self._held = None

    # -- reading ----------------------------------------------------------------------------

    async def current(self) -> InForce:
        """The settings in force."""
        values = await self._values()
        quotas = Quotas(values["maxProjects"], values["maxEnvironments"], values["maxOrigins"])
        return InForce(values["signup"], values["trashDays"], values["activityDays"], quotas)

    async def signup(self) -> SignupMode:
        """Who may make an account."""
        return (await self.current()).signup

    async def trash_days(self) -> int:
        """For how many days a deleted organization can be restored."""
        return (await self.current()).trash_days

    async def activity_days(self) -> int:
        """For how many days activity is kept."""
        return (await self.current()).activity_days

    async def quotas(self) -> Quotas:
        """How much of what there may be."""
        return (await self.current()).quotas

    async def describe(self) -> dict[str, Any]:
        """Those that can be changed, by name; `readOnly` lists which of them were given at the
        start; `sources` says where each comes from; `server` has all others, without secrets."""
        stored, sources = await self._stored(), sources_of(self._settings)
        values = await self._values()
        read_only = [name for name in CHANGEABLE if self._is_given(name)]
        told = {}
        for name, field in CHANGEABLE.items():
            is_stored = name in stored and name not in read_only
            told[name] = STORED if is_stored else sources[field]
        rest = sorted(set(Settings.model_fields) - set(CHANGEABLE.values()) - SECRETS)
        return {
            **values,
            "readOnly": read_only,
            "sources": told,
            "server": {
                f"{PREFIX}{name.upper()}": {
                    "value": masked(name, getattr(self._settings, name)),
                    "source": sources[name],
                }
                for name in rest
            },
        }

    async def _values(self) -> dict[str, Any]:
        if self._held is not None:
            return self._held
        counter = self._store.changes(SERVER_SETTINGS)
        stored = await self._stored()
        values = {}
        for name, field in CHANGEABLE.items():
            is_stored = name in stored and not self._is_given(name)
            values[name] = stored[name] if is_stored else getattr(self._settings, field)
        if self._store.changes(SERVER_SETTINGS) == counter:
            self._held = values
        return values

    def _is_given(self, name: str) -> bool:
        return CHANGEABLE[name] in self._settings.model_fields_set

    async def _stored(self) -> dict[str, Any]:
        body = await self._store.get(SERVER_SETTINGS, _ID)
        document = decode(body) if body else {}
        return {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}

    # -- changing ---------------------------------------------------------------------------

    async def update(self, changes: Mapping[str, Any], account_id: str) -> None:
        """Change those that are given; null brings a default back.

        Raises InvalidParameters with a detail for each that is unknown, malformed, or given at the
        start, unless it stays as it is; then nothing is changed. What stays as it is, is not
        stored, so that the answer of `describe` may be sent back.
        """
        problems: list[Detail] = []
        values, sources = await self._values(), sources_of(self._settings)
        wanted: dict[str, Any] = {}
        for name, value in changes.items():
            fault = self._fault(name, value, values, sources)
            if fault is not None:
                rule, sentence = fault
                shown = name[:64]
                message = f"{shown} {sentence}"
                problems.append({"field": shown, "rule": rule, "message": message})
            elif not self._is_given(name) and (value is None or value != values[name]):
                wanted[name] = value
        if problems:
            raise InvalidParameters(problems[0]["message"], details=problems)
        if wanted:
            await self._write(wanted, account_id)
            log.info("server settings changed", account=account_id, names=sorted(wanted))

    def _fault(
        self, name: str, value: Any, values: Mapping[str, Any], sources: Mapping[str, str]
    ) -> tuple[str, str] | None:
        """The rule that a change breaks, and the sentence that says so."""
        field = CHANGEABLE.get(name)
        if field is None:
            return "unknown", f"is no setting here; known: {', '.join(CHANGEABLE)}"
        if self._is_given(name):
            if type(value) is type(values[name]) and value == values[name]:
                return None
            return "readOnly", f"comes from {sources[field]} and cannot be changed here"
        return None if value is None else fault_of(field, value)

    async def _write(self, wanted: Mapping[str, Any], account_id: str) -> None:
        now = self._clock.now_ms()
        fields = {name: value for name, value in wanted.items() if value is not None}
        unset = tuple(name for name, value in wanted.items() if value is None)
        try:
            await self._store.commit([Insert(SERVER_SETTINGS, _ID, fields, now, now, account_id)])
        except Duplicate:
            await self._store.commit(
                [Update(SERVER_SETTINGS, _ID, set=fields, unset=unset, updated_at=now)]
            )
