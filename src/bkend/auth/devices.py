"""`Chrome on macOS`: what a person recognises a session by (10 §10)."""

from __future__ import annotations

# The first mark found wins: many browsers also carry the marks of those below them.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("Dart/", "Dart"),
    ("okhttp/", "OkHttp"),
    ("CFNetwork/", "App"),
    ("PostmanRuntime/", "Postman"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("node", "Node.js"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Mac OS X", "macOS"),
    ("Darwin", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
UNKNOWN = "Unknown device"


def describe_device(user_agent: str | None) -> str:
    """Program and system of a User-Agent, as far as it tells them."""
    if not user_agent:
        return UNKNOWN
    program = next((name for mark, name in _PROGRAMS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if program and system:
        return f"{program} on {system}"
    return program or system or UNKNOWN
