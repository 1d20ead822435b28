"""Refusals of sign-in through providers and of linked accounts, one class per code (10 §15)."""

from __future__ import annotations

from bkend.errors import ApiError


class UnsupportedProvider(ApiError):
    """No provider of this name can be asked."""

    status, code = 400, "auth/unsupported-provider"
    default_message = "This provider is not supported here"


class OAuthNotConfigured(ApiError):
    """The provider has no configuration, an incomplete one, or is switched off."""

    status, code = 400, "auth/oauth-not-configured"
    default_message = "This provider is not configured, or it is switched off"


class LastAuthMethod(ApiError):
    """Without this account the user could not sign in any more."""

    status, code = 400, "auth/last-auth-method"
    default_message = "This is the only way to sign in that is left; add another one first"


class InvalidOAuthCode(ApiError):
    """The provider rejects the code, or the ID token or the state is forged, used up or late."""

    status, code = 401, "auth/invalid-oauth-code"
    default_message = "The provider's answer is not valid any more; start the sign-in again"


class AccountNotFound(ApiError):
    """The user has no account of this provider."""

    status, code = 404, "auth/account-not-found"
    default_message = "No account of this provider is linked"


class AccountAlreadyLinked(ApiError):
    """The user has an account of this provider, or the identity belongs to somebody."""

    status, code = 409, "auth/account-already-linked"
    default_message = "An account of this provider, or this very account, is linked already"


class AccountExistsDifferentProvider(ApiError):
    """The address belongs to a user who signs in otherwise; identities are never merged."""

    status, code = 409, "auth/account-exists-different-provider"
    default_message = (
        "A user with this e-mail address already exists; sign in as usual, then link the provider"
    )


class OAuthCallbackFailed(ApiError):
    """The provider cannot be reached, makes no sense, or vouches for no e-mail address."""

    status, code = 500, "auth/oauth-callback-failed"
    default_message = "The provider could not be asked; try again"
