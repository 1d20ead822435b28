"""What the calls below `/manage/v1/system` answer (51 §8)."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.jobs import Job
from bkend.logs import LogEntry
from bkend.store.documents import format_time


class HealthCheck(TypedDict):
    """What one check found, and what to do about it; `details` are lines for people, `items` the
    same for programs, such as the indexes that are missed."""

    name: str
    result: Literal["ok", "warning", "problem"]
    message: str
    advice: str
    details: list[str]
    items: list[dict[str, Any]]


class AnsweredRequests(TypedDict):
    """The answers of one process since its start; times in milliseconds, None before the first."""

    count: int
    errors: int
    errorShare: float
    p50Ms: float | None
    p95Ms: float | None


class ServerHealth(TypedDict):
    """How the server is; `status` is the worst of the checks."""

    status: Literal["ok", "warning", "problem"]
    version: str
    startedAt: str
    uptimeSeconds: int
    checks: list[HealthCheck]
    requests: AnsweredRequests


class DatabaseEngine(TypedDict):
    """The database."""

    engine: str
    version: str


class ServerCounts(TypedDict):
    """How much there is."""

    accounts: int
    organizations: int
    projects: int
    environments: int
    openEnvironments: int


class ServerInfo(TypedDict):
    """What runs here."""

    version: str
    python: str
    platform: str
    processId: int
    workers: int
    startedAt: str
    uptimeSeconds: int
    database: DatabaseEngine
    storage: Literal["folder", "bucket"]
    mail: Literal["smtp", "captured"]
    publicUrl: str | None
    counts: ServerCounts


class ServerJob(TypedDict):
    """Something that is done now and then, in one process."""

    name: str
    status: Literal["running", "ok", "failed"]
    runs: int
    failures: int
    startedAt: str | None
    finishedAt: str | None
    durationMs: int | None
    error: str | None


class ServerJobList(TypedDict):
    """All of them."""

    items: list[ServerJob]
    pagination: Pagination


class LogLine(TypedDict):
    """A line of the log, masked."""

    time: str
    level: str
    event: str
    requestId: str | None
    fields: dict[str, Any]


class LogLineList(TypedDict):
    """The newest first."""

    items: list[LogLine]
    pagination: Pagination


class UsageDay(TypedDict):
    """How much an environment was used on a day."""

    environmentId: str
    projectId: str
    day: str
    apiCalls: int
    activeUsers: int
    storageBytes: int


class UsageList(TypedDict):
    """The newest first."""

    items: list[UsageDay]
    pagination: Pagination


class GivenSetting(TypedDict):
    """A setting that only a restart changes."""

    value: Any
    source: str


class ServerSettings(TypedDict):
    """What can be changed, then where it comes from, then what cannot be."""

    signup: Literal["closed", "invite", "open"]
    trashDays: int
    activityDays: int
    maxProjects: int | None
    maxEnvironments: int | None
    maxOrigins: int
    readOnly: list[str]
    sources: dict[str, str]
    server: dict[str, GivenSetting]


class AccountMembership(TypedDict):
    """An account's role in an organization."""

    organizationId: str
    name: str
    slug: str
    role: str


class ServerAccount(TypedDict):
    """A tenant's account (51 §3.1) with its organizations."""

    id: str
    email: str
    name: str
    avatarUrl: str | None
    locale: str
    theme: str
    emailVerifiedAt: str | None
    isServerAdmin: bool
    hasPassword: bool
    mfaEnabled: bool
    providers: list[str]
    status: Literal["active", "disabled"]
    lastLoginAt: str | None
    createdAt: str
    updatedAt: str
    organizations: list[AccountMembership]


class ServerAccountList(TypedDict):
    """A page of accounts."""

    items: list[ServerAccount]
    pagination: Pagination


class ServerOrganization(TypedDict):
    """An organization (51 §3.2); nothing of what it holds."""

    id: str
    name: str
    displayName: str | None
    slug: str
    description: str | None
    plan: str
    status: Literal["active", "suspended", "deleted"]
    notificationEmail: str | None
    ownerId: str | None
    memberCount: int
    projectCount: int
    role: str | None
    deletedAt: str | None
    createdAt: str
    updatedAt: str


class ServerOrganizationList(TypedDict):
    """A page of organizations."""

    items: list[ServerOrganization]
    pagination: Pagination


class ServerTestMail(TypedDict):
    """A mail is on its way; `captured` when it went to the outbox for want of SMTP."""

    message: str
    to: str
    captured: bool


def job_shape(job: Job) -> ServerJob:
    """The job as it is answered."""
    status: Any = job.status
    return {
        "name": job.name,
        "status": status,
        "runs": job.runs,
        "failures": job.failures,
        "startedAt": None if job.started_at is None else format_time(job.started_at),
        "finishedAt": None if job.finished_at is None else format_time(job.finished_at),
        "durationMs": job.duration_ms,
        "error": job.error,
    }


def log_shape(entry: LogEntry) -> LogLine:
    """The line as it is answered."""
    return {
        "time": entry.time,
        "level": entry.level,
        "event": entry.event,
        "requestId": entry.request_id,
        "fields": entry.fields,
    }
