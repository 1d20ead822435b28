"""Where links and sign-ins may lead back to (10 §13): without this a link mailed to a victim
could hand its token to whoever asked for it."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from bkend.auth.errors import InvalidRequest
from bkend.auth.settings import AuthSettings
from bkend.manage.environments import EnvironmentState

_LONGEST = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NEVER = ("javascript", "data", "vbscript", "file", "blob", "about")


def require_allowed(
    url: str, settings: AuthSettings, environment: EnvironmentState, field: str = "callbackUrl"
) -> None:
    """Raises InvalidRequest, naming the field, for an address that the lists do not allow."""
    if not is_allowed(url, settings, environment):
        message = f"{field} is not among the allowed redirect addresses"
        raise InvalidRequest(
            message, details=[{"field": field, "rule": "allowedRedirectUrls", "message": message}]
        )


def is_allowed(url: str, settings: AuthSettings, environment: EnvironmentState) -> bool:
    """Whether the address may be led to: same origin and path prefix as a listed one, a listed
    app scheme, or an origin of the project. With nothing listed: any web address in `dev`,
    elsewhere only this machine."""
    target = _parsed(url)
    if target is None:
        return False
    origins = environment.project.allowed_origins
    if settings.allowed_redirect_urls or origins:
        listed = [*settings.allowed_redirect_urls, *origins]
        return any(_covers(allowed, target) for allowed in listed)
    if target.scheme not in _DEFAULT_PORTS:
        return False
    return environment.name == "dev" or target.hostname in _LOOPBACK


def _parsed(url: str) -> SplitResult | None:
    # Backslashes, spaces and control characters are read differently by browsers.
    if len(url) > _LONGEST or any(c in "\\" or c.isspace() or not c.isprintable() for c in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if not parts.scheme or parts.scheme in _NEVER or "@" in parts.netloc:
        return None
    if parts.scheme in _DEFAULT_PORTS and not parts.hostname:
        return None
    return parts


def _covers(allowed: str, target: SplitResult) -> bool:
    listed = _parsed(allowed)
    if listed is None or listed.scheme != target.scheme:
        return False
    if listed.scheme not in _DEFAULT_PORTS:  # an app's own scheme, with its host if one is listed
        return not listed.netloc or listed.netloc == target.netloc
    if (listed.hostname, _port(listed)) != (target.hostname, _port(target)):
        return False
    prefix = listed.path.rstrip("/")
    path = target.path or "/"
    if ".." in path.split("/") or "%2e" in path.lower():
        return False
    return path == prefix or path.startswith(prefix + "/") or not prefix


def _port(parts: SplitResult) -> int | None:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)
