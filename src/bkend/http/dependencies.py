"""What FastAPI endpoints ask for: the exchange, the environment's services, who is signed in."""

from __future__ import annotations

import re
from typing import Annotated, Any, NotRequired

from fastapi import Depends, Request
from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from bkend.auth.identity import Identity
from bkend.auth.links.service import Links
from bkend.auth.service import AuthService
from bkend.auth.sessions import Client
from bkend.environment import EnvironmentServices
from bkend.errors import Unauthorized
from bkend.http.exchange import Exchange
from bkend.http.gate import identify


class ErrorDetail(TypedDict):
    """One thing that is wrong with a request."""

    field: str
    rule: NotRequired[str]
    message: str


class ErrorInside(TypedDict):
    """The same code and message, for clients that read them here."""

    code: str
    message: str
    details: NotRequired[list[ErrorDetail]]


class ErrorBody(TypedDict):
    """The one error body (00 §3)."""

    success: bool
    statusCode: int
    code: str
    message: str
    error: ErrorInside
    requestId: NotRequired[str]


REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "Refused; `code` says why"},
    "5XX": {"model": ErrorBody, "description": "A fault in the server"},
}
"""For `responses=` of a router: how refusals look in the OpenAPI document."""


async def current_exchange(request: Request) -> Exchange:
    """The exchange that the outer application has already admitted."""
    exchange: Exchange = request.scope["bkend.exchange"]
    return exchange


CurrentExchange = Annotated[Exchange, Depends(current_exchange)]


async def current_services(exchange: CurrentExchange) -> EnvironmentServices:
    """The services of the key's environment."""
    assert exchange.environment is not None
    return exchange.environment.services


async def current_auth(exchange: CurrentExchange) -> AuthService:
    """The authentication of the key's environment."""
    return (await current_services(exchange)).auth


async def current_links(exchange: CurrentExchange) -> Links:
    """The links of the key's environment."""
    return (await current_services(exchange)).links


async def signed_in(exchange: CurrentExchange) -> Identity:
    """The user whose token was sent; notes that the session is in use.

    Raises Unauthorized without a token, else what `Identities.identify` raises.
    """
    assert exchange.environment is not None
    identity = await identify(exchange, exchange.environment)
    if identity is None:
        raise Unauthorized
    noting = exchange.environment.services.auth.note_activity(identity)
    if noting is not None:
        await noting
    return identity


async def current_client(exchange: CurrentExchange) -> Client:
    """Where the request comes from, as sessions remember it."""
    user_agent = exchange.headers.get("user-agent")
    return Client(user_agent or None, exchange.address or None)


def _whole_number(value: object) -> object:
    """Digits only; everything else is left for Pydantic to refuse."""
    if isinstance(value, str):
        return int(value) if re.fullmatch("[0-9]{1,12}", value) else None
    return value


FromOne = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]
"""The `page` and `limit` of a list."""

CurrentClient = Annotated[Client, Depends(current_client)]
CurrentLinks = Annotated[Links, Depends(current_links)]
CurrentAuth = Annotated[AuthService, Depends(current_auth)]
SignedIn = Annotated[Identity, Depends(signed_in)]
