"""Projects and environments as a tenant sees them, and a project's settings (51 §3.4, §6)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import Detail, InvalidParameters, NotFound
from bkend.manage.control import ENVIRONMENTS, PROJECTS
from bkend.manage.rights import Tenant
from bkend.store import Conflict, Equals, Find, Missing, OneOf, Store, Update, all_of, any_of

ENVELOPES = ("bare", "wrapped", "both")
VISIBILITIES = ("public", "private", "protected", "shared")
_MOST_ORIGINS = 20
_LARGEST_UPLOAD = 5 * 1024**3
_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_ORIGIN = re.compile(
    rf"https://{_HOST}\Z|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{{1,5}})?\Z"
)
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_BUILT_IN_ROLES = frozenset({"admin", "user", "guest"})
_ATTEMPTS = 5


class Projects:
    """Finds projects and environments, and changes settings."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, tenant: Tenant, id_or_slug: str) -> dict[str, Any]:
        """The project document; a slug must be unique among the tenant's organizations.

        NotFound also for what the tenant has no membership of.
        """
        where = all_of(
            OneOf(("organizationId",), tuple(await tenant.organizations())),
            any_of(Equals(("id",), id_or_slug), Equals(("slug",), id_or_slug)),
        )
        page = await self._store.find(Find(PROJECTS, where))
        found: list[dict[str, Any]] = [
            project
            for project in orjson.loads(page.items)
            if await tenant.sees(project["organizationId"], project["id"])
        ]
        for project in found:
            if project["id"] == id_or_slug or len(found) == 1:
                return project
        if found:
            raise NotFound(f"There are several projects {id_or_slug[:64]!r}; give the id")
        raise NotFound(f"There is no project {id_or_slug[:64]!r}")

    async def environment(self, project: Mapping[str, Any], id_or_name: str) -> dict[str, Any]:
        """The environment document; raises NotFound."""
        where = all_of(
            Equals(("projectId",), project["id"]),
            any_of(Equals(("id",), id_or_name), Equals(("environment",), id_or_name)),
        )
        page = await self._store.find(Find(ENVIRONMENTS, where, limit=1))
        for environment in orjson.loads(page.items):
            found: dict[str, Any] = environment
            return found
        raise NotFound(f"There is no environment {id_or_name[:64]!r}")

    async def update(
        self, project: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change name, description, settings (merged; null brings a default back).

        Raises InvalidParameters with a detail for each value that is not allowed.
        """
        problems: list[Detail] = []
        fields: dict[str, Any] = {}
        if "name" in changes:
            _check_text(changes["name"], "name", 1, 100, problems)
            fields["name"] = changes["name"]
        if "description" in changes:
            if changes["description"] is not None:
                _check_text(changes["description"], "description", 0, 1000, problems)
            fields["description"] = changes["description"]
        settings = changes.get("settings", {})
        if not isinstance(settings, dict):
            problems.append(_detail("settings", "type", "settings is an object"))
            settings = {}
        checked = {name: _setting(name, value, problems) for name, value in settings.items()}
        if problems:
            raise InvalidParameters(problems[0]["message"], details=problems)
        return await self._write(project["id"], fields, checked)

    async def _write(
        self, id: str, fields: dict[str, Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        for _ in range(_ATTEMPTS):
            body = await self._store.get(PROJECTS, id)
            if body is None:
                break
            held: dict[str, Any] = orjson.loads(body).get("settings") or {}
            wanted = {n: v for n, v in {**held, **settings}.items() if v is not None}
            change = Update(
                PROJECTS,
                id,
                set={**fields, "settings": wanted},
                updated_at=self._clock.now_ms(),
                guard=Equals(("settings",), held),
            )
            try:
                [stored] = await self._store.commit([change])
            except Conflict:
                continue
            except Missing:
                break
            assert isinstance(stored, bytes)
            found: dict[str, Any] = orjson.loads(stored)
            return found
        raise NotFound


def _setting(name: str, value: Any, problems: list[Detail]) -> Any:
    check = _SETTINGS.get(name)
    if check is None:
        near = difflib.get_close_matches(name, _SETTINGS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f"{name[:64]!r} is not a setting of a project{hint}"
        problems.append(_detail(f"settings.{name[:64]}", "unknown", message))
        return None
    return None if value is None else check(value, problems)


def _envelope(value: Any, problems: list[Detail]) -> Any:
    if value not in ENVELOPES:
        message = f"responseEnvelope is {', '.join(ENVELOPES)}"
        problems.append(_detail("settings.responseEnvelope", "enum", message))
    return value


def _origins(value: Any, problems: list[Detail]) -> Any:
    place = "settings.allowedOrigins"
    if not _is_texts(value) or len(value) > _MOST_ORIGINS:
        message = f"allowedOrigins lists at most {_MOST_ORIGINS} origins"
        problems.append(_detail(place, "type", message))
        return value
    origins = list(dict.fromkeys(origin.strip().lower().rstrip("/") for origin in value))
    for origin in origins:
        if not _ORIGIN.match(origin):
            message = f"{origin[:128]!r} is no origin: https://host[:port], or http://localhost"
            problems.append(_detail(place, "origin", message))
    return origins


def _roles(value: Any, problems: list[Detail]) -> Any:
    good = _is_texts(value) and all(
        _ROLE.match(role) and role not in _BUILT_IN_ROLES for role in value
    )
    if not good:
        message = (
            "customRoles lists names of lower-case letters, digits, _ and -; not built-in ones"
        )
        problems.append(_detail("settings.customRoles", "role", message))
    return value


def _visibility(value: Any, problems: list[Detail]) -> Any:
    if value not in VISIBILITIES:
        message = f"storage.defaultVisibility is {', '.join(VISIBILITIES)}"
        problems.append(_detail("settings.storage.defaultVisibility", "enum", message))
    return value


def _guest_read(value: Any, problems: list[Detail]) -> Any:
    if not isinstance(value, bool):
        message = "storage.guestPublicRead is true or false"
        problems.append(_detail("settings.storage.guestPublicRead", "type", message))
    return value


def _upload_bytes(value: Any, problems: list[Detail]) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not (is_whole and 1 <= value <= _LARGEST_UPLOAD):
        message = f"storage.maxUploadBytes is a whole number from 1 to {_LARGEST_UPLOAD}"
        problems.append(_detail("settings.storage.maxUploadBytes", "range", message))
    return value


_SETTINGS: dict[str, Callable[[Any, list[Detail]], Any]] = {
    "responseEnvelope": _envelope,
    "allowedOrigins": _origins,
    "customRoles": _roles,
    "storage.defaultVisibility": _visibility,
    "storage.guestPublicRead": _guest_read,
    "storage.maxUploadBytes": _upload_bytes,
}


def _check_text(value: Any, name: str, least: int, most: int, problems: list[Detail]) -> None:
    if not isinstance(value, str) or not least <= len(value) <= most:
        problems.append(_detail(name, "maxLength", f"{name} has {least} to {most} characters"))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _detail(field: str, rule: str, message: str) -> Detail:
    return {"field": field, "rule": rule, "message": message}
