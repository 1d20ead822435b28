"""The tokens of servers that this user has logged in to: one file only they can read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from bkend.cli.commands import Refused

_NAME = "logins.json"


def logins_file() -> Path:
    """Where the tokens are kept: below `$XDG_CONFIG_HOME` or the system's place for settings."""
    return Path(typer.get_app_dir("bkend")) / _NAME


def server_url(text: str) -> str:
    """The address as it is kept: scheme and host in small letters, no slash at the end; raises
    BadParameter."""
    try:
        parts = urlsplit(text.strip())
        good = parts.scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0
        good = good and not (parts.query or parts.fragment or parts.username is not None)
    except ValueError:
        good = False
    if not good:
        raise typer.BadParameter(
            "write an address such as https://api.example.com", param_hint="--server"
        )
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def read_logins() -> dict[str, dict[str, Any]]:
    """What is kept, by server. Refused when the file cannot be understood."""
    import orjson

    path = logins_file()
    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError:
        raise Refused(f"{path} is damaged; remove it and log in again") from None
    servers = found.get("servers") if isinstance(found, dict) else None
    if not isinstance(servers, dict):
        raise Refused(f"{path} is damaged; remove it and log in again")
    return servers


def write_logins(servers: dict[str, dict[str, Any]]) -> None:
    """Keep this and nothing else: written beside and put in place at once, mode 0600."""
    import orjson

    path = logins_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_NAME}.")  # 0600 from the start
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps({"servers": servers}, option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
