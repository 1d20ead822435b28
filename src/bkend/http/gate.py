"""The checks before any endpoint of `/v1`, as 20 §1.3 orders them: key, token, rate,
environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bkend.auth.identity import ForeignToken, Identity
from bkend.caller import Caller
from bkend.clock import Clock
from bkend.environment import Environment, EnvironmentServices
from bkend.errors import (
    AddressNotAllowed,
    ApiError,
    CallLimitReached,
    EnvironmentNotActive,
    EnvironmentNotFound,
    InvalidToken,
    MissingHeader,
    ProjectAccessDenied,
    RateLimited,
    TokenExpired,
    TokenRevoked,
    Unauthorized,
)
from bkend.http.exchange import Exchange
from bkend.http.limits import Buckets
from bkend.manage.environments import Environments
from bkend.manage.keys import Key, Keys
from bkend.manage.limits import Limits
from bkend.manage.usage import seconds_to_midnight


class Gate:
    """Resolves who calls, or raises the first refusal."""

    def __init__(
        self,
        keys: Keys,
        environments: Environments[EnvironmentServices],
        buckets: Buckets | None,
        clock: Clock,
        background: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._keys = keys
        self._environments = environments
        self._buckets = buckets
        self._clock = clock
        self._background = background

    async def admit(self, exchange: Exchange, *, data: bool, read_token: bool) -> Caller:
        """The caller. `data` selects the codes of the data API; without `read_token` the
        Authorization header is left to the endpoint (10 §1)."""
        missing: type[ApiError] = MissingHeader if data else Unauthorized
        key = await self._key(exchange, missing)
        exchange.key = key
        environment = await self._environments.get(key.environment_id)
        exchange.environment = environment
        identity = None
        if read_token and environment is not None:
            foreign: type[ApiError] = ProjectAccessDenied if data else InvalidToken
            identity = await identify(exchange, environment, foreign)
            if identity is not None:
                noting = environment.services.auth.note_activity(identity)
                if noting is not None:
                    self._background(noting)
        self.take_token(exchange, key)
        check_environment(environment)
        if self._keys.due_for_use_mark(key):
            self._background(self._keys.mark_used(key))
        return Caller(key, identity)

    async def _key(self, exchange: Exchange, missing: type[ApiError]) -> Key:
        value = exchange.headers.get("x-api-key")
        if not value:
            if missing is Unauthorized:
                raise Unauthorized("The X-API-Key header is required")
            raise missing
        key = self._keys.cached(value) or await self._keys.find(value)
        if key is None or key.type == "bearer":
            raise InvalidToken("The API key is not known here")
        if key.revoked:
            raise TokenRevoked
        if key.expires_at is not None and key.expires_at <= self._clock.now_ms():
            raise TokenExpired("The API key has expired")
        return key

    def admit_without_key(self, exchange: Exchange) -> None:
        """A call that may come without a key (10 §1): counted by its address alone; what it
        belongs to is the endpoint's own matter. Raises RateLimited."""
        self._take(exchange, "", by_address=True)

    def take_token(self, exchange: Exchange, key: Key) -> None:
        """Count the request against its rate limit (00 §5) and as a call of its environment, which
        may have limits of its own (51 §3.4).

        Raises AddressNotAllowed, RateLimited, CallLimitReached.
        """
        environment = exchange.environment
        limits = None if environment is None else environment.state.project.limits
        if limits is not None:
            _check_address(exchange, limits)
        self._take(exchange, key.id, by_address=not key.is_secret)
        if environment is not None:
            if limits is not None:
                _check_calls(environment, limits, self._clock)
            environment.state.calls.pending += 1

    def _take(self, exchange: Exchange, key_id: str, *, by_address: bool) -> None:
        if self._buckets is None:
            return
        limit = self._buckets.limit.rate
        left = self._buckets.take(key_id, exchange.address if by_address else "")
        if left < 0:
            raise RateLimited(-left, limit)
        exchange.rate = (limit, left)


def enter(exchange: Exchange, environment: Environment | None, clock: Clock) -> Environment:
    """The environment of a call that came without a key, checked once it is known as that of a
    key is.

    Raises EnvironmentNotFound, EnvironmentNotActive, AddressNotAllowed, CallLimitReached.
    """
    check_environment(environment)
    assert environment is not None
    exchange.environment = environment
    limits = environment.state.project.limits
    if limits is not None:
        _check_address(exchange, limits)
        _check_calls(environment, limits, clock)
    environment.state.calls.pending += 1
    return environment


def _check_address(exchange: Exchange, limits: Limits) -> None:
    if not limits.admits(exchange.address):
        raise AddressNotAllowed


def _check_calls(environment: Environment, limits: Limits, clock: Clock) -> None:
    if limits.calls_a_day is None:
        return
    now = clock.now_ms()
    if not environment.state.calls.is_below(limits.calls_a_day, now):
        raise CallLimitReached(seconds_to_midnight(now))


def check_environment(environment: Environment | None) -> None:
    """Refuse an environment that is gone, or not active, or of an inactive project."""
    if environment is None:
        raise EnvironmentNotFound
    if not is_active(environment):
        raise EnvironmentNotActive


def is_active(environment: Environment) -> bool:
    """Whether it and its project serve requests."""
    return environment.state.active and environment.state.project.active


async def identify(
    exchange: Exchange, environment: Environment, foreign: type[ApiError] = InvalidToken
) -> Identity | None:
    """Who the bearer token stands for; None without one."""
    token = exchange.bearer
    if token is None:
        return None
    try:
        return await environment.services.identities.identify(token)
    except ForeignToken:
        raise foreign from None


class Background:
    """Small tasks that no answer waits for; a failing one is logged and harms nothing."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = failed

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the coroutine on its own."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def drain(self) -> None:
        """Wait for what is running."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
