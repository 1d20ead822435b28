from __future__ import annotations

from typing import Any

import pytest

from bkend.auth.policy import PasswordPolicy
from bkend.auth.settings import AuthSettingProblem, StoredSettings
from bkend.store import Store
from tests.auth.conftest import FakeClock


@pytest.fixture
def settings(store: Store, clock: FakeClock) -> StoredSettings:
    return StoredSettings(store, clock)


async def test_defaults_hold_until_something_is_set(settings: StoredSettings) -> None:
    current = await settings.current()
    assert dict(current.values) == {
        "accessTokenTtlSeconds": 3600,
        "refreshTokenTtlSeconds": 604_800,
        "refreshReuseGraceSeconds": 10,
        "verificationTokenTtlHours": 24,
        "invitationExpirationDays": 7,
        "mfaSetupTtlMinutes": 10,
        "deletedUserRetentionDays": 30,
        "allowSignup": True,
        "mfaAvailable": True,
        "publicAccountCheck": True,
        "resetRequiresVerifiedEmail": False,
        "userListing": "all",
        "allowedRedirectUrls": [],
        "siteUrl": None,
        "resetUrl": None,
        "inviteUrl": None,
        "rateLimits.enabled": True,
        "rateLimits.signUpsPerAddress": None,
        "email.enabled": True,
        "magicLinkEnabled": True,
        "magicLinkExpirationMinutes": 15,
        "requireEmailVerification": False,
        "sendVerificationOnSignup": False,
        "passwordPolicy.minLength": 8,
        "passwordPolicy.maxLength": 128,
        "passwordPolicy.requireUppercase": False,
        "passwordPolicy.requireLowercase": False,
        "passwordPolicy.requireNumbers": False,
        "passwordPolicy.requireSpecialChars": False,
        "passwordPolicy.expirationDays": None,
        "passwordPolicy.breachCheck": "off",
    }


async def test_change_acts_at_once_and_leaves_the_rest(settings: StoredSettings) -> None:
    await settings.current()
    await settings.update({"accessTokenTtlSeconds": 60})
    await settings.update({"passwordPolicy.minLength": 6, "rateLimits.enabled": False})
    current = await settings.current()
    assert current.access_token_ttl_seconds == 60
    assert current.password_policy.min_length == 6
    assert not current.rate_limits_enabled
    assert current.refresh_token_ttl_seconds == 604_800


async def test_change_by_another_process_is_seen(
    settings: StoredSettings, store: Store, clock: FakeClock
) -> None:
    await settings.current()
    await StoredSettings(store, clock).update({"refreshReuseGraceSeconds": 0})
    assert (await settings.current()).refresh_reuse_grace_seconds == 0


async def test_none_brings_the_default_back(settings: StoredSettings) -> None:
    await settings.update({"accessTokenTtlSeconds": 60, "passwordPolicy.expirationDays": 90})
    await settings.update({"accessTokenTtlSeconds": None, "passwordPolicy.expirationDays": None})
    current = await settings.current()
    assert current.access_token_ttl_seconds == 3600
    assert current.password_policy.expiration_days is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accessTokenTtlSeconds": 0}, "whole number from 1"),
        ({"accessTokenTtlSeconds": "60"}, "whole number"),
        ({"accessTokenTtlSeconds": 1.5}, "whole number"),
        ({"accessTokenTtlSeconds": True}, "whole number"),
        ({"accessTokenTtlSeconds": 10**12}, "whole number"),
        ({"refreshReuseGraceSeconds": 61}, "from 0 to 60"),
        ({"refreshReuseGraceSeconds": -1}, "from 0 to 60"),
        ({"allowSignup": "yes"}, "true or false"),
        ({"rateLimits.enabled": 1}, "true or false"),
        ({"passwordPolicy.minLength": 5}, "from 6 to 72"),
        ({"passwordPolicy.minLength": 73}, "from 6 to 72"),
        ({"passwordPolicy.minLength": 20, "passwordPolicy.maxLength": 19}, "not greater"),
        ({"userListing": "nobody"}, "all or admin"),
        ({"passwordPolicy.breachCheck": True}, "off or list"),
        ({"siteUrl": "example.com"}, "http or https"),
        ({"resetUrl": "javascript:alert(1)"}, "http or https"),
        ({"inviteUrl": "https://a b/"}, "http or https"),
        ({"allowedRedirectUrls": "https://a.example"}, "a list"),
        ({"allowedRedirectUrls": [5]}, "addresses"),
        ({"allowedRedirectUrls": ["javascript:alert(1)"]}, "neither"),
        ({"allowedRedirectUrls": ["data:text/html,x"]}, "neither"),
        ({"allowedRedirectUrls": ["https://a.example"] * 101}, "at most 100"),
        ({"accessTokenTtlSecond": 60}, "did you mean accessTokenTtlSeconds"),
        ({"passwordPolicy": {"minLength": 8}}, "default or strict"),
    ],
)
async def test_value_out_of_range_changes_nothing(
    settings: StoredSettings, changes: dict[str, Any], reason: str
) -> None:
    before = await settings.current()
    with pytest.raises(AuthSettingProblem, match=reason):
        await settings.update({"refreshTokenTtlSeconds": 5, **changes})
    assert await settings.current() == before


# -- the preset of the password policy ------------------------------------------------------------


async def test_strict_preset_sets_every_part_of_the_policy(settings: StoredSettings) -> None:
    await settings.update({"passwordPolicy.minLength": 12, "passwordPolicy.expirationDays": 9})
    policy = (await settings.update({"passwordPolicy": "strict"})).password_policy
    assert policy == PasswordPolicy(
        min_length=8,
        max_length=128,
        require_uppercase=True,
        require_lowercase=True,
        require_numbers=True,
        require_special_chars=True,
        expiration_days=None,
        breach_check="list",
    )
    assert (await settings.current()).password_policy == policy


@pytest.mark.parametrize("back", ["default", None])
async def test_default_preset_brings_the_defaults_back(
    settings: StoredSettings, back: str | None
) -> None:
    before = (await settings.current()).password_policy
    await settings.update({"passwordPolicy": "strict"})
    assert (await settings.update({"passwordPolicy": back})).password_policy == before


async def test_part_named_beside_the_preset_wins(settings: StoredSettings) -> None:
    changes = {"passwordPolicy.minLength": 10, "passwordPolicy": "strict"}
    assert (await settings.update(changes)).password_policy.min_length == 10


@pytest.mark.parametrize("odd", ["lenient", 7, True, {"minLength": 6}, ["strict"]])
async def test_other_presets_are_refused(settings: StoredSettings, odd: object) -> None:
    with pytest.raises(AuthSettingProblem, match="default or strict"):
        await settings.update({"passwordPolicy": odd})
