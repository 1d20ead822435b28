"""Setting the server up (50 §3, 51 §8)."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from bkend.http.manage.shapes.accounts import Method, TenantAccount
from bkend.http.manage.shapes.organizations import Organization
from bkend.http.manage.shapes.projects import Project


class SetupState(TypedDict):
    """Whether the first account is still to be made, and how people get in."""

    required: bool
    tokenRequired: bool
    signupMode: Literal["closed", "invite", "open"]
    loginMethods: list[Method]
    mailConfigured: bool
    version: str


class SetUp(TypedDict):
    """The first account, what belongs to it, and a publishable key of the project."""

    account: TenantAccount
    organization: Organization
    project: Project | None
    publishableKey: str | None
