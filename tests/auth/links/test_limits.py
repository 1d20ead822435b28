"""How often mails are sent, and what cannot be learnt from asking for them (10 §5, §8)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import pytest

from tests.auth.answers import code
from tests.auth.links.conftest import ADA, BACK, HOUR, Linked

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/password/reset/request", {}),
    ("/signup/email/resend", {}),
    ("/email/verify/send", {}),
    ("/email/verify/resend", {}),
    ("/email/signup", {"method": "magiclink", "callbackUrl": BACK}),
    ("/email/signin", {"method": "magiclink", "callbackUrl": BACK}),
]


@pytest.mark.parametrize(("path", "body"), CALLS)
@pytest.mark.parametrize("email", [ADA, "eve@example.com"])
async def test_five_mails_an_hour_known_address_or_not(
    linked: Linked, path: str, body: dict[str, Any], email: str
) -> None:
    await linked.api.sign_up()
    answers = [await linked.post(path, email=email, **body) for _ in range(6)]
    assert [answer.status_code // 100 for answer in answers] == [2] * 5 + [4]
    refused = answers[-1]
    assert (refused.status_code, code(refused)) == (429, "auth/too-many-code-requests")
    assert "429" in refused.json()["message"]
    assert refused.headers["x-ratelimit-limit"] == "5"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(refused.headers["retry-after"]) <= HOUR
    upper = await linked.post(path, email=email.upper(), **body)
    assert upper.status_code == 429
    linked.api.clock.advance(HOUR)
    assert (await linked.post(path, email=email, **body)).status_code < 300


async def test_each_category_and_address_has_a_bucket_of_its_own(linked: Linked) -> None:
    for path in ("/password/reset/request", "/email/verify/send"):
        for _ in range(5):
            await linked.asked(path, email=ADA)
    assert (await linked.post("/signup/email/resend", email=ADA)).status_code == 429
    await linked.asked("/password/reset/request", email="eve@example.com")
    await linked.magic_token()


async def test_malformed_requests_are_not_counted(linked: Linked) -> None:
    for _ in range(6):
        await linked.post("/password/reset/request", email=ADA, callbackUrl="https://evil.example")
    await linked.asked("/password/reset/request", email=ADA)


async def test_limits_can_be_switched_off(linked: Linked) -> None:
    await linked.set(**{"rateLimits.enabled": False})
    for _ in range(7):
        await linked.asked("/password/reset/request", email=ADA)


async def _seconds(work: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


@pytest.mark.parametrize(("path", "body"), [CALLS[0], CALLS[1], CALLS[5]])
async def test_the_time_does_not_tell_whether_an_address_is_known(
    linked: Linked, path: str, body: dict[str, Any]
) -> None:
    await linked.set(**{"rateLimits.enabled": False})
    await linked.api.sign_up()
    known, unknown = [], []
    for _ in range(40):
        known.append(await _seconds(lambda: linked.asked(path, email=ADA, **body)))
        unknown.append(await _seconds(lambda: linked.asked(path, email="eve@example.com", **body)))
    assert 0.6 < median(known) / median(unknown) < 1.6
