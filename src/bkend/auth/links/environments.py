"""Which environment a browser's navigation without a key is about (10 §1)."""

from __future__ import annotations

from starlette.requests import Request

from bkend.core import Core
from bkend.environment import EnvironmentServices
from bkend.http.exchange import Exchange
from bkend.http.gate import enter


async def services_of(request: Request, environment_id: str) -> EnvironmentServices | None:
    """The services of the key's environment; without a key those of the named one.

    None where there is no such environment. Raises EnvironmentNotActive, AddressNotAllowed,
    CallLimitReached.
    """
    exchange: Exchange = request.scope["bkend.exchange"]
    if exchange.environment is None:
        core: Core = request.app.state.core
        found = await core.environments.get(environment_id) if environment_id else None
        if found is None:
            return None
        enter(exchange, found, core.clock)
    assert exchange.environment is not None
    return exchange.environment.services
