"""The settings of a project: what each may be (51 §3.4, 00 §11)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.errors import Detail
from bkend.manage.limits import canonical_network

ENVELOPES = ("bare", "wrapped", "both")
VISIBILITIES = ("public", "private", "protected", "shared")
MOST_ORIGINS = 20
_MOST_NETWORKS = 100
_MOST_CALLS = 10**12
_LARGEST_UPLOAD = 5 * 1024**3
_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_ORIGIN = re.compile(
    rf"https://{_HOST}\Z|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{{1,5}})?\Z"
)
_LONGEST_ORIGIN = 300
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_BUILT_IN_ROLES = frozenset({"admin", "user", "guest"})


def checked_settings(
    settings: Mapping[str, Any], problems: list[Detail], most_origins: int = MOST_ORIGINS
) -> dict[str, Any]:
    """The settings as they are stored, null for back to the default; what is wrong is added to the
    problems."""
    checked = {name: _setting(name, value, problems) for name, value in settings.items()}
    origins = checked.get("allowedOrigins")
    if isinstance(origins, list) and len(origins) > most_origins:
        message = f"allowedOrigins lists at most {most_origins} origins"
        problems.append(_detail("settings.allowedOrigins", "maxItems", message))
    return checked


def canonical_origin(text: Any) -> str | None:
    """The origin in small letters without a slash at its end; None for what is none (51 §3.8)."""
    if not isinstance(text, str) or len(text) > _LONGEST_ORIGIN:
        return None
    origin = text.strip().lower().removesuffix("/")
    return origin if _ORIGIN.match(origin) else None


def _setting(name: str, value: Any, problems: list[Detail]) -> Any:
    check = _SETTINGS.get(name)
    if check is None:
        near = difflib.get_close_matches(name, _SETTINGS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f"{name[:64]!r} is not a setting of a project{hint}"
        problems.append(_detail(f"settings.{name[:64]}", "unknown", message))
        return None
    return None if value is None else check(value, problems)


def _envelope(value: Any, problems: list[Detail]) -> Any:
    if value not in ENVELOPES:
        message = f"responseEnvelope is {', '.join(ENVELOPES)}"
        problems.append(_detail("settings.responseEnvelope", "enum", message))
    return value


def _origins(value: Any, problems: list[Detail]) -> Any:
    place = "settings.allowedOrigins"
    if not _is_texts(value):
        problems.append(_detail(place, "type", "allowedOrigins is a list of texts"))
        return value
    origins = []
    for given in value:
        origin = canonical_origin(given)
        if origin is None:
            message = f"{given[:128]!r} is no origin: https://host[:port], or http://localhost"
            problems.append(_detail(place, "origin", message))
        origins.append(origin)
    return list(dict.fromkeys(origins))


def _networks(value: Any, problems: list[Detail]) -> Any:
    place = "settings.ipWhitelist"
    if not _is_texts(value):
        problems.append(_detail(place, "type", "ipWhitelist is a list of texts"))
        return value
    if len(value) > _MOST_NETWORKS:
        message = f"ipWhitelist lists at most {_MOST_NETWORKS} networks"
        problems.append(_detail(place, "maxItems", message))
        return value
    networks = []
    for given in value:
        network = canonical_network(given)
        if network is None:
            message = f"{given[:64]!r} is no address or network, such as 203.0.113.0/24"
            problems.append(_detail(place, "cidr", message))
        networks.append(network)
    return list(dict.fromkeys(networks))


def _call_limit(value: Any, problems: list[Detail]) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not (is_whole and 1 <= value <= _MOST_CALLS):
        message = "apiCallLimit is a whole number of calls a day from 1 on, or null for any number"
        problems.append(_detail("settings.apiCallLimit", "range", message))
    return value


def _roles(value: Any, problems: list[Detail]) -> Any:
    good = _is_texts(value) and all(
        _ROLE.match(role) and role not in _BUILT_IN_ROLES for role in value
    )
    if not good:
        message = (
            "customRoles lists names of lower-case letters, digits, _ and -; not built-in ones"
        )
        problems.append(_detail("settings.customRoles", "role", message))
    return value


def _visibility(value: Any, problems: list[Detail]) -> Any:
    if value not in VISIBILITIES:
        message = f"storage.defaultVisibility is {', '.join(VISIBILITIES)}"
        problems.append(_detail("settings.storage.defaultVisibility", "enum", message))
    return value


def _guest_read(value: Any, problems: list[Detail]) -> Any:
    if not isinstance(value, bool):
        message = "storage.guestPublicRead is true or false"
        problems.append(_detail("settings.storage.guestPublicRead", "type", message))
    return value


def _upload_bytes(value: Any, problems: list[Detail]) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not (is_whole and 1 <= value <= _LARGEST_UPLOAD):
        message = f"storage.maxUploadBytes is a whole number from 1 to {_LARGEST_UPLOAD}"
        problems.append(_detail("settings.storage.maxUploadBytes", "range", message))
    return value


def _address(value: Any, problems: list[Detail]) -> Any:
    try:
        return normalise_email(value) if isinstance(value, str) else _no_address(problems)
    except InvalidEmail:
        return _no_address(problems)


def _no_address(problems: list[Detail]) -> None:
    message = "notificationEmail is an e-mail address"
    problems.append(_detail("settings.notificationEmail", "email", message))


def _reserved(name: str) -> Callable[[Any, list[Detail]], Any]:
    """A setting of the original that does nothing here: only its being off may be written."""

    def check(value: Any, problems: list[Detail]) -> Any:
        if value not in ([], None):
            message = f"{name} is not supported by this version; leave it null"
            problems.append(_detail(f"settings.{name}", "reserved", message))

    return check


_SETTINGS: dict[str, Callable[[Any, list[Detail]], Any]] = {
    "responseEnvelope": _envelope,
    "allowedOrigins": _origins,
    "customRoles": _roles,
    "notificationEmail": _address,
    "ipWhitelist": _networks,
    "apiCallLimit": _call_limit,
    "webhookUrl": _reserved("webhookUrl"),
    "storage.defaultVisibility": _visibility,
    "storage.guestPublicRead": _guest_read,
    "storage.maxUploadBytes": _upload_bytes,
}


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _detail(field: str, rule: str, message: str) -> Detail:
    return {"field": field, "rule": rule, "message": message}
