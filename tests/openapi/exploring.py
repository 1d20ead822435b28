"""Generated requests: good ones, bad ones, and good ones about things that are not there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.control import SkipTest
from schemathesis.core.failures import FailureGroup

from tests.openapi.asking import CHECKS, Asking
from tests.openapi.world import Headers

EXAMPLES = int(os.environ.get("BKEND_OPENAPI_EXAMPLES", "2"))
"""Requests of each kind for each operation."""
_SETTINGS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_KINDS = [(GenerationMode.POSITIVE, True), (GenerationMode.NEGATIVE, True)]
if EXAMPLES >= 10:
    _KINDS.append((GenerationMode.POSITIVE, False))
"""What is generated, and whether it is about things that are there."""

Credentials = Callable[[str, str], Headers]
Parameters = Callable[[str, str], dict[str, str]]


def explore(asking: Asking, credentials: Credentials, parameters: Parameters) -> list[str]:
    """What is wrong with answers to generated requests, once for each kind of mistake."""
    found: dict[tuple[str, ...], str] = {}
    for method, path in sorted(asking.operations(), key=lambda one: one[0] == "DELETE"):
        headers, known = credentials(method, path), parameters(method, path)
        for mode, is_known in _KINDS:
            if not (known if not is_known else _can_be(mode, asking.described(method, path))):
                continue
            fixed = known if is_known else {}
            for mistake in _mistakes(asking, method, path, mode, headers, fixed):
                titles = tuple(sorted(failure.title for failure in mistake.exceptions))
                found.setdefault((method, path, *titles), str(mistake))
    return list(found.values())


def _can_be(mode: GenerationMode, described: dict[str, Any]) -> bool:
    """Whether a request about things that are there can be of this kind."""
    is_asked = any(one["in"] == "query" for one in described.get("parameters", ()))
    return mode.is_positive or is_asked or "requestBody" in described


def _mistakes(
    asking: Asking,
    method: str,
    path: str,
    mode: GenerationMode,
    headers: Headers,
    known: dict[str, str],
) -> Iterator[FailureGroup]:
    found: list[FailureGroup] = []
    strategy = asking.schema[path][method].as_strategy(
        generation_mode=mode, path_parameters=known or None
    )

    @_SETTINGS
    @given(case=strategy)
    def ask(case: Case[Any]) -> None:
        try:
            _send(asking, case, headers)
        except FailureGroup as group:
            found.append(group)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask()
    except (Unsatisfiable, SkipTest):
        pass  # nothing about the operation can be wrong
    yield from found


def _send(asking: Asking, case: Case[Any], headers: Headers) -> Any:
    return case.call_and_validate(
        base_url=asking.url,
        session=asking.session,
        headers=headers,
        checks=CHECKS,
        allow_redirects=False,
    )
