"""Bodies of `/v1/users`. Only what is named here can be set; the rest of a body is ignored, so that
nobody gives themselves a role (11 §1)."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field

from bkend.auth.errors import InvalidEmail
from bkend.errors import ApiError, InvalidParameters
from bkend.http.exchange import Exchange
from bkend.http.manage.bodies import Body, read_body
from bkend.users.errors import InvalidName, InvalidNickname, InvalidRole
from bkend.users.fields import (
    Bio,
    Language,
    Mobile,
    Name,
    Nickname,
    Slug,
    Step,
    TimeZone,
    WebAddress,
)

_CODES: dict[str, type[ApiError]] = {
    "name": InvalidName,
    "nickname": InvalidNickname,
    "email": InvalidEmail,
    "role": InvalidRole,
}
Model = TypeVar("Model", bound=Body)
Status = Literal["pending", "in_progress", "completed", "skipped"]


async def read_fields(exchange: Exchange, model: type[Model]) -> Model:
    """The body as the model. Raises InvalidName, InvalidNickname, InvalidEmail, InvalidRole,
    InvalidParameters, PayloadTooLarge."""
    try:
        return await read_body(exchange, model)
    except InvalidParameters as error:
        for detail in error.details:
            refusal = _CODES.get(detail["field"])
            if refusal is not None:
                raise refusal(detail["message"], details=error.details) from None
        raise


def given(body: Body) -> dict[str, Any]:
    """The fields that were sent, also of bodies inside."""
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    return {n: given(value) if isinstance(value, Body) else value for n, value in sent.items()}


class NewUser(Body):
    """A user without a password, who signs in by magic link or after a reset."""

    name: Name
    email: str
    role: str = "user"


class ClaimedAddress(Body):
    """The address of the person that an imported user is."""

    email: str


class UserUpdate(Body):
    """What users change of their own record."""

    name: Name = ""


class AdminUserUpdate(UserUpdate):
    """What admins change of anybody's; `banned` ends all sessions."""

    status: Literal["active", "banned"] = "active"


class RoleUpdate(Body):
    """`admin`, `user`, `guest` or one of the project's custom roles."""

    role: str


class SocialLinksUpdate(Body):
    """Merged per key; null removes one."""

    github: WebAddress | None = None
    twitter: WebAddress | None = None
    linkedin: WebAddress | None = None


class ProfileUpdate(Body):
    """Fields that are sent are replaced; null clears."""

    name: Name = ""
    nickname: Nickname | None = None
    mobile: Mobile | None = None
    gender: Literal["none", "male", "female", "etc"] | None = None
    bio: Bio | None = None
    socialLinks: SocialLinksUpdate | None = None
    image: str | None = Field(default=None, max_length=2048)


class UploadRequest(Body):
    """Of the name only the extension is used, when there is no type."""

    filename: str = Field(min_length=1, max_length=255)
    contentType: Literal["image/jpeg", "image/png", "image/gif", "image/webp"] | None = None


class AvatarUpdate(Body):
    """The key of an upload."""

    s3Key: str = Field(min_length=1, max_length=1024)


class PreferencesUpdate(Body):
    """null clears."""

    locale: Language | None = None
    timezone: TimeZone | None = None
    theme: Literal["light", "dark", "system"] | None = None


class NotificationsUpdate(Body):
    """Those that are sent are changed."""

    service: bool = True
    marketing: bool = False
    push: bool = True
    email: bool = True
    sms: bool = False
    nightTime: bool = False
    securityAlerts: bool = True


class OnboardingUpdate(Body):
    """`onboardingStatus` is another name of `status`; the steps replace those there are."""

    status: Status = "pending"
    onboardingStatus: Status = "pending"
    completedSteps: list[Step] = Field(default=[], max_length=50)


class PublicSettingsUpdate(Body):
    """null frees the slug."""

    slug: Slug | None = None
    isPublic: bool = False
