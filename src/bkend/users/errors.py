"""Refusals of the user API, one class per code (11 §9)."""

from __future__ import annotations

from bkend.errors import ApiError


class UserUnauthorized(ApiError):
    """Neither a user token nor a secret key."""

    status, code = 401, "user/unauthorized"
    default_message = "Sign in first: this needs a user token or a secret key"


class UserForbidden(ApiError):
    """The caller may not do this to this user."""

    status, code = 403, "user/forbidden"
    default_message = "You are not allowed to do this"


class UserNotFound(ApiError):
    """Unknown, deleted, or of another environment: never said which."""

    status, code, default_message = 404, "user/not-found", "There is no such user"


class InvalidRole(ApiError):
    """Neither a built-in role nor one of the project's own."""

    status, code = 400, "user/invalid-role"
    default_message = "role is admin, user, guest, or one of the project's custom roles"


class InvalidName(ApiError):
    """Not a text of 1 to 100 characters."""

    status, code = 400, "user/invalid-name"
    default_message = "name has 1 to 100 characters"


class InvalidNickname(ApiError):
    """Neither null nor a text of 1 to 50 characters."""

    status, code = 400, "user/invalid-nickname"
    default_message = "nickname has 1 to 50 characters"


class SlugAlreadyExists(ApiError):
    """Another user of the environment has the slug."""

    status, code = 409, "user/slug-already-exists"
    default_message = "This slug is already taken"
