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
from bkend.errors import (
    AddressNotAllowed,
    CallLimitReached,
    EnvironmentNotActive,
    EnvironmentNotFound,
    InvalidToken,
    RateLimited,
    TokenExpired,
    TokenRevoked,
    Unauthorized,
)
from bkend.http.exchange import Exchange
from bkend.http.gate import identify
from bkend.http.openapi import Security, describes, refusals


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


REFUSALS = refusals()
"""For `responses=` of a router: its routes say themselves what they refuse with."""
KEYED = refusals(
    Unauthorized,
    InvalidToken,
    TokenRevoked,
    TokenExpired,
    EnvironmentNotActive,
    EnvironmentNotFound,
    AddressNotAllowed,
    RateLimited,
    CallLimitReached,
)
"""For `responses=` of a router below `/v1`: what the gate refuses with before it (20 §1.3)."""
WITH_KEY: Security = ({"apiKey": []},)
WITH_USER: Security = ({"apiKey": [], "userToken": []},)
KEYLESS: dict[str, Any] = {"security": []}
"""For `openapi_extra`: a route below `/v1` that needs no key."""
SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "userToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
"""How apps say who they are, in the OpenAPI document."""


# Dependencies ask for the request alone: FastAPI takes each one's own dependencies apart for
# every route that uses it, at every start.


def exchange_of(request: Request) -> Exchange:
    """The exchange that the outer application has already admitted."""
    exchange: Exchange = request.scope["bkend.exchange"]
    return exchange


def services_of(request: Request) -> EnvironmentServices:
    """The services of the key's environment."""
    environment = exchange_of(request).environment
    assert environment is not None
    return environment.services


async def current_exchange(request: Request) -> Exchange:
    """The exchange."""
    return exchange_of(request)


async def current_auth(request: Request) -> AuthService:
    """The authentication of the key's environment."""
    return services_of(request).auth


async def current_links(request: Request) -> Links:
    """The links of the key's environment."""
    return services_of(request).links


@describes(security=WITH_USER)
async def signed_in(request: Request) -> Identity:
    """The user whose token was sent; notes that the session is in use.

    Raises Unauthorized without a token, else what `Identities.identify` raises.
    """
    exchange = exchange_of(request)
    assert exchange.environment is not None
    identity = await identify(exchange, exchange.environment)
    if identity is None:
        raise Unauthorized
    noting = exchange.environment.services.auth.note_activity(identity)
    if noting is not None:
        await noting
    return identity


async def current_client(request: Request) -> Client:
    """Where the request comes from, as sessions remember it."""
    exchange = exchange_of(request)
    user_agent = exchange.headers.get("user-agent")
    return Client(user_agent or None, exchange.address or None)


def _whole_number(value: object) -> object:
    """Digits only; everything else is left for Pydantic to refuse."""
    if isinstance(value, str):
        return int(value) if re.fullmatch("[0-9]{1,12}", value) else None
    return value


FromOne = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]
"""The `page` and `limit` of a list."""

CurrentExchange = Annotated[Exchange, Depends(current_exchange)]
CurrentClient = Annotated[Client, Depends(current_client)]
CurrentLinks = Annotated[Links, Depends(current_links)]
CurrentAuth = Annotated[AuthService, Depends(current_auth)]
SignedIn = Annotated[Identity, Depends(signed_in)]
