"""Every route × every kind of caller: the status that must come (design: denied is denied).

A route without an entry fails `test_matrix.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CALLERS = (
    *("no key", "unknown key", "revoked key", "expired key"),  # nobody
    *("anonymous", "guest", "editor", "owner", "other", "admin"),  # the publishable key, and a user
    *("secret", "scoped", "foreign key", "foreign token", "expired token"),
)
"""`scoped` is a secret key with `posts:read` only, `foreign key` the secret key of another
environment; the tokens come with the publishable key of this one."""

LIKE = {
    "secret with user": "owner",
    "scoped publishable": "anonymous",
    "ended session": "expired token",
    "foreign key with token": "foreign token",
}
"""Further callers, and whom they equal on the fixed routes; the data API tells them apart, see
`test_decisions.py`."""

CODES = {
    "unknown key": "auth/invalid-token",
    "revoked key": "auth/token-revoked",
    "expired key": "auth/token-expired",
    "foreign token": "auth/invalid-token",
    "foreign key with token": "auth/invalid-token",
    "expired token": "auth/token-expired",
    "ended session": "auth/invalid-token",
}
"""Of a 401."""


@dataclass(frozen=True)
class Entry:
    """One route on one target. `{row}` in the path is a fresh row of the owner's, `{user}` the
    owner's id. A status of 0 (written `-`) is not asked for: it would end the caller."""

    method: str
    route: str
    path: str
    statuses: tuple[int, ...]
    body: Any = None
    fresh_session: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _entry(
    method: str, route: str, path: str, statuses: str, body: Any = None, *, fresh: bool = False
) -> Entry:
    found = tuple(0 if word == "-" else int(word) for word in statuses.split())
    if len(found) == 1:
        found *= len(CALLERS)
    assert len(found) == len(CALLERS)
    return Entry(method, route, path, found, body, fresh)


ROWS, ROW = "/v1/data/{table}", "/v1/data/{table}/{id}"
SHORT_ROWS, SHORT_ROW = "/v1/{table}", "/v1/{table}/{id}"

# The columns stand as in CALLERS:
#   none unkn revo expi | anon guest edit ownr othr admn | sk  scop fkey ftok etok
_OPEN = "  400 401 401 401   200 200 200 200 200 200   200 200 404 403 401"
_MAKE = "  400 401 401 401   403 403 201 201 201 201   201 403 404 403 401"
_OWN = "   400 401 401 401   403 403 403 200 403 200   200 403 404 403 401"
_LIST = "  400 401 401 401   403 200 200 200 200 200   200 403 404 403 401"
_NONE = "  400 401 401 401   403 403 403 403 403 200   200 403 404 403 401"
_SHOW = "  400 401 401 401   403 403 403 403 403 200   200 403 200 403 401"
_ONE = "   400 401 401 401   403 403 403 403 403 200   200 403 404 403 401"
_NEVER = " 400 401 401 401   403 403 403 403 403 403   403 403 403 403 401"
_GONE = "  400 401 401 401   404 404 404 404 404 404   404 403 404 403 401"
_READ = "  400 401 401 401   200 200 200 200 200 200   200 403 404 403 401"
_WRITE = " 400 401 401 401   403 403 201 201 201 201   201 403 404 403 401"
_USER = "  401 401 401 401   401 200 200 200 200 200   401 401 401 401 401"
_LOST = "  401 401 401 401   401 404 404 404 404 404   401 401 401 401 401"
_FORM = "  401 401 401 401   400 400 400 400 400 400   400 400 400 400 400"
_MINE = "  401 401 401 401   401 400 400 400 400 400   401 401 401 401 401"
_SPEC = "  400 401 401 401   401 200 200 200 200 200   200 200 404 403 401"
_NOPE = "  401 401 401 401   404 404 404 404 404 404   404 404 404 404 404"
_LAST = "  401 401 401 401   401 - - - - -   401 401 401 401 401"
_MAKES = " 401 401 401 401   401 403 403 403 403 400   400 403 400 401 401"
_SEEN = "  401 401 401 401   401 200 200 200 200 200   200 403 200 401 401"
_SHOWN = " 401 401 401 401   401 200 200 200 200 200   200 403 404 401 401"
_SELF = "  401 401 401 401   401 403 403 200 403 200   200 403 404 401 401"
_ROLE = "  401 401 401 401   401 403 403 403 403 400   400 403 404 401 401"
_UNKNOWN = "401 401 401 401  401 404 404 404 404 404   404 403 404 401 401"
_INVITE = "401 401 401 401   401 403 403 403 403 400   400 403 400 401 401"
_VISIT = " 400 401 401 401   400 400 400 400 400 400   400 400 400 400 400"
_FILES = " 401 401 401 401   401 200 200 200 200 200   200 403 200 403 401"
_FILED = " 401 401 401 401   401 400 400 400 400 400   400 403 400 403 401"
_UNFILED = "401 401 401 401  401 404 404 404 404 404   404 403 404 403 401"

_POST = {"title": "x"}
_NOTE = {"text": "x"}

DATA = [
    # posts: users make and read, only the owner changes, guests read
    _entry("GET", ROWS, "/v1/data/posts", _OPEN),
    _entry("HEAD", ROWS, "/v1/data/posts", _OPEN),
    _entry("POST", ROWS, "/v1/data/posts", _MAKE, _POST),
    _entry("OPTIONS", ROWS, "/v1/data/posts", "204"),
    _entry("GET", ROW, "/v1/data/posts/{row}", _OPEN),
    _entry("HEAD", ROW, "/v1/data/posts/{row}", _OPEN),
    _entry("PATCH", ROW, "/v1/data/posts/{row}", _OWN, {}),
    _entry("DELETE", ROW, "/v1/data/posts/{row}", _OWN),
    _entry("OPTIONS", ROW, "/v1/data/posts/{row}", "204"),
    _entry("POST", ROWS, "/v1/data/posts", _MAKE, [_POST, _POST]),
    # the shorthand is the same door
    _entry("GET", SHORT_ROWS, "/v1/posts", _OPEN),
    _entry("HEAD", SHORT_ROWS, "/v1/posts", _OPEN),
    _entry("POST", SHORT_ROWS, "/v1/posts", _MAKE, _POST),
    _entry("OPTIONS", SHORT_ROWS, "/v1/posts", "204"),
    _entry("GET", SHORT_ROW, "/v1/posts/{row}", _OPEN),
    _entry("HEAD", SHORT_ROW, "/v1/posts/{row}", _OPEN),
    _entry("PATCH", SHORT_ROW, "/v1/posts/{row}", _OWN, {}),
    _entry("DELETE", SHORT_ROW, "/v1/posts/{row}", _OWN),
    _entry("OPTIONS", SHORT_ROW, "/v1/posts/{row}", "204"),
    # notes: private
    _entry("GET", ROWS, "/v1/data/notes", _LIST),
    _entry("POST", ROWS, "/v1/data/notes", _MAKE, _NOTE),
    _entry("GET", ROW, "/v1/data/notes/{row}", _OWN),
    _entry("PATCH", ROW, "/v1/data/notes/{row}", _OWN, {}),
    _entry("DELETE", ROW, "/v1/data/notes/{row}", _OWN),
    # plain: permissions not configured
    _entry("GET", ROWS, "/v1/data/plain", _READ),
    _entry("POST", ROWS, "/v1/data/plain", _WRITE, {}),
    _entry("GET", ROW, "/v1/data/plain/{row}", _READ),
    _entry("PATCH", ROW, "/v1/data/plain/{row}", _OWN, {}),
    _entry("DELETE", ROW, "/v1/data/plain/{row}", _OWN),
    # what a table is, for those who have signed in and may read
    *[
        _entry(method, route, path, _SPEC)
        for method in ("GET", "HEAD")
        for word in ("spec", "openapi")
        for route, path in (
            (f"{ROWS}/{word}", f"/v1/data/posts/{word}"),
            (f"{SHORT_ROWS}/{word}", f"/v1/posts/{word}"),
        )
    ],
    *[
        _entry("OPTIONS", f"{rows}/{word}", f"{rows.format(table='posts')}/{word}", "204")
        for rows in (ROWS, SHORT_ROWS)
        for word in ("spec", "openapi")
    ],
    # system tables, and a table that is none
    *[
        entry
        for table in ("users", "accounts", "sessions", "files")
        for entry in (
            _entry("GET", ROWS, f"/v1/data/{table}", _SHOW),
            _entry("POST", ROWS, f"/v1/data/{table}", _NEVER, {}),
            _entry("GET", ROW, f"/v1/data/{table}/none", _NONE.replace("200", "404")),
            _entry("PATCH", ROW, f"/v1/data/{table}/none", _NEVER, {}),
            _entry("DELETE", ROW, f"/v1/data/{table}/none", _NEVER),
        )
    ],
    _entry("GET", ROW, "/v1/data/users/{row}", _ONE),
    _entry("PATCH", ROW, "/v1/data/users/{row}", _NEVER, {}),
    _entry("DELETE", ROW, "/v1/data/users/{row}", _NEVER),
    _entry("GET", ROWS, "/v1/data/_anything", _NONE.replace("200", "404")),
    _entry("POST", ROWS, "/v1/data/_anything", _NONE.replace("200", "404"), {}),
    _entry("GET", ROWS, "/v1/data/nothing", _GONE),
    _entry("POST", ROWS, "/v1/data/nothing", _GONE, {}),
    # methods that are not offered are so for everybody
    _entry("PUT", ROWS, "/v1/data/posts", "405", {}),
    _entry("PATCH", ROWS, "/v1/data/posts", "405", {}),
    _entry("DELETE", ROWS, "/v1/data/posts", "405"),
    _entry("PUT", ROW, "/v1/data/posts/{row}", "405", {}),
    _entry("POST", ROW, "/v1/data/posts/{row}", "405", {}),
]

_AUTH = "/v1/auth"
_RAW = "/raw/{key:path}"
_IMG = "/img/{path:path}"
FIXED = [
    _entry("POST", f"{_AUTH}/email/signup", f"{_AUTH}/email/signup", _FORM, {}),
    _entry("POST", f"{_AUTH}/email/signin", f"{_AUTH}/email/signin", _FORM, {}),
    _entry("POST", f"{_AUTH}/refresh", f"{_AUTH}/refresh", _FORM, {}),
    _entry("GET", f"{_AUTH}/me", f"{_AUTH}/me", _USER),
    _entry("GET", f"{_AUTH}/sessions", f"{_AUTH}/sessions", _USER),
    _entry("DELETE", f"{_AUTH}/sessions/{{session_id}}", f"{_AUTH}/sessions/none", _LOST),
    _entry("POST", f"{_AUTH}/signout", f"{_AUTH}/signout", _USER, fresh=True),
    _entry("POST", f"{_AUTH}/password/change", f"{_AUTH}/password/change", _MINE, {}),
    _entry("POST", f"{_AUTH}/{{provider}}/callback", f"{_AUTH}/google/callback", _FORM, {}),
    _entry("GET", f"{_AUTH}/{{provider}}/callback", f"{_AUTH}/google/callback", _FORM),
    _entry("GET", f"{_AUTH}/{{provider}}/authorize", f"{_AUTH}/google/authorize", _FORM),
    _entry("POST", f"{_AUTH}/accounts", f"{_AUTH}/accounts", _MINE, {}),
    _entry("GET", f"{_AUTH}/accounts", f"{_AUTH}/accounts", _USER),
    _entry("DELETE", f"{_AUTH}/accounts/{{provider}}", f"{_AUTH}/accounts/google", _LOST),
    _entry("POST", f"{_AUTH}/accounts/check", f"{_AUTH}/accounts/check", _FORM, {}),
    *[
        _entry("POST", f"{_AUTH}/{path}", f"{_AUTH}/{path}", _FORM, {})
        for path in (
            "email/callback",
            "email/verify/send",
            "email/verify/resend",
            "email/verify/confirm",
            "signup/email/resend",
            "password/reset/request",
            "password/reset/confirm",
            "invitations/accept",
            "invitations/reject",
        )
    ],
    *[
        _entry("POST", f"{_AUTH}/{path}", f"{_AUTH}/{path}", _MINE, {})
        for path in ("switch-organization", "mfa/enable", "mfa/confirm", "mfa/disable")
    ],
    _entry("GET", f"{_AUTH}/email/callback", f"{_AUTH}/email/callback", _VISIT),
    _entry("GET", f"{_AUTH}/signup/email/confirm", f"{_AUTH}/signup/email/confirm", _VISIT),
    _entry("GET", f"{_AUTH}/{{unknown}}", f"{_AUTH}/nothing", _NOPE),
    _entry("DELETE", f"{_AUTH}/withdraw", f"{_AUTH}/withdraw", _LAST),
    _entry("GET", "/v1/{unknown}", "/v1/img", _NOPE),
    # what is open to everybody, whatever they send
    *[
        _entry(method, route, path, status)
        for method in ("GET", "HEAD")
        for route, path, status in (
            ("/openapi.json", "/openapi.json", "200"),
            ("/bkend.js", "/bkend.js", "200"),
            ("/bkend.d.ts", "/bkend.d.ts", "200"),
            ("/console", "/console", "307"),
            ("/console/", "/console/", "200"),
            ("/docs", "/docs", "308"),
            ("/docs/", "/docs/", "200"),
            ("/docs/{path:path}", "/docs/guides/data", "200"),
            (_RAW, "/raw/avatars/none", "404"),
            (_RAW, "/raw/none", "404"),
            (_IMG, "/img/none", "404"),
            (_IMG, "/img/80x80/smart/avatars/none", "404"),
            (_IMG, "/img/5000x1/none", "400"),
            ("/healthz", "/healthz", "200"),
            ("/readyz", "/readyz", "200"),
            ("/metrics", "/metrics", "200"),
        )
    ],
    *[_entry("PUT", _RAW, path, "403") for path in ("/raw/avatars/none", "/raw/none")],
    _entry("OPTIONS", _RAW, "/raw/none", "204"),
    _entry("OPTIONS", _IMG, "/img/none", "204"),
    _entry("GET", "/", "/", "307"),
]

_INVITATIONS = f"{_AUTH}/invitations"
_INVITATION = f"{_INVITATIONS}/{{invitation_id}}"
INVITATIONS = [
    _entry("GET", _INVITATIONS, _INVITATIONS, _SEEN),
    _entry("POST", _INVITATIONS, _INVITATIONS, _INVITE, {}),
    _entry("GET", _INVITATION, f"{_INVITATIONS}/none", _UNKNOWN),
    _entry("DELETE", _INVITATION, f"{_INVITATIONS}/none", _UNKNOWN),
]

PAGES = ("/auth/reset-password", "/auth/invitation")
"""HTML for the people who follow a mailed link, whose token is all that counts."""
LINKS = [_entry(method, path, path, "404") for path in PAGES for method in ("GET", "HEAD", "POST")]

_USERS = "/v1/users"
_OF_USER = f"{_USERS}/{{user_id}}"
USERS = [
    _entry("GET", _USERS, _USERS, _SEEN),
    _entry("POST", _USERS, _USERS, _MAKES, {}),
    _entry("GET", _OF_USER, f"{_USERS}/{{user}}", _SHOWN),
    _entry("PATCH", _OF_USER, f"{_USERS}/{{user}}", _SELF, {}),
    _entry("DELETE", _OF_USER, f"{_USERS}/none", _UNKNOWN),
    _entry("PATCH", f"{_OF_USER}/role", f"{_USERS}/{{user}}/role", _ROLE, {}),
    _entry("GET", f"{_OF_USER}/profile", f"{_USERS}/{{user}}/profile", _SELF),
    _entry("PATCH", f"{_OF_USER}/profile", f"{_USERS}/{{user}}/profile", _SELF, {}),
    _entry(
        "POST",
        f"{_OF_USER}/avatar/upload-url",
        f"{_USERS}/{{user}}/avatar/upload-url",
        _SELF,
        {"filename": "a.png"},
    ),
    _entry("PATCH", f"{_OF_USER}/avatar", f"{_USERS}/none/avatar", _UNKNOWN, {}),
    _entry("DELETE", f"{_OF_USER}/avatar", f"{_USERS}/{{user}}/avatar", _SELF),
    *[
        _entry(method, f"{_OF_USER}/{part}", f"{_USERS}/{{user}}/{part}", _SELF, body)
        for part in ("preferences", "notifications", "onboarding", "public-settings")
        for method, body in (("GET", None), ("PATCH", {}))
    ],
]

_ALL_FILES = "/v1/files"
_FILE = f"{_ALL_FILES}/{{file_id}}"
_PARTS = f"{_ALL_FILES}/multipart"
FILES = [
    _entry("GET", _ALL_FILES, _ALL_FILES, _FILES),
    _entry("POST", _ALL_FILES, _ALL_FILES, _FILED, {}),
    _entry("GET", f"{_ALL_FILES}/buckets", f"{_ALL_FILES}/buckets", _FILES),
    *[
        _entry("POST", f"{_ALL_FILES}/{word}", f"{_ALL_FILES}/{word}", _FILED, {})
        for word in ("presigned-url", "upload")
    ],
    *[
        _entry("POST", f"{_PARTS}/{word}", f"{_PARTS}/{word}", _FILED, {})
        for word in ("init", "initiate", "presigned-url", "complete", "abort")
    ],
    *[
        _entry("POST", f"{_PARTS}/{{upload_id}}/{word}", f"{_PARTS}/none/{word}", statuses, {})
        for word, statuses in (("part-url", _FILED), ("complete", _FILED), ("abort", _UNFILED))
    ],
    *[
        _entry(method, f"{_FILE}{part}", f"{_ALL_FILES}/none{part}", _UNFILED, body)
        for method, part, body in (
            ("GET", "", None),
            ("PATCH", "", {}),
            ("PATCH", "/visibility", {}),
            ("DELETE", "", None),
            ("POST", "/complete", None),
            ("GET", "/download-url", None),
            ("POST", "/download-url", None),
            ("GET", "/download", None),
        )
    ],
]

_MANAGE = "/manage/v1"
TENANTS = [
    # the doors, open to everybody: a body that says nothing gets nobody in
    _entry("GET", f"{_MANAGE}/setup", f"{_MANAGE}/setup", "200"),
    *[
        _entry("POST", f"{_MANAGE}{path}", f"{_MANAGE}{path}", "400", {})
        for path in (
            "/setup",
            "/session/signup",
            "/session/login",
            "/session/magic-link",
            "/session/magic-link/confirm",
            "/session/password/forgot",
            "/session/password/reset",
            "/session/verify-email",
            "/device/token",
        )
    ],
    # what is one's own: nobody here has signed in to the console
    *[
        _entry(method, f"{_MANAGE}{path}", f"{_MANAGE}{path}", "401", {})
        for method, path in (
            ("GET", "/session"),
            ("DELETE", "/session"),
            ("POST", "/session/verify-email/resend"),
            ("GET", "/account"),
            ("PATCH", "/account"),
            ("DELETE", "/account"),
            ("PUT", "/account/password"),
            ("POST", "/account/mfa"),
            ("POST", "/account/mfa/confirm"),
            ("DELETE", "/account/mfa"),
            ("GET", "/account/sessions"),
            ("DELETE", "/account/sessions"),
            ("GET", "/account/tokens"),
            ("POST", "/account/tokens"),
            ("GET", "/notifications"),
            ("POST", "/notifications/read"),
            ("GET", "/system/outbox"),
            ("DELETE", "/system/outbox"),
            *[
                ("GET", f"/system/{word}")
                for word in ("health", "info", "jobs", "logs", "usage", "settings")
            ],
            ("PUT", "/system/settings"),
            ("POST", "/system/mail/test"),
            ("GET", "/system/accounts"),
            ("GET", "/system/organizations"),
        )
    ],
    *[
        _entry(method, f"{_MANAGE}{path}/{{{name}}}", f"{_MANAGE}{path}/x", "401", {})
        for method, path, name in (
            ("DELETE", "/account/sessions", "id"),
            ("GET", "/system/outbox", "id"),
            ("DELETE", "/account/tokens", "id"),
            ("GET", "/device", "code"),
            ("POST", "/device", "code"),
            ("DELETE", "/device", "code"),
            ("GET", "/system/accounts", "id"),
            ("PATCH", "/system/accounts", "id"),
            ("GET", "/system/organizations", "org"),
            ("PATCH", "/system/organizations", "org"),
        )
    ],
    _entry(
        "GET",
        f"{_MANAGE}/session/oauth/{{provider}}",
        f"{_MANAGE}/session/oauth/google",
        "400",
    ),
    _entry(
        "GET",
        f"{_MANAGE}/session/oauth/{{provider}}/callback",
        f"{_MANAGE}/session/oauth/google/callback",
        "303",
    ),
    _entry("POST", f"{_MANAGE}/device/authorize", f"{_MANAGE}/device/authorize", "201", {}),
    *[
        _entry(method, f"/console/{word}", f"/console/{word}", status)
        for word, status in (("setup", "200"), ("login", "200"), ("device", "303"))
        for method in ("GET", "HEAD")
    ],
]
"""What `tests/tenants` asks in full."""
LINKS += [
    _entry(method, f"/console/{word}", f"/console/{word}", "400", {})
    for word in ("magic", "reset", "verify")
    for method in ("GET", "HEAD", "POST")
]
LINKS += [
    _entry("POST", "/console/setup", "/console/setup", "400", {}),
    _entry("POST", "/console/login", "/console/login", "400", {}),
]
TENANTS.append(_entry("POST", "/console/device", "/console/device", "303", {}))

TENANTS.append(
    _entry(
        "POST",
        f"{_MANAGE}/system/organizations/{{org}}/owner",
        f"{_MANAGE}/system/organizations/x/owner",
        "401",
    )
)

_PROJECT = "/manage/v1/projects/{project}"
_TABLES = f"{_PROJECT}/environments/{{env}}/tables"
_TABLE = f"{_TABLES}/{{table}}"
_PROVIDERS = f"{_PROJECT}/environments/{{env}}/auth/providers"
_MANAGED_USERS = f"{_PROJECT}/environments/{{env}}/users"
_TEMPLATES = f"{_PROJECT}/environments/{{env}}/email-templates"
_OUTBOX = f"{_PROJECT}/environments/{{env}}/outbox"
_MANAGED_FILES = f"{_PROJECT}/environments/{{env}}/files"
_ORGANIZATIONS = "/manage/v1/organizations"
_ORGANIZATION = f"{_ORGANIZATIONS}/{{org}}"
_ENVIRONMENTS = f"{_PROJECT}/environments"
_KEYS = f"{_ENVIRONMENTS}/{{env}}/api-keys"
_MANAGED = [
    ("GET", _ORGANIZATIONS),
    ("POST", _ORGANIZATIONS),
    *[(method, _ORGANIZATION) for method in ("GET", "PATCH", "DELETE")],
    *[
        ("GET", f"{_ORGANIZATION}/{word}")
        for word in ("stats", "activities", "login-events", "access-tokens", "access-tokens/{id}")
    ],
    ("POST", f"{_ORGANIZATION}/transfer"),
    ("POST", f"{_ORGANIZATION}/leave"),
    ("GET", f"{_ORGANIZATION}/members"),
    *[(method, f"{_ORGANIZATION}/members/{{id}}") for method in ("GET", "PATCH", "DELETE")],
    ("GET", f"{_ORGANIZATION}/invitations"),
    ("POST", f"{_ORGANIZATION}/invitations"),
    *[(method, f"{_ORGANIZATION}/invitations/{{id}}") for method in ("GET", "DELETE")],
    ("POST", f"{_ORGANIZATION}/invitations/{{id}}/resend"),
    ("POST", "/manage/v1/invitations/{token}/accept"),
    ("POST", "/manage/v1/invitations/{token}/decline"),
    ("GET", "/manage/v1/projects"),
    ("POST", "/manage/v1/projects"),
    ("GET", _PROJECT),
    ("PATCH", _PROJECT),
    ("DELETE", _PROJECT),
    ("GET", f"{_PROJECT}/stats"),
    ("GET", f"{_PROJECT}/activities"),
    ("GET", f"{_PROJECT}/cors"),
    ("PUT", f"{_PROJECT}/cors"),
    ("POST", f"{_PROJECT}/cors/origins"),
    ("DELETE", f"{_PROJECT}/cors/origins"),
    ("GET", _ENVIRONMENTS),
    ("POST", _ENVIRONMENTS),
    ("GET", f"{_ENVIRONMENTS}/{{env}}"),
    ("DELETE", f"{_ENVIRONMENTS}/{{env}}"),
    ("POST", f"{_ENVIRONMENTS}/{{env}}/retry"),
    ("POST", f"{_ENVIRONMENTS}/{{env}}/copy-to/{{target}}"),
    ("GET", _KEYS),
    ("POST", _KEYS),
    *[(method, f"{_KEYS}/{{id}}") for method in ("GET", "PATCH", "DELETE")],
    ("GET", _TABLES),
    ("POST", _TABLES),
    ("GET", _TABLE),
    ("PATCH", _TABLE),
    ("DELETE", _TABLE),
    ("POST", f"{_TABLE}/fields/manage"),
    ("POST", f"{_TABLE}/indexes/manage"),
    ("GET", f"{_TABLE}/permissions"),
    ("PUT", f"{_TABLE}/permissions"),
    ("GET", f"{_TABLE}/schema/versions"),
    ("GET", f"{_TABLE}/schema/versions/{{version}}"),
    ("POST", f"{_TABLE}/schema/versions/{{version}}/apply"),
    ("GET", f"{_TABLE}/indexes/versions"),
    ("GET", f"{_TABLE}/indexes/versions/{{version}}"),
    ("POST", f"{_TABLE}/indexes/versions/{{version}}/apply"),
    ("GET", f"{_TABLE}/api-docs"),
    ("GET", f"{_TABLE}/openapi"),
    ("GET", f"{_TABLE}/export"),
    ("GET", f"{_TABLE}/records"),
    ("GET", f"{_PROVIDERS}"),
    ("GET", f"{_PROVIDERS}/email"),
    ("PUT", f"{_PROVIDERS}/email"),
    ("GET", f"{_PROVIDERS}/oauth/{{provider}}"),
    ("PUT", f"{_PROVIDERS}/oauth/{{provider}}"),
    ("DELETE", f"{_PROVIDERS}/oauth/{{provider}}"),
    ("GET", f"{_PROJECT}/environments/{{env}}/auth/settings"),
    ("PUT", f"{_PROJECT}/environments/{{env}}/auth/settings"),
    ("POST", f"{_TABLE}/records"),
    ("POST", f"{_TABLE}/records/bulk-delete"),
    ("GET", f"{_TABLE}/records/{{id}}"),
    ("PATCH", f"{_TABLE}/records/{{id}}"),
    ("DELETE", f"{_TABLE}/records/{{id}}"),
    ("GET", _MANAGED_USERS),
    ("POST", _MANAGED_USERS),
    *[(method, f"{_MANAGED_USERS}/{{id}}") for method in ("GET", "PATCH", "DELETE")],
    ("PATCH", f"{_MANAGED_USERS}/{{id}}/role"),
    ("PUT", f"{_MANAGED_USERS}/{{id}}/claim-email"),
    ("POST", f"{_MANAGED_USERS}/{{id}}/password-reset"),
    ("POST", f"{_MANAGED_USERS}/{{id}}/verify-email"),
    ("GET", f"{_MANAGED_USERS}/{{id}}/accounts"),
    ("GET", f"{_MANAGED_USERS}/{{id}}/events"),
    ("GET", f"{_MANAGED_USERS}/{{id}}/sessions"),
    ("DELETE", f"{_MANAGED_USERS}/{{id}}/sessions"),
    ("DELETE", f"{_MANAGED_USERS}/{{id}}/sessions/{{session_id}}"),
    ("GET", _TEMPLATES),
    ("GET", f"{_TEMPLATES}/config"),
    ("PUT", f"{_TEMPLATES}/config"),
    *[(method, f"{_TEMPLATES}/{{id}}") for method in ("GET", "PUT", "DELETE")],
    ("POST", f"{_TEMPLATES}/{{id}}/preview"),
    ("POST", f"{_TEMPLATES}/{{id}}/send-test"),
    ("GET", _OUTBOX),
    ("GET", f"{_OUTBOX}/{{id}}"),
    ("DELETE", _OUTBOX),
    ("GET", _MANAGED_FILES),
    ("POST", _MANAGED_FILES),
    ("GET", f"{_MANAGED_FILES}/stats"),
    *[(method, f"{_MANAGED_FILES}/{{id}}") for method in ("GET", "PATCH", "DELETE")],
    ("POST", f"{_MANAGED_FILES}/{{id}}/download-url"),
]
_NAMED = {
    "org": "default",
    "token": "t",
    "target": "dev",
    "provider": "google",
    "project": "app",
    "env": "dev",
    "table": "posts",
    "version": "1",
    "id": "x",
    "session_id": "y",
}
MANAGED = [_entry(method, route, route.format(**_NAMED), "401", {}) for method, route in _MANAGED]
"""None of these callers manages anything; who does is asked in `tests/http/manage`."""
MANAGED.append(_entry("GET", "/manage/v1/openapi.json", "/manage/v1/openapi.json", "200"))

MANAGED.append(
    _entry("GET", "/manage/v1/invitations/{token}", "/manage/v1/invitations/none", "404")
)
"""What the holder of a link may see: public, and nothing for who has none."""

MATRIX = [*DATA, *FIXED, *INVITATIONS, *LINKS, *USERS, *FILES, *TENANTS, *MANAGED]
NOT_ROUTES = {f"{_AUTH}/{{unknown}}", "/v1/{unknown}"}
"""Templates of this file only: paths that no route serves."""
