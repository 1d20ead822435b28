"""Refusals of links, one class per code (10 §6, §8, §9, §12)."""

from __future__ import annotations

from bkend.auth.errors import BucketFull
from bkend.errors import ApiError


class MagicLinkNotAvailableForSocial(ApiError):
    """The address belongs to a user who signs in with a social provider only."""

    status, code = 400, "auth/magiclink-not-available-for-social"
    default_message = "This address signs in with a social account"


class MagicTokenMissing(ApiError):
    """No token to redeem."""

    status, code = 400, "auth/magic-token-missing"
    default_message = "token is required"


class AlreadyVerified(ApiError):
    """The address is verified."""

    status, code = 400, "auth/already-verified"
    default_message = "This e-mail address is verified already"


class VerificationTokenNotFound(ApiError):
    """A verification or reset token that is unknown, used, superseded or of another address."""

    status, code = 404, "auth/verification-token-not-found"
    default_message = "The link is not valid any more; ask for a new one"


class VerificationTokenExpired(ApiError):
    """A verification or reset token whose time has passed."""

    status, code = 401, "auth/verification-token-expired"
    default_message = "The link has expired; ask for a new one"


class AccountNotFound(ApiError):
    """The user whom a token was for is gone."""

    status, code = 404, "auth/account-not-found"
    default_message = "The account does not exist any more"


class NotAllowed(ApiError):
    """Only admins may do this, or members of the organization."""

    status, code = 403, "auth/forbidden"
    default_message = "You are not allowed to do this"


class InvitationNotFound(ApiError):
    """No such invitation, or not one that the caller may see."""

    status, code = 404, "auth/invitation-not-found"
    default_message = "There is no such invitation"


class InvitationExpired(ApiError):
    """The invitation's time has passed."""

    status, code = 410, "auth/invitation-expired"
    default_message = "The invitation has expired; ask for a new one"


class InvitationAlreadyAccepted(ApiError):
    """The invitation was accepted: nothing can be done with it any more."""

    status, code = 400, "auth/invitation-already-accepted"
    default_message = "The invitation was accepted already"


class TooManyCodeRequests(BucketFull):
    """Too many mails of one category to one address."""

    code = "auth/too-many-code-requests"
    default_message = "Too many mails to this address (429); wait a while and try again"
