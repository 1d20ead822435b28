"""What is changed in an environment, for the reports of it (51 §3.11): shared by the management API
and the command line."""

from __future__ import annotations

from bkend.auth.collections import AUTH_SETTINGS
from bkend.auth.social.collections import PROVIDERS
from bkend.manage.recording import Subject
from bkend.tables.models import TABLES

SIGN_IN_SETTINGS = Subject("auth_config_updated", (AUTH_SETTINGS,), "auth_config")
SIGN_IN_PROVIDER = Subject("auth_config_updated", (PROVIDERS,), "auth_config")


def table_subject(event: str) -> Subject:
    """A change of a table's definition."""
    return Subject(event, (TABLES,), "table", named_by=("tableName",))
