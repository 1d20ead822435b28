"""New organizations, projects and environments, and the names they may have (51 §3)."""

from __future__ import annotations

import re
from typing import Any

from bkend.errors import Detail, InvalidParameters
from bkend.store.documents import format_time

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,48}[a-z0-9])\Z")
ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}\Z")
ENVIRONMENT_TYPES = ("dev", "staging", "prod", "custom")
CLOUDS = ("aws", "gcp", "azu", "self")
_CLOUD_ALIASES = {"azure": "azu"}
_LONGEST_REGION = 50


class Checks:
    """Collects what is wrong with a body, so that one answer names it all."""

    def __init__(self) -> None:
        self.details: list[Detail] = []

    def note(self, field: str, rule: str, message: str) -> None:
        """One thing to point at."""
        self.details.append({"field": field, "rule": rule, "message": message})

    def text(self, field: str, value: Any, least: int, most: int) -> str:
        """The text, without space around it."""
        text = value.strip() if isinstance(value, str) else None
        if text is None or not least <= len(text) <= most or "\0" in text:
            self.note(field, "maxLength", f"{field} has {least} to {most} characters")
            return ""
        return text

    def optional_text(self, field: str, value: Any, most: int) -> str | None:
        """The text or null."""
        return None if value is None else self.text(field, value, 0, most)

    def slug(self, value: Any, field: str = "slug") -> str:
        """The slug (51 §3.2)."""
        if not isinstance(value, str) or not SLUG.match(value):
            self.note(field, "pattern", f"{field} is 3 to 50 of a-z, 0-9 and -, no - at the ends")
            return ""
        return value

    def choice(self, field: str, value: Any, choices: tuple[str, ...]) -> str:
        """One of the words, in any case."""
        word = value.lower() if isinstance(value, str) else None
        word = _CLOUD_ALIASES.get(word or "", word)
        if word not in choices:
            self.note(field, "enum", f"{field} is {', '.join(choices)}")
            return choices[0]
        return str(word)

    def region(self, value: Any) -> str:
        """A region's label."""
        return self.text("primaryRegion", value, 1, _LONGEST_REGION)

    def done(self) -> None:
        """Raises InvalidParameters when something was noted."""
        if self.details:
            raise InvalidParameters(self.details[0]["message"], details=self.details)


def slug_of(name: str, otherwise: str = "org") -> str:
    """A slug made of a name; `otherwise` completes what is too short."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-")
    return slug if SLUG.match(slug) else f"{slug or otherwise}-{otherwise}"[:50]


def numbered(slug: str, number: int) -> str:
    """Another slug, for when one is taken."""
    return slug if number == 1 else f"{slug[: 49 - len(str(number))].rstrip('-')}-{number}"


def organization_fields(
    name: str,
    slug: str,
    display_name: str | None = None,
    description: str | None = None,
    notification_email: str | None = None,
) -> dict[str, Any]:
    """A new organization (51 §3.2)."""
    return {
        "name": name,
        "displayName": display_name,
        "slug": slug,
        "description": description,
        "plan": "self-hosted",
        "status": "active",
        "notificationEmail": notification_email,
    }


def project_fields(
    organization_id: str,
    name: str,
    slug: str,
    description: str | None = None,
    cloud: str = "self",
    region: str = "local",
) -> dict[str, Any]:
    """A new project (51 §3.4)."""
    return {
        "organizationId": organization_id,
        "name": name,
        "slug": slug,
        "description": description,
        "primaryCloud": cloud,
        "primaryRegion": region,
        "status": "active",
        "settings": {},
    }


def environment_fields(
    project_id: str,
    name: str,
    now: int,
    kind: str | None = None,
    copied_from: str | None = None,
    cloud: str = "self",
    region: str = "local",
) -> dict[str, Any]:
    """A new environment (51 §3.5), `active` unless something is to be copied first. `now` in ms."""
    at = format_time(now)
    deployment: dict[str, Any] = {"status": "active", "startedAt": at, "readyAt": at}
    if copied_from is not None:
        deployment = {"status": "creating", "startedAt": at, "copySchemaFrom": copied_from}
    return {
        "projectId": project_id,
        "environment": name,
        "environmentType": kind or (name if name in ENVIRONMENT_TYPES else "custom"),
        "cloud": cloud,
        "region": region,
        "cluster": None,
        "status": deployment["status"],
        "deployment": deployment,
    }
