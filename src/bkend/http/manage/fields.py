"""What fields of bodies may hold, for the documents alone.

The services check these fields and name the codes, so to the reader of a body they are anything.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import ConfigDict, WithJsonSchema

from bkend.tables.models import OPERATIONS

_JSON = dict[str, Any]


def needs(*fields: str) -> ConfigDict:
    """For `model_config`: the fields that must be there, as far as the document says."""
    return ConfigDict(json_schema_extra={"required": list(fields)})


def _nullable(schema: _JSON) -> _JSON:
    return {"anyOf": [schema, {"type": "null"}]}


def _text(least: int, most: int) -> _JSON:
    return {"type": "string", "minLength": least, "maxLength": most}


def _one_of(*words: str) -> _JSON:
    return {"type": "string", "enum": list(words)}


_EMAIL: _JSON = {"type": "string", "format": "email", "maxLength": 254}
_TIME: _JSON = {"type": "string", "format": "date-time"}
_FLAG: _JSON = {"type": "boolean"}
_SLUG: _JSON = {"type": "string", "pattern": "^[a-z0-9](?:[a-z0-9-]{1,48}[a-z0-9])$"}
_ORIGIN: _JSON = {
    "type": "string",
    "maxLength": 300,
    "description": "https://host[:port]; or http:// with localhost, 127.0.0.1 or [::1]",
    "examples": ["https://app.example.com"],
}
_ORIGINS: _JSON = {"type": "array", "items": _ORIGIN, "maxItems": 20}

Name: TypeAlias = Annotated[Any, WithJsonSchema(_text(1, 100))]
Slug: TypeAlias = Annotated[Any, WithJsonSchema(_SLUG)]
DisplayName: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_text(0, 200)))]
Description: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_text(0, 1000)))]
Email: TypeAlias = Annotated[Any, WithJsonSchema(_EMAIL)]
NullableEmail: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_EMAIL))]
Id: TypeAlias = Annotated[Any, WithJsonSchema(_text(1, 128))]
Time: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_TIME))]
Origin: TypeAlias = Annotated[Any, WithJsonSchema(_ORIGIN)]
OriginList: TypeAlias = Annotated[Any, WithJsonSchema(_ORIGINS)]

OrganizationStatus: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("active", "suspended"))]
MemberRole: TypeAlias = Annotated[
    Any, WithJsonSchema(_one_of("owner", "admin", "member", "billing"))
]
InvitedRole: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("admin", "member", "billing"))]
Cloud: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("aws", "gcp", "azu", "self"))]
Region: TypeAlias = Annotated[Any, WithJsonSchema(_text(1, 50))]
ProjectStatus: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("active", "inactive"))]
EnvironmentName: TypeAlias = Annotated[
    Any, WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,29}$"})
]
EnvironmentType: TypeAlias = Annotated[
    Any, WithJsonSchema(_nullable(_one_of("dev", "staging", "prod", "custom")))
]
Settings: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "description": "Merged into those there are; null brings a default back",
            "properties": {
                "responseEnvelope": _nullable(_one_of("bare", "wrapped", "both")),
                "allowedOrigins": _nullable(_ORIGINS),
                "ipWhitelist": _nullable({"type": "array", "items": _text(2, 64), "maxItems": 100}),
                "apiCallLimit": _nullable({"type": "integer", "minimum": 1, "maximum": 10**12}),
                "customRoles": _nullable(
                    {
                        "type": "array",
                        "items": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$"},
                    }
                ),
                "notificationEmail": _nullable(_EMAIL),
                "storage.defaultVisibility": _nullable(
                    _one_of("public", "private", "protected", "shared")
                ),
                "storage.guestPublicRead": _nullable(_FLAG),
                "storage.maxUploadBytes": _nullable(
                    {"type": "integer", "minimum": 1, "maximum": 5 * 1024**3}
                ),
            },
            "additionalProperties": False,
        }
    ),
]

KeyType: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("publishable", "secret"))]
KeyScopes: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        _nullable(
            {
                "type": "array",
                "maxItems": 100,
                "items": {
                    "type": "string",
                    "pattern": rf"^(\*|[A-Za-z][A-Za-z0-9_]{{0,62}}):(\*|{'|'.join(OPERATIONS)})$",
                },
            }
        )
    ),
]
KeyValue: TypeAlias = Annotated[
    Any, WithJsonSchema(_nullable({"type": "string", "pattern": "^(pk|sk)_[0-9a-f]{64}$"}))
]

PersonName: TypeAlias = Annotated[Any, WithJsonSchema(_text(2, 50))]
WebAddress: TypeAlias = Annotated[
    Any, WithJsonSchema(_nullable({"type": "string", "format": "uri", "maxLength": 2048}))
]
TenantLocale: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("en", "ko"))]
Theme: TypeAlias = Annotated[Any, WithJsonSchema(_one_of("light", "dark", "system"))]

SenderName: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_text(0, 100)))]
Colour: TypeAlias = Annotated[
    Any, WithJsonSchema(_nullable({"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"}))
]
Switch: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_FLAG))]
MailLocale: TypeAlias = Annotated[Any, WithJsonSchema(_nullable(_one_of("en", "ko")))]

# -- tables (21) ----------------------------------------------------------------------------

_COLUMN_NAME = "^[A-Za-z][A-Za-z0-9_]{0,63}$"
_TYPES = _one_of("string", "number", "integer", "boolean", "date", "object", "array")
_COLUMN: _JSON = {
    "anyOf": [
        _TYPES,
        {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": _TYPES,
                "required": _FLAG,
                "unique": _FLAG,
                "default": {},
                "enum": {"type": "array", "minItems": 1},
                "minLength": {"type": "integer", "minimum": 0},
                "maxLength": {"type": "integer", "minimum": 0},
                "pattern": _text(0, 500),
                "min": {"type": "number"},
                "max": {"type": "number"},
                "items": {"type": "object"},
                "properties": {"type": "object"},
                "description": {"type": "string"},
            },
        },
    ]
}
_COLUMNS: _JSON = {
    "type": "object",
    "description": "Columns by name, in any notation of the page about tables",
    "propertyNames": {"pattern": _COLUMN_NAME},
    "additionalProperties": _COLUMN,
    "maxProperties": 200,
}
_INDEX: _JSON = {
    "type": "object",
    "required": ["name", "fields"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$"},
        "fields": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 32,
            "additionalProperties": {"enum": [1, -1]},
        },
        "unique": _FLAG,
        "sparse": _FLAG,
    },
    "additionalProperties": False,
}
_ALLOWED: _JSON = {
    "type": "object",
    "properties": dict.fromkeys(OPERATIONS, _FLAG),
    "additionalProperties": False,
}
_EXPRESSION = _text(1, 512)

Columns: TypeAlias = Annotated[Any, WithJsonSchema(_COLUMNS)]
Indexes: TypeAlias = Annotated[
    Any, WithJsonSchema({"type": "array", "maxItems": 64, "items": _INDEX})
]
Permissions: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        _nullable(
            {
                "type": "object",
                "properties": dict.fromkeys(("admin", "user", "guest", "self"), _ALLOWED),
                "additionalProperties": False,
            }
        )
    ),
]
Expressions: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        _nullable(
            {
                "type": "object",
                "properties": dict.fromkeys(OPERATIONS, _EXPRESSION),
                "additionalProperties": False,
            }
        )
    ),
]
ColumnRules: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        _nullable(
            {
                "type": "object",
                "propertyNames": {"pattern": _COLUMN_NAME},
                "additionalProperties": {
                    "type": "object",
                    "properties": dict.fromkeys(("read", "write"), _EXPRESSION),
                    "additionalProperties": False,
                },
            }
        )
    ),
]
RowFilters: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        _nullable(
            {
                "type": "array",
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "required": ["expression", "filter"],
                    "properties": {"expression": _EXPRESSION, "filter": {"type": "object"}},
                    "additionalProperties": False,
                },
            }
        )
    ),
]
