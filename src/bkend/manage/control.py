"""The server's own collections: organizations, their members, projects, environments, keys (51 §2,
§3)."""

from __future__ import annotations

from bkend.store import Collection, Index, Store
from bkend.tenants import collections as tenant_collections

ORGANIZATIONS = "organizations"
PROJECTS = "projects"
ENVIRONMENTS = "environments"
KEYS = "keys"
MEMBERS = "members"
"""Who belongs to which organization: `organizationId, accountId, role, joinedAt, invitedBy`."""
MASTER_SECRETS = "master_secrets"
ACTIVITIES = "activities"
"""Who changed what (51 §3.11); environments keep theirs under this name until they are here."""
INVITATIONS = "organization_invitations"
IDEMPOTENCY = "idempotency"
"""Answers that a repeated POST gets again (51 §6); the id is a digest of caller, route, key."""
USAGE = "usage"
"""How much each environment was used on a day: `environmentId, projectId, day, apiCalls,
activeUsers, storageBytes`; the id is environment and day."""
SERVER_SETTINGS = "server_settings"
"""What server admins have set while the server ran, in one document."""
FILE_KEYS = "file_keys"
"""Keys of files that do not begin with their project and environment, as imported ones (30 §3)."""

COLLECTIONS = (
    Collection(ORGANIZATIONS, (Index("slug", (("slug", 1),), unique=True),)),
    Collection(
        PROJECTS,
        (Index("slug", (("organizationId", 1), ("slug", 1)), unique=True),),
    ),
    Collection(
        ENVIRONMENTS,
        (Index("name", (("projectId", 1), ("environment", 1)), unique=True),),
    ),
    Collection(
        KEYS,
        (
            Index("hash", (("hash", 1),), unique=True),
            Index("environment", (("environmentId", 1), ("createdAt", 1))),
            Index("organization", (("organizationId", 1), ("createdAt", 1))),
            Index("creator", (("createdBy", 1), ("createdAt", 1))),
        ),
    ),
    Collection(
        ACTIVITIES,
        (
            Index("organization", (("organizationId", 1), ("createdAt", -1))),
            Index("project", (("projectId", 1), ("createdAt", -1))),
            Index("target", (("target.id", 1), ("createdAt", -1))),
        ),
    ),
    # `pendingKey` names organization and address while an invitation is pending: never two of them.
    Collection(
        INVITATIONS,
        (
            Index("digest", (("digest", 1),), unique=True),
            Index("pending", (("pendingKey", 1),), unique=True, sparse=True),
            Index("organization", (("organizationId", 1), ("createdAt", -1))),
        ),
    ),
    Collection(IDEMPOTENCY),
    Collection(
        USAGE,
        (
            Index("environment", (("environmentId", 1), ("day", -1))),
            Index("project", (("projectId", 1), ("day", -1))),
            Index("day", (("day", 1),)),
        ),
    ),
    Collection(SERVER_SETTINGS),
    Collection(
        MEMBERS,
        (
            Index("member", (("organizationId", 1), ("accountId", 1)), unique=True),
            Index("account", (("accountId", 1),)),
        ),
    ),
    Collection(MASTER_SECRETS),
    Collection(
        FILE_KEYS,
        (
            Index("key", (("key", 1),), unique=True),
            Index("environment", (("environmentId", 1),)),
        ),
    ),
    *tenant_collections.COLLECTIONS,
)


async def define_control(store: Store) -> None:
    """Make the control collections, or bring their indexes up to date."""
    missing = [wanted for wanted in COLLECTIONS if store.collection(wanted.name) != wanted]
    if missing:
        await store.define(*missing)
