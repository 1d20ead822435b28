"""Projects, their settings, their environments (51 §3.4, §3.5, §3.8)."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bkend.http.manage.shapes.common import Count, Time
from bkend.http.manage.shapes.keys import AccessToken
from bkend.manage.environments import Visibility

Cloud: TypeAlias = Literal["aws", "gcp", "azu", "self"]
EnvironmentStatus: TypeAlias = Literal["creating", "active", "failed", "deleting"]

ProjectSettings = TypedDict(
    "ProjectSettings",
    {
        "responseEnvelope": Literal["bare", "wrapped", "both"],
        "allowedOrigins": list[str],
        "customRoles": list[Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,63}$")]],
        "notificationEmail": str,
        "ipWhitelist": list[str],
        "apiCallLimit": int,
        "storage.defaultVisibility": Visibility,
        "storage.guestPublicRead": bool,
        "storage.maxUploadBytes": Annotated[int, Field(ge=1, le=5 * 1024**3)],
    },
    total=False,
)
"""Those that differ from their default."""


class Project(TypedDict):
    """A project."""

    id: str
    organizationId: str
    name: str
    slug: str
    description: str | None
    primaryCloud: Cloud
    primaryRegion: str
    status: Literal["active", "inactive", "deleted"]
    environmentCount: Count
    settings: ProjectSettings
    createdAt: Time
    updatedAt: Time


class Deployment(TypedDict):
    """How far the setting up of an environment has come."""

    status: EnvironmentStatus
    error: NotRequired[str]
    startedAt: Time
    readyAt: NotRequired[Time]


class ProjectEnvironment(TypedDict):
    """An environment; `status` repeats the deployment's."""

    id: str
    projectId: str
    environment: str
    environmentType: Literal["dev", "staging", "prod", "custom"]
    cloud: Cloud
    region: str
    cluster: None
    status: EnvironmentStatus
    deployment: Deployment
    createdAt: Time
    updatedAt: Time


class Statistics(TypedDict):
    """What an environment holds."""

    tableCount: Count
    recordCount: Count
    userCount: Count
    fileCount: Count
    storageBytes: Count


class ProjectStatistics(Statistics):
    """What the environments of a project hold together."""

    environmentCount: Count


class EnvironmentWithStatistics(ProjectEnvironment):
    """An environment with what it holds."""

    stats: Statistics


class CreatedEnvironment(ProjectEnvironment):
    """A new environment and its publishable key."""

    apiKey: AccessToken


class CreatedProject(Project):
    """A new project, its environment `dev`, and the publishable key of that."""

    environments: list[ProjectEnvironment]
    apiKey: AccessToken


class AllowedOrigins(TypedDict):
    """The origins that get CORS headers; none means any."""

    allowedOrigins: list[str]


Copied = TypedDict(
    "Copied",
    {"from": str, "to": str, "tables": list[str], "auth": bool, "templates": bool},
)
"""What was brought from one environment to another."""
