"""`…/environments/{env}/api-keys`: the keys of apps and servers (51 §3.7, §8)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.admission import CreatesKeys, DeletesKeys, ReadsKeys, UpdatesKeys
from bkend.http.manage.bodies import Body, answer, documented, read_body
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.keys import AccessToken
from bkend.http.openapi import answers
from bkend.manage.errors import TokenInvalidFormat, TokenValueInUse

router = APIRouter(
    prefix="/manage/v1/projects/{project}/environments/{env}/api-keys",
    tags=["keys"],
    responses=REFUSALS,
    route_class=Route,
)


class NewKey(Body):
    """A key to make; `value` adopts one that deployed apps know."""

    model_config = fields.needs("type", "name")

    type: fields.KeyType = None
    name: fields.Name = None
    scopes: fields.KeyScopes = None
    expiresAt: fields.Time = None
    value: fields.KeyValue = None


class KeyName(Body):
    """All of a key that can be changed."""

    model_config = fields.needs("name")

    name: fields.Name = None


@router.get("", responses=answers(200, ListOf[AccessToken]))
async def list_keys(site: ReadsKeys, env: str, listed: Listed, type: Lowered = None) -> Response:
    """The keys that work, and those that have expired; only publishable ones show their value."""
    environment = await site.environment(env)
    items, total = await site.core.access_tokens.of_environment(
        environment["id"], listed.listing, type
    )
    return answer(listed.shape(items, total))


@router.post(
    "",
    responses=answers(201, AccessToken, TokenInvalidFormat, TokenValueInUse),
    openapi_extra=documented(NewKey),
)
async def create_key(site: CreatesKeys, env: str, exchange: CurrentExchange) -> Response:
    """A key; the value of a secret one is shown only now."""
    environment = await site.environment(env)
    body = await read_body(exchange, NewKey)
    made = await site.core.access_tokens.create(
        environment,
        site.project,
        site.actor,
        type=body.type,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expiresAt,
        value=body.value,
    )
    return answer(made, 201)


@router.get("/{id}", responses=answers(200, AccessToken))
async def get_key(site: ReadsKeys, env: str, id: str) -> Response:
    """One key, also a revoked one."""
    environment = await site.environment(env)
    return answer(await site.core.access_tokens.get(id, environmentId=environment["id"]))


@router.patch("/{id}", responses=answers(200, AccessToken), openapi_extra=documented(KeyName))
async def rename_key(site: UpdatesKeys, env: str, id: str, exchange: CurrentExchange) -> Response:
    """Give it another name."""
    environment = await site.environment(env)
    body = await read_body(exchange, KeyName)
    return answer(
        await site.core.access_tokens.rename(
            id, body.name, site.actor, environmentId=environment["id"]
        )
    )


@router.delete("/{id}", responses=answers(200, Deleted))
async def revoke_key(site: DeletesKeys, env: str, id: str) -> Response:
    """Refuse the key from the next request on."""
    environment = await site.environment(env)
    await site.core.access_tokens.revoke(id, site.actor, environmentId=environment["id"])
    return answer({"deleted": True, "id": id})
