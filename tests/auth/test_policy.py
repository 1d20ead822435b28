from __future__ import annotations

import pytest

from bkend.auth.errors import InvalidPasswordFormat
from bkend.auth.policy import PasswordPolicy

STRICT = PasswordPolicy(
    require_uppercase=True,
    require_lowercase=True,
    require_numbers=True,
    require_special_chars=True,
)


@pytest.mark.parametrize(
    ("policy", "password"),
    [
        (PasswordPolicy(), "password"),
        (PasswordPolicy(), "        "),
        (PasswordPolicy(), "비밀번호비밀번호"),
        (PasswordPolicy(), "x" * 128),
        (PasswordPolicy(min_length=6), "secret"),
        (STRICT, "Passw0rd!"),
        (STRICT, "Ünïcode1€"),
    ],
)
def test_password_within_the_rules_is_accepted(policy: PasswordPolicy, password: str) -> None:
    policy.check(password)


@pytest.mark.parametrize(
    ("policy", "password", "rules"),
    [
        (PasswordPolicy(), "", ["minLength"]),
        (PasswordPolicy(), "1234567", ["minLength"]),
        (PasswordPolicy(), "🙂" * 7, ["minLength"]),
        (PasswordPolicy(), "x" * 129, ["maxLength"]),
        (STRICT, "passw0rd!", ["requireUppercase"]),
        (STRICT, "PASSW0RD!", ["requireLowercase"]),
        (STRICT, "Password!", ["requireNumbers"]),
        (STRICT, "Passw0rd ", ["requireSpecialChars"]),
        (
            STRICT,
            "short",
            ["minLength", "requireUppercase", "requireNumbers", "requireSpecialChars"],
        ),
    ],
)
def test_every_broken_rule_is_named(
    policy: PasswordPolicy, password: str, rules: list[str]
) -> None:
    with pytest.raises(InvalidPasswordFormat) as refused:
        policy.check(password, "newPassword")
    assert [detail.get("rule") for detail in refused.value.details] == rules
    assert {detail["field"] for detail in refused.value.details} == {"newPassword"}


def test_password_expires_only_when_a_lifetime_is_set() -> None:
    day = 86_400_000
    assert not PasswordPolicy().is_expired(0, 10_000 * day)
    assert not PasswordPolicy(expiration_days=30).is_expired(0, 30 * day)
    assert PasswordPolicy(expiration_days=30).is_expired(0, 30 * day + 1)
