"""Preferences, notifications, onboarding, public settings (11 §5 to §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.users.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID = (400, "common/invalid-parameters")


async def part(town: Town, name: str, body: Any = None) -> Any:
    """Ada's part, changed first if there is a body."""
    method = "GET" if body is None else "PATCH"
    return await town.ok("ada", method, f"{town.ids['ada']}/{name}", body)


async def test_preferences_are_null_until_set_and_null_clears(town: Town) -> None:
    nothing = {"locale": None, "timezone": None, "theme": None}
    assert await part(town, "preferences") == nothing
    whole = {"locale": "ko-KR", "timezone": "Asia/Seoul", "theme": "system"}
    assert await part(town, "preferences", whole) == whole
    assert await part(town, "preferences", {"theme": None}) == {**whole, "theme": None}
    assert await part(town, "preferences", nothing) == nothing


@pytest.mark.parametrize("locale", ["ko", "en-US", "zh-Hant-TW", "de-1996", "x" * 8, "UTC"])
async def test_every_well_formed_language_is_taken(town: Town, locale: str) -> None:
    assert (await part(town, "preferences", {"locale": locale}))["locale"] == locale


@pytest.mark.parametrize(
    "body",
    [
        {"locale": "e"},
        {"locale": "en_US"},
        {"locale": "en-"},
        {"locale": "../en"},
        {"locale": "en\x00"},
        {"locale": "en-" + "-".join(["abcdefgh"] * 4)},
        {"locale": 1},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": "/etc/localtime"},
        {"timezone": ""},
        {"theme": "blue"},
        {"theme": {"$ne": None}},
    ],
    ids=str,
)
async def test_bad_preferences_are_refused(town: Town, body: Any) -> None:
    assert await town.refused("ada", "PATCH", f"{town.ids['ada']}/preferences", body) == INVALID


async def test_notifications_begin_with_the_defaults(town: Town) -> None:
    defaults = {
        "service": True,
        "marketing": False,
        "push": True,
        "email": True,
        "sms": False,
        "nightTime": False,
        "securityAlerts": True,
    }
    assert await part(town, "notifications") == defaults
    for name, default in defaults.items():
        changed = await part(town, "notifications", {name: not default})
        assert changed[name] is not default
    assert await part(town, "notifications") == {n: not v for n, v in defaults.items()}


@pytest.mark.parametrize("value", [None, "true", 1, 0, "", [], {}])
async def test_a_switch_is_true_or_false(town: Town, value: Any) -> None:
    path = f"{town.ids['ada']}/notifications"
    for name in ("push", "email"):
        assert await town.refused("ada", "PATCH", path, {name: value}) == INVALID


async def test_onboarding_is_timed_when_it_is_completed_first(town: Town) -> None:
    first = await part(town, "onboarding")
    assert (first["status"], first["completedSteps"], first["completedAt"]) == ("pending", [], None)
    begun = await part(town, "onboarding", {"onboardingStatus": "in_progress"})
    assert begun["status"] == begun["onboardingStatus"] == "in_progress"
    town.api.clock.advance(10)
    done = await part(town, "onboarding", {"status": "completed", "completedSteps": ["a", "b"]})
    assert done["completedAt"] == done["updatedAt"]
    town.api.clock.advance(10)
    again = await part(town, "onboarding", {"status": "completed", "completedSteps": []})
    assert (again["completedAt"], again["completedSteps"]) == (done["completedAt"], [])
    assert (await town.ok("ada", "GET", "/v1/auth/me"))["onboardingStatus"] == "completed"
    assert (await part(town, "onboarding", {"status": "skipped"}))["completedAt"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"status": "done"},
        {"status": None},
        {"onboardingStatus": 1},
        {"completedSteps": "a"},
        {"completedSteps": None},
        {"completedSteps": [1]},
        {"completedSteps": ["x" * 101]},
        {"completedSteps": ["x"] * 51},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_bad_onboarding_is_refused(town: Town, body: Any) -> None:
    assert await town.refused("ada", "PATCH", f"{town.ids['ada']}/onboarding", body) == INVALID


async def test_a_slug_is_lowered_unique_and_freed_by_null(town: Town) -> None:
    assert await part(town, "public-settings") == {"slug": None, "isPublic": False}
    assert (await part(town, "public-settings", {"slug": "Ada-1"}))["slug"] == "ada-1"
    path = f"{town.ids['bob']}/public-settings"
    assert await town.refused("bob", "PATCH", path, {"slug": "ADA-1", "isPublic": True}) == (
        409,
        "user/slug-already-exists",
    )
    assert await town.ok("bob", "GET", path) == {"slug": None, "isPublic": False}
    assert (await part(town, "public-settings", {"slug": "ada-1"}))["slug"] == "ada-1"
    await part(town, "public-settings", {"slug": None})
    assert (await town.ok("bob", "PATCH", path, {"slug": "ada-1"}))["slug"] == "ada-1"
    assert (await town.ok("guy", "GET", town.ids["bob"])).keys().isdisjoint({"slug"})


BAD_SLUGS: list[Any] = ["ab", "x" * 51, "-abc", "abc-", "a--b", "a_b", "a b", "über", "", 7, []]


@pytest.mark.parametrize(
    "body",
    [
        *[{"slug": slug} for slug in BAD_SLUGS],
        {"slug": "abc\n"},
        {"slug": "a/../b"},
        {"slug": {"$ne": None}},
        {"isPublic": None},
        {"isPublic": "true"},
        {"isPublic": 1},
    ],
    ids=str,
)
async def test_bad_public_settings_are_refused(town: Town, body: Any) -> None:
    path = f"{town.ids['ada']}/public-settings"
    assert await town.refused("ada", "PATCH", path, body) == INVALID


async def test_twenty_claims_of_one_slug_give_it_to_one(town: Town) -> None:
    ids = []
    for number in range(20):
        body = {"name": "N", "email": f"n{number}@example.com"}
        ids.append((await town.ok("secret", "POST", "", body, status=201))["id"])
    answers = await asyncio.gather(
        *(town.call("secret", "PATCH", f"{id}/public-settings", {"slug": "one"}) for id in ids)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 19]
    found = await town.ok("secret", "GET", "", params={"limit": 100})
    assert sum(item["slug"] == "one" for item in found["items"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "rule", "message"),
    [
        ("public-settings", {"slug": "ab"}, "minLength", "slug has at least 3 characters"),
        ("public-settings", {"slug": "x" * 51}, "maxLength", "slug has at most 50 characters"),
        ("onboarding", {"completedSteps": ["x"] * 51}, "maxLength", "has at most 50 elements"),
        ("preferences", {"theme": "pink"}, "enum", "theme must be 'light', 'dark' or 'system'"),
        ("avatar", {"s3Key": ""}, "minLength", "s3Key must not be empty"),
        ("avatar", {}, "required", "s3Key is required"),
    ],
)
async def test_a_refusal_says_what_is_expected(
    town: Town, path: str, body: Any, rule: str, message: str
) -> None:
    answer = await town.call("ada", "PATCH", f"{town.ids['ada']}/{path}", body)
    [detail] = answer.json()["error"]["details"]
    assert detail["rule"] == rule
    assert detail["message"].endswith(message)
    assert answer.json()["message"] == detail["message"]
