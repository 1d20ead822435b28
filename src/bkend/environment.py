"""The services of one environment, built together on its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bkend.auth.identity import Identities
from bkend.auth.links.service import Links
from bkend.auth.mfa.service import Mfa
from bkend.auth.service import AuthService
from bkend.auth.social.service import Social
from bkend.files.service import Files
from bkend.mail.service import Mail
from bkend.manage.environments import OpenEnvironment
from bkend.records.service import Records
from bkend.tables.design import Design
from bkend.tables.service import Tables
from bkend.users.service import Users


@dataclass(frozen=True, slots=True)
class EnvironmentServices:
    """What requests to an environment are answered by."""

    identities: Identities
    auth: AuthService
    mfa: Mfa
    links: Links
    social: Social
    mail: Mail
    tables: Tables
    design: Design
    records: Records
    users: Users
    files: Files


Environment: TypeAlias = OpenEnvironment[EnvironmentServices]
