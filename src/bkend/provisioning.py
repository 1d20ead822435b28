"""Making environments ready, copying between them, and deleting them with all they hold (51 §5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import structlog

from bkend.auth.collections import AUTH_SETTINGS, USERS
from bkend.auth.social.collections import PROVIDERS
from bkend.copying import copy_sign_in, copy_tables, copy_templates
from bkend.environment import Environment, EnvironmentServices
from bkend.errors import ApiError, NotFound
from bkend.files.collections import FILES, UPLOADS
from bkend.files.places import Places
from bkend.mail.collections import TEMPLATES
from bkend.manage.activity import Actor, Place, Target
from bkend.manage.environment_records import EnvironmentRecords
from bkend.manage.environments import Environments
from bkend.manage.recording import Report, Subject, reporting
from bkend.manage.relay import Relay
from bkend.objects.interface import Objects, UnknownUpload
from bkend.store import Database, Store, StoreError
from bkend.store.walk import documents
from bkend.tables.models import TABLES
from bkend.users.avatar_keys import avatar_folder

log = structlog.get_logger("bkend.manage")

_COPIED = Subject(
    "environment_updated", (TABLES, AUTH_SETTINGS, PROVIDERS, TEMPLATES), "environment"
)


class Provisioning:
    """What takes more than the control store."""

    def __init__(
        self,
        database: Database,
        records: EnvironmentRecords,
        environments: Environments[EnvironmentServices],
        objects: Objects,
        places: Places,
        relay: Relay,
    ) -> None:
        self._database = database
        self._records = records
        self._environments = environments
        self._objects = objects
        self._places = places
        self._relay = relay

    # -- making -----------------------------------------------------------------------------

    async def create(
        self,
        project: Mapping[str, Any],
        name: Any,
        kind: Any,
        copy_from: str | None,
        actor: Actor,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """An environment that can be used, and its key; `copy_from` is the id or name of another.

        Raises what `EnvironmentRecords.create` does, NotFound for the other one.
        """
        source = None if copy_from is None else await self._records.find(project, copy_from)
        made, key = await self._records.create(
            project, name, kind, None if source is None else source["id"], actor
        )
        return await self.set_up(project, made, actor), key

    async def set_up(
        self, project: Mapping[str, Any], made: Mapping[str, Any], actor: Actor
    ) -> dict[str, Any]:
        """Make the environment's store, copy into it what is to be; again after a failure."""
        try:
            target = await self._open(made["id"])
            copied_from = made["deployment"].get("copySchemaFrom")
            if copied_from is not None:
                source = await self._open(copied_from)
                await copy_tables(source, target, actor.account_id)
                await copy_sign_in(source, target)
        except (StoreError, ApiError) as error:
            log.error("environment not set up", environment=made["id"], reason=str(error))
            reason = error.message if isinstance(error, ApiError) else "the storage failed"
            return await self._records.failed(project, made, reason, actor)
        if made["status"] == "active":
            return dict(made)
        return await self._records.deployed(project, made, actor)

    async def copy_to(
        self,
        project: Mapping[str, Any],
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        actor: Actor,
        *,
        tables: Sequence[str] | None,
        auth: bool,
        templates: bool,
    ) -> dict[str, Any]:
        """Bring parts of another environment to what they are here; what was copied."""
        one, other = await self._open(source["id"]), await self._open(target["id"])
        done: dict[str, Any] = {"tables": [], "auth": auth, "templates": templates}
        name = target["environment"]
        report = Report(
            _COPIED,
            actor,
            Place(project["organizationId"], project["id"], name),
            target=Target("environment", target["id"], name),
        )
        with reporting(report):
            if tables is None or tables:
                done["tables"] = await copy_tables(one, other, actor.account_id, tables)
            if auth:
                await copy_sign_in(one, other)
            if templates:
                await copy_templates(one, other)
        return done

    async def _open(self, id: str) -> Environment:
        found = await self._environments.get(id)
        if found is None:
            raise NotFound("The environment is gone")
        return found

    # -- deleting ---------------------------------------------------------------------------

    async def delete(
        self, project: Mapping[str, Any], environment: Mapping[str, Any], actor: Actor
    ) -> None:
        """Delete an environment with its data, users, files and keys, for good.

        Raises LastEnvironment, NotFound. What an interruption leaves is deleted by `finish`.
        """
        await self._records.begin_delete(project, environment, actor)
        await self.remove(environment)

    async def remove(self, environment: Mapping[str, Any]) -> None:
        """Remove everything of an environment that is being deleted, the record last."""
        id = environment["id"]
        store = await self._database.environment(id)
        await self._relay.take(store)
        await self._remove_objects(environment, store)
        await self._places.release(id)
        self._environments.forget(id)
        await self._database.drop_environment(id)
        await self._records.finish_delete(id)

    async def finish(self) -> None:
        """Delete what an interruption left half deleted."""
        for environment in await self._records.ending():
            await self.remove(environment)

    async def _remove_objects(self, environment: Mapping[str, Any], store: Store) -> None:
        """The bytes of files and pictures, before the rows that know their names."""
        name = environment["environment"]
        for prefix in (f"{environment['projectId']}/{name}/",):
            async for key in self._objects.keys(prefix):
                await self._objects.delete(key)
        async for upload in _all(store, UPLOADS):
            if upload.get("uploadId"):
                try:
                    await self._objects.abort_multipart(upload["s3Key"], upload["uploadId"])
                except UnknownUpload:
                    pass
            await self._objects.delete(upload["s3Key"])
        async for file in _all(store, FILES):
            await self._objects.delete(file["s3Key"])
        async for user in _all(store, USERS):
            if user.get("avatarKey") or user.get("image"):
                async for key in self._objects.keys(avatar_folder(name, user["id"])):
                    await self._objects.delete(key)


async def _all(store: Store, collection: str) -> AsyncIterator[dict[str, Any]]:
    """All documents of a collection, which a half-made environment may lack."""
    if store.collection(collection) is not None:
        async for document in documents(store, collection):
            yield document
