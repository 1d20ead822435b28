"""The calls of `/v1` that a browser makes by navigating, so without headers of its own (10 §1).

They need no key; where they belong stands in what they bring: a signed state, a stored token.
"""

from __future__ import annotations

import re

_PATHS = (re.compile(r"/v1/auth/[^/]+/callback"),)
_WITHOUT_VERSION = re.compile(r"/auth/[^/]+/callback")


def needs_no_key(method: str, path: str) -> bool:
    """Whether the call may come without a key. A key that is sent is checked like any other."""
    return method == "GET" and any(known.fullmatch(path) for known in _PATHS)


def versioned(path: str) -> str:
    """The path under `/v1` of one that may be registered without it (10 §7), else the path."""
    return f"/v1{path}" if _WITHOUT_VERSION.fullmatch(path) else path
