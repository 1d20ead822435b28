"""Activity: who changed what, written in the commit of the change it reports (51 §3.11).

Whatever changes something builds its entry here and puts it in its own commit. What was changed in
an environment is committed to the environment's store and taken from there to `control` by
`bkend.manage.relay` (decision 011).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from bkend.ids import OrderedIds
from bkend.manage.control import ACTIVITIES
from bkend.store import Collection, Insert

ActorType: TypeAlias = Literal["tenant", "token", "system", "mcp"]

EVENTS: dict[str, tuple[str, str]] = {
    "organization_created": ("organization", "created"),
    "organization_updated": ("organization", "updated"),
    "organization_deleted": ("organization", "deleted"),
    "organization_ownership_transferred": ("organization", "updated"),
    "member_left": ("organization", "deleted"),
    "project_created": ("project", "created"),
    "project_updated": ("project", "updated"),
    "project_deleted": ("project", "deleted"),
    "environment_created": ("environment", "created"),
    "environment_deployed": ("environment", "deployed"),
    "environment_updated": ("environment", "updated"),
    "environment_deleted": ("environment", "deleted"),
    "table_created": ("table", "created"),
    "table_updated": ("table", "updated"),
    "table_deleted": ("table", "deleted"),
    "schema_applied": ("table", "deployed"),
    "index_updated": ("table", "updated"),
    "permissions_updated": ("table", "updated"),
    "access_token_created": ("access_token", "created"),
    "access_token_updated": ("access_token", "updated"),
    "access_token_deleted": ("access_token", "deleted"),
    "invitation_created": ("invitation", "created"),
    "invitation_resent": ("invitation", "updated"),
    "invitation_accepted": ("invitation", "accepted"),
    "invitation_rejected": ("invitation", "updated"),
    "invitation_revoked": ("invitation", "revoked"),
    "member_role_updated": ("member", "updated"),
    "member_removed": ("member", "deleted"),
    "auth_config_updated": ("auth_config", "updated"),
    "email_template_updated": ("email_template", "updated"),
    "email_test_sent": ("email_template", "created"),
    "outbox_cleared": ("outbox", "deleted"),
    "user_created": ("user", "created"),
    "user_updated": ("user", "updated"),
    "user_deleted": ("user", "deleted"),
    "file_created": ("file", "created"),
    "file_updated": ("file", "updated"),
    "file_deleted": ("file", "deleted"),
    "record_created": ("record", "created"),
    "record_updated": ("record", "updated"),
    "record_deleted": ("record", "deleted"),
}
"""Every event with its `entityType` and its `action` for filtering."""

COLLECTION = Collection(ACTIVITIES)
"""What environments keep of it until it is taken to `control`."""

_SECRET = re.compile(r"(?:secret|hash|password|token|digest|codes?|^key|^value)$", re.IGNORECASE)
_UNSAID = frozenset({"updatedAt", "createdAt", "createdBy", "id", "revision", "emailKey"})
_LARGEST_VALUE = 8 * 1024
_ids = OrderedIds()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and from where."""

    type: ActorType
    id: str
    name: str
    account_id: str = ""
    """The tenant's account; `""` for the command line and the server itself."""
    via: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    def shape(self) -> dict[str, Any]:
        """As activities show it."""
        via = {"via": self.via} if self.via else {}
        return {"type": self.type, "id": self.id, "name": self.name, **via}


SYSTEM = Actor("system", "", "bkend")
COMMAND_LINE = Actor("system", "", "command line")
"""Whoever holds the data directory and runs a command on it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was changed."""

    organization_id: str
    project_id: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What was changed."""

    type: str
    id: str
    name: str | None = None


def entry(
    event: str,
    actor: Actor,
    place: Place,
    target: Target,
    now: int,
    metadata: Mapping[str, Any] | None = None,
    message: str | None = None,
) -> Insert:
    """The operation that reports a change, for the commit of the change. `now` in ms."""
    entity, action = EVENTS[event]
    fields: dict[str, Any] = {
        "organizationId": place.organization_id,
        "projectId": place.project_id,
        "environment": place.environment,
        "event": event,
        "entityType": entity,
        "action": action,
        "actor": actor.shape(),
        "target": {"type": target.type, "id": target.id, "name": target.name},
        "message": message or _sentence(event, actor, target),
        "metadata": dict(metadata or {}),
        "ip": actor.ip,
        "userAgent": actor.user_agent,
    }
    return Insert(ACTIVITIES, f"act_{_ids.next(now)}", fields, now, now, actor.account_id)


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `metadata` says of a change: names of what changed, values before and after.

    A secret is named when it changed, never shown; a large value is named too, and left out.
    """
    old, new = before or {}, after or {}
    names = sorted(
        name
        for name in {*old, *new} - _UNSAID
        if name not in old or name not in new or old[name] != new[name]
    )
    found: dict[str, Any] = {"changed": names}
    if before is not None:
        found["before"] = _shown(old, names)
    if after is not None:
        found["after"] = _shown(new, names)
    return found


def _shown(values: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {
        name: _without_secrets(values[name])
        for name in names
        if name in values and not _SECRET.search(name) and _is_small(values[name])
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _without_secrets(v) for n, v in value.items() if not _SECRET.search(n)}
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    return value


def _is_small(value: Any) -> bool:
    return not isinstance(value, (dict, list, str)) or len(orjson.dumps(value)) <= _LARGEST_VALUE


def _sentence(event: str, actor: Actor, target: Target) -> str:
    who = actor.name or {"token": "A token", "system": "bkend"}.get(actor.type, "Somebody")
    return f"{who}: {event.replace('_', ' ')} {target.name or target.id}".rstrip()
