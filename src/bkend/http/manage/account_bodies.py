"""Bodies of set-up, session, account and device (51 §8)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from bkend.http.manage import fields
from bkend.http.manage.bodies import Body

_SCOPE = r"^(\*|[a-z][a-z-]*(:data)?):(\*|create|read|update|delete)$"


def _limits(least: int, most: int) -> dict[str, Any]:
    """What the services hold a text to, for the document: they name what is wrong with it."""
    return {"minLength": least, "maxLength": most}


Short = Annotated[str, Field(max_length=300)]
Secret = Annotated[str, Field(max_length=1000)]
Email = Annotated[str, Field(max_length=300, json_schema_extra={"format": "email"})]
PersonName = Annotated[str, Field(max_length=300, json_schema_extra=_limits(2, 50))]
Password = Annotated[str, Field(max_length=1000, json_schema_extra=_limits(10, 128))]
Scope = Annotated[str, Field(max_length=300, json_schema_extra={"pattern": _SCOPE})]
Time = Annotated[str, Field(max_length=300, json_schema_extra={"format": "date-time"})]


class Naming(Body):
    """What to call an organization or a project."""

    name: Short
    slug: Short | None = None


class FirstAccount(Body):
    """Who sets the server up, and for which organization."""

    token: Short | None = None
    name: PersonName
    email: Email
    password: Password
    organization: Naming
    project: Naming | None = None


class NewAccount(Body):
    """Somebody who signs up."""

    name: PersonName
    email: Email
    password: Password
    acceptTerms: bool | None = None
    invitationToken: Short | None = None


class Login(Body):
    """An address, its password, and the code of an account with a second factor."""

    email: Email
    password: Secret
    code: Short | None = None


class Address(Body):
    """Where a link goes."""

    email: Email


class LinkLogin(Body):
    """The token of a mailed link, and the code of an account with a second factor."""

    token: Short
    code: Short | None = None


class NewPassword(Body):
    """The token of a mailed link, and the password that is wanted."""

    token: Short
    newPassword: Password = Field(validation_alias=AliasChoices("newPassword", "password"))


class Token(Body):
    """The token of a mailed link."""

    token: Short


class Profile(Body):
    """What of an account its holder changes; what is left out stays."""

    name: fields.PersonName = None
    avatarUrl: fields.WebAddress = None
    locale: fields.TenantLocale = None
    theme: fields.Theme = None

    def given(self) -> dict[str, Any]:
        """The members that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class PasswordChange(Body):
    """The present password, where there is one, and the next."""

    currentPassword: Secret | None = None
    newPassword: Password


class Proof(Body):
    """What shows again who is there."""

    password: Secret | None = Field(
        default=None, validation_alias=AliasChoices("password", "currentPassword")
    )
    code: Short | None = None
    confirm: Short | None = None


class Code(Body):
    """A code of the authenticator app."""

    code: Short


class NewToken(Body):
    """A management token of one's own."""

    name: Short
    organizationId: Short | None = None
    scopes: list[Scope] | None = None
    projectIds: list[Short] | None = None
    expiresAt: Time | None = None


class NewDevice(Body):
    """What the program that wants in calls itself."""

    name: Short | None = None


class DeviceCode(Body):
    """The program's own code."""

    deviceCode: Short


class Approval(Body):
    """For which organization; needed only by members of several."""

    organizationId: Short | None = None
