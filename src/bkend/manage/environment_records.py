"""Environments as the control store knows them: found, listed, made, begun and ended (51 §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.ids import prefixed
from bkend.manage.activity import SYSTEM, Actor, Place, Target, entry
from bkend.manage.control import ENVIRONMENTS, KEYS, PROJECTS
from bkend.manage.documents import ENVIRONMENT_NAME, ENVIRONMENT_TYPES, Checks, environment_fields
from bkend.manage.errors import EnvironmentExists, EnvironmentLimitReached, LastEnvironment
from bkend.manage.keys import Keys
from bkend.manage.listing import Listing, every, first_of, page_of
from bkend.manage.quotas import InForce
from bkend.store import (
    Check,
    Condition,
    Conflict,
    Delete,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Not,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
    any_of,
)
from bkend.store.documents import format_time

_SORTS = ("environment", "environmentType", "status", "createdAt", "updatedAt")
_SHOWN = (
    "id",
    "projectId",
    "environment",
    "environmentType",
    "cloud",
    "region",
    "cluster",
    "status",
    "createdAt",
    "updatedAt",
)
_TOLD = ("status", "error", "startedAt", "readyAt")
IS_KEPT = Not(Equals(("status",), "deleting"))


def shape(document: Mapping[str, Any]) -> dict[str, Any]:
    """An environment as it is shown (51 §3.5)."""
    deployment = document["deployment"]
    told = {name: deployment[name] for name in _TOLD if name in deployment}
    return {name: document.get(name) for name in _SHOWN} | {"deployment": told}


class EnvironmentRecords:
    """The environments of all projects."""

    def __init__(self, store: Store, clock: Clock, keys: Keys, quotas: InForce) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._quotas = quotas

    # -- reading ----------------------------------------------------------------------------

    async def find(self, project: Mapping[str, Any], id_or_name: str) -> dict[str, Any]:
        """The environment document; raises NotFound."""
        where = all_of(
            Equals(("projectId",), project["id"]),
            any_of(Equals(("id",), id_or_name), Equals(("environment",), id_or_name)),
            IS_KEPT,
        )
        found = await first_of(self._store, ENVIRONMENTS, where)
        if found is None:
            raise NotFound(f"There is no environment {id_or_name[:64]!r}")
        return found

    async def page(
        self, project: Mapping[str, Any], listing: Listing
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of the project's environments."""
        where = all_of(Equals(("projectId",), project["id"]), IS_KEPT)
        return await page_of(
            self._store, listing.find(ENVIRONMENTS, where, ("environment",), _SORTS)
        )

    async def ending(self) -> list[dict[str, Any]]:
        """Environments that are being deleted: all of them, by whomever."""
        return await every(self._store, ENVIRONMENTS, Equals(("status",), "deleting"))

    async def of_projects(self, *project_ids: str) -> list[dict[str, Any]]:
        """All environments of the projects."""
        return await every(self._store, ENVIRONMENTS, OneOf(("projectId",), project_ids))

    # -- making -----------------------------------------------------------------------------

    async def create(
        self,
        project: Mapping[str, Any],
        name: Any,
        kind: Any,
        copied_from: str | None,
        actor: Actor,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The environment and its publishable key `Default`: one commit. With `copied_from`, the id
        of another one, it is `creating` until somebody says otherwise.

        Raises InvalidParameters, EnvironmentExists, EnvironmentLimitReached.
        """
        checks = Checks()
        if not isinstance(name, str) or not ENVIRONMENT_NAME.match(name):
            message = "environment is a letter, then up to 29 of a-z, 0-9 and -"
            checks.note("environment", "pattern", message)
        kind = None if kind is None else checks.choice("environmentType", kind, ENVIRONMENT_TYPES)
        checks.done()
        now, id = self._clock.now_ms(), prefixed("env")
        place = Place(project["organizationId"], project["id"], name)
        key = self._keys.prepare(
            type="publishable",
            name="Default",
            is_default=True,
            organization_id=project["organizationId"],
            project_id=project["id"],
            environment_id=id,
            environment=name,
            created_by=actor.account_id,
        )
        fields = environment_fields(
            project["id"],
            name,
            now,
            kind,
            copied_from,
            project["primaryCloud"],
            project["primaryRegion"],
        )
        of_it = all_of(Equals(("projectId",), project["id"]), IS_KEPT)
        is_there = all_of(Equals(("id",), project["id"]), Not(Equals(("status",), "deleted")))
        operations: list[Operation] = [
            Check(PROJECTS, is_there, at_least=1),
            Insert(ENVIRONMENTS, id, fields, now, now, actor.account_id),
            key.operation,
            entry(
                "environment_created",
                actor,
                place,
                Target("environment", id, name),
                now,
                {"environmentType": fields["environmentType"], "copySchemaFrom": copied_from},
            ),
            entry(
                "access_token_created",
                actor,
                place,
                Target("access_token", key.operation.id, "Default"),
                now,
                {"type": "publishable", "maskedKey": key.operation.fields["maskedKey"]},
            ),
        ]
        most = (await self._quotas()).environments
        if most is not None:
            operations.insert(0, Check(ENVIRONMENTS, of_it, at_most=most - 1))
        try:
            results = await self._store.commit(operations)
        except Duplicate:
            raise EnvironmentExists(f"there is an environment {name!r} already") from None
        except Conflict as conflict:
            if conflict.collection == PROJECTS:
                raise NotFound from None
            raise EnvironmentLimitReached(
                f"This server allows {most} environments in a project"
            ) from None
        made, stored = (orjson.loads(body) for body in results[-4:-2] if isinstance(body, bytes))
        author_name = actor.name if actor.type == "tenant" else None
        return made, self._keys.shown(stored) | {"key": key.value, "createdByName": author_name}

    async def deployed(
        self, project: Mapping[str, Any], environment: Mapping[str, Any], actor: Actor
    ) -> dict[str, Any]:
        """Note that the environment can be used now."""
        now = self._clock.now_ms()
        deployment = {**environment["deployment"], "status": "active", "readyAt": format_time(now)}
        deployment.pop("error", None)
        return await self._set(project, environment, deployment, actor, "environment_deployed")

    async def failed(
        self, project: Mapping[str, Any], environment: Mapping[str, Any], reason: str, actor: Actor
    ) -> dict[str, Any]:
        """Note that it could not be set up."""
        deployment = {**environment["deployment"], "status": "failed", "error": reason}
        return await self._set(project, environment, deployment, actor, "environment_updated")

    async def _set(
        self,
        project: Mapping[str, Any],
        environment: Mapping[str, Any],
        deployment: dict[str, Any],
        actor: Actor,
        event: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        now = self._clock.now_ms()
        change = Update(
            ENVIRONMENTS,
            environment["id"],
            set={"status": deployment["status"], "deployment": deployment},
            updated_at=now,
            guard=IS_KEPT,
        )
        said = self._entry(event, project, environment, actor, now, metadata)
        try:
            [body, _] = await self._store.commit([change, said])
        except (Missing, Conflict):
            raise NotFound from None
        assert isinstance(body, bytes)
        found: dict[str, Any] = orjson.loads(body)
        return found

    # -- ending -----------------------------------------------------------------------------

    async def begin_delete(
        self, project: Mapping[str, Any], environment: Mapping[str, Any], actor: Actor
    ) -> None:
        """Refuse its keys and hide it: one commit, after which it can only be deleted.

        Raises LastEnvironment, NotFound.
        """
        now = self._clock.now_ms()
        others = all_of(Equals(("projectId",), project["id"]), IS_KEPT)
        try:
            await self._store.commit(
                [
                    Check(ENVIRONMENTS, others, at_least=2),
                    *await self.ends([environment], now),
                    self._entry("environment_deleted", project, environment, actor, now),
                ]
            )
        except Missing:
            raise NotFound from None
        except Conflict as conflict:
            if conflict.position == 0:
                raise LastEnvironment from None
            raise NotFound from None

    async def ends(self, environments: list[dict[str, Any]] | Any, now: int) -> list[Operation]:
        """The operations that mark environments as being deleted, and revoke their keys."""
        ids = tuple(environment["id"] for environment in environments)
        keys = await self._working_keys(ids)
        revoked = {"revokedAt": format_time(now)}
        operations: list[Operation] = [
            Update(ENVIRONMENTS, id, set={"status": "deleting"}, updated_at=now, guard=IS_KEPT)
            for id in ids
        ]
        return [
            *operations,
            *(Update(KEYS, key["id"], set=revoked, updated_at=now) for key in keys),
        ]

    async def finish_delete(self, id: str) -> None:
        """Forget the environment, whose data is gone; keys that were made meanwhile are revoked."""
        now = self._clock.now_ms()
        late: list[Operation] = [
            Update(KEYS, key["id"], set={"revokedAt": format_time(now)}, updated_at=now)
            for key in await self._working_keys((id,))
        ]
        try:
            await self._store.commit([*late, Delete(ENVIRONMENTS, id)])
        except Missing:
            pass  # another process was faster

    async def _working_keys(self, environment_ids: tuple[str, ...]) -> list[dict[str, Any]]:
        where: Condition = all_of(
            OneOf(("environmentId",), environment_ids), Equals(("revokedAt",), None)
        )
        return await every(self._store, KEYS, where)

    def _entry(
        self,
        event: str,
        project: Mapping[str, Any],
        environment: Mapping[str, Any],
        actor: Actor = SYSTEM,
        now: int = 0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Insert:
        name = environment["environment"]
        place = Place(project["organizationId"], project["id"], name)
        target = Target("environment", environment["id"], name)
        return entry(event, actor, place, target, now, metadata)
