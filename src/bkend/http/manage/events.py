"""Which event each change in an environment is, route by route (51 §3.11).

A route that changes something in an environment stands here, or in `CHANGES_NOTHING`; a test goes
through all routes. Changes of organizations, projects, environments and keys name their events
where they are made.
"""

from __future__ import annotations

from fastapi import Request

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.links.collections import TOKENS
from bkend.files.collections import FILES
from bkend.mail.collections import OUTBOX, TEMPLATES
from bkend.manage.recording import Subject
from bkend.subjects import SIGN_IN_PROVIDER, SIGN_IN_SETTINGS
from bkend.subjects import table_subject as _table

PREFIX = "/manage/v1/projects/{project}/environments/{env}"

_TABLE = "/tables/{table}"
_ROWS = ("tbl_",)


def _record(event: str) -> Subject:
    return Subject(event, _ROWS, "record", named_by=(), shows_values=False)


def _user(event: str, *collections: str, shows_values: bool = False) -> Subject:
    named_by = ("email", "name")
    watched = collections or (USERS,)
    home = USERS if collections else None
    return Subject(event, watched, "user", home, named_by, shows_values)


def _file(event: str) -> Subject:
    return Subject(event, (FILES,), "file", named_by=("originalName",), shows_values=False)


_TEMPLATE = Subject("email_template_updated", (TEMPLATES,), "email_template", named_by=("subject",))

SUBJECTS: dict[tuple[str, str], Subject] = {
    ("POST", "/tables"): _table("table_created"),
    ("PATCH", _TABLE): _table("table_updated"),
    ("DELETE", _TABLE): _table("table_deleted"),
    ("POST", f"{_TABLE}/fields/manage"): _table("schema_applied"),
    ("POST", f"{_TABLE}/schema/versions/{{version}}/apply"): _table("schema_applied"),
    ("POST", f"{_TABLE}/indexes/manage"): _table("index_updated"),
    ("POST", f"{_TABLE}/indexes/versions/{{version}}/apply"): _table("index_updated"),
    ("PUT", f"{_TABLE}/permissions"): _table("permissions_updated"),
    ("POST", f"{_TABLE}/records"): _record("record_created"),
    ("PATCH", f"{_TABLE}/records/{{id}}"): _record("record_updated"),
    ("DELETE", f"{_TABLE}/records/{{id}}"): _record("record_deleted"),
    ("POST", f"{_TABLE}/records/bulk-delete"): _record("record_deleted"),
    ("POST", "/users"): _user("user_created"),
    ("PATCH", "/users/{id}"): _user("user_updated"),
    ("DELETE", "/users/{id}"): _user("user_deleted"),
    ("PATCH", "/users/{id}/role"): _user("user_updated", shows_values=True),
    ("PUT", "/users/{id}/claim-email"): _user("user_updated"),
    ("POST", "/users/{id}/password-reset"): _user("user_updated", TOKENS),
    ("POST", "/users/{id}/verify-email"): _user("user_updated", TOKENS),
    ("DELETE", "/users/{id}/sessions"): _user("user_updated", SESSIONS),
    ("DELETE", "/users/{id}/sessions/{session_id}"): _user("user_updated", SESSIONS),
    ("POST", "/files"): _file("file_created"),
    ("PATCH", "/files/{id}"): _file("file_updated"),
    ("DELETE", "/files/{id}"): _file("file_deleted"),
    ("PUT", "/auth/providers/email"): SIGN_IN_SETTINGS,
    ("PUT", "/auth/settings"): SIGN_IN_SETTINGS,
    ("PUT", "/auth/providers/oauth/{provider}"): SIGN_IN_PROVIDER,
    ("DELETE", "/auth/providers/oauth/{provider}"): SIGN_IN_PROVIDER,
    ("PUT", "/email-templates/config"): _TEMPLATE,
    ("PUT", "/email-templates/{id}"): _TEMPLATE,
    ("DELETE", "/email-templates/{id}"): _TEMPLATE,
    ("POST", "/email-templates/{id}/send-test"): Subject(
        "email_test_sent", (OUTBOX,), "email_template", named_by=("category",), shows_values=False
    ),
    ("DELETE", "/outbox"): Subject("outbox_cleared", (OUTBOX,), "outbox"),
}
CHANGES_NOTHING = frozenset(
    {
        ("POST", "/email-templates/{id}/preview"),
        ("POST", "/files/{id}/download-url"),
    }
)
"""Routes that only look as if they changed something."""


def subject_of(request: Request) -> Subject | None:
    """The event of the route that is called, if it changes an environment."""
    path: str = getattr(request.scope.get("route"), "path", "")
    return SUBJECTS.get((request.method, path.removeprefix(PREFIX)))


def target_of(request: Request) -> str:
    """The id or name of what the path points at, or its last word."""
    for name in ("id", "provider", "table"):
        if name in request.path_params:
            return str(request.path_params[name])
    return request.url.path.rpartition("/")[2]
