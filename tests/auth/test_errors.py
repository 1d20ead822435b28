from __future__ import annotations

import inspect

import pytest

from bkend.auth import errors
from bkend.auth.errors import BucketFull, TooManyLoginAttempts, TooManyRequests, invalid_request
from bkend.errors import ApiError

STATUS = {
    "auth/invalid-request": 400,
    "auth/invalid-email": 400,
    "auth/invalid-password-format": 400,
    "auth/weak-password": 400,
    "auth/same-as-previous-password": 400,
    "auth/magiclink-disabled": 400,
    "auth/unsupported-provider": 400,
    "auth/invalid-credentials": 401,
    "auth/invalid-password": 401,
    "auth/invalid-refresh-token": 401,
    "auth/session-expired": 401,
    "auth/account-banned": 403,
    "auth/email-not-verified": 403,
    "auth/password-expired": 403,
    "auth/signup-disabled": 403,
    "auth/session-not-found": 404,
    "auth/user-not-found": 404,
    "auth/email-already-exists": 409,
    "auth/too-many-requests": 429,
    "auth/too-many-login-attempts": 429,
}


def test_each_code_has_one_class_and_its_status() -> None:
    found = {
        kind.code: kind.status
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ApiError) and kind not in (ApiError, BucketFull)
    }
    assert found == STATUS


@pytest.mark.parametrize("kind", [TooManyRequests, TooManyLoginAttempts])
def test_429_tells_when_to_come_back(kind: type[BucketFull]) -> None:
    refusal = kind(61, 5)
    assert "429" in refusal.message
    assert refusal.headers == {
        "Retry-After": "61",
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "0",
    }


def test_taken_address_says_already_exists() -> None:
    assert "already exists" in errors.EmailAlreadyExists().message


@pytest.mark.parametrize(
    ("error", "field", "message"),
    [
        ({"type": "missing", "loc": ("body", "email")}, "email", "email is required"),
        ({"type": "string_type", "loc": ("body", "email")}, "email", "email must be a string"),
        ({"type": "missing", "loc": ("body",)}, "body", "The body must be a JSON object"),
        ({"type": "json_invalid", "loc": ("body", 7)}, "body", "The body must be a JSON object"),
        (
            {"type": "string_too_long", "loc": ("body", "name"), "ctx": {"max_length": 100}},
            "name",
            "name must have at most 100 characters",
        ),
        (
            {"type": "literal_error", "loc": ("body", "method"), "ctx": {"expected": "'password'"}},
            "method",
            "method must be 'password'",
        ),
        ({"type": "int_type", "loc": ("query", "page")}, "page", "page is not valid"),
    ],
)
def test_malformed_field_is_pointed_at(error: dict[str, object], field: str, message: str) -> None:
    refusal = invalid_request([{"input": "secret", **error}])
    assert refusal.details == [{"field": field, "message": message}]
    assert refusal.message == message
    assert "secret" not in str(refusal.details)
