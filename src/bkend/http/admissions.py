"""What let a request in, for as long as nothing that decided it changed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass

from bkend.auth.identity import Identity
from bkend.clock import Clock
from bkend.environment import Environment, EnvironmentServices
from bkend.http.exchange import Exchange
from bkend.manage.environments import Environments
from bkend.manage.keys import Key, Keys

# At least this often a caller goes the whole way, which notes when keys and sessions were used.
_LONGEST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Admission:
    """The key, the environment and the user of a request, if one has signed in."""

    key_value: str
    key: Key
    environment: weakref.ref[Environment]
    """Not held: an environment that nobody uses is closed, and its admissions go with it."""
    identity: Identity | None
    until: int
    """Milliseconds since 1970."""


class Admissions:
    """Makes admissions, and knows whether they still hold.

    The parts that one was decided by are themselves kept until they change, so it holds while each
    is still the very same object.
    """

    def __init__(
        self, keys: Keys, environments: Environments[EnvironmentServices], clock: Clock
    ) -> None:
        self._keys = keys
        self._environments = environments
        self._clock = clock

    def of(
        self, exchange: Exchange, identity: Identity | None, forget: Callable[[], object]
    ) -> Admission:
        """Of a request that has passed the gate; `forget` is called when its environment is
        closed, or known anew."""
        key, environment = exchange.key, exchange.environment
        assert key is not None
        assert environment is not None
        until = self._clock.now_ms() + _LONGEST_MS
        if key.expires_at is not None:
            until = min(until, key.expires_at)
        if identity is not None:
            until = min(until, identity.token_expires_at, identity.session.expires_at)
        value = exchange.headers.get("x-api-key") or ""
        weak = weakref.ref(environment, lambda _: forget())
        return Admission(value, key, weak, identity, until)

    def hold(self, admission: Admission) -> Environment | None:
        """The environment, if the same request would be let in again; its rate limit is not looked
        at."""
        environment, identity = admission.environment(), admission.identity
        holds = (
            environment is not None
            and self._clock.now_ms() < admission.until
            and self._keys.cached(admission.key_value) is admission.key
            and self._environments.cached(environment.state.id) is environment
            and (identity is None or environment.services.identities.is_current(identity))
        )
        return environment if holds else None
