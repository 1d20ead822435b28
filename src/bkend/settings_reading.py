"""Reading settings: command-line flag, `BKEND_*` variable, `bkend.toml`, default, in this order
(00 §7)."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bkend.settings import DATABASE_URLS, FILE, PREFIX, RANGES, SECRETS, Settings

_NOT_YET = {
    "redis_url": "shared state of several hosts is not supported by this version yet",
}
_FOREIGN_PREFIXES = ("BKEND_TEST_", "BKEND_BENCH_")
# What the guides have apps and shells call the server's address and key, and the token of commands
# that work on another server.
_FOREIGN = frozenset({"BKEND_URL", "BKEND_KEY", "BKEND_TOKEN"})


class SettingsProblem(Exception):
    """Settings that cannot be used: one line per problem, each naming what the user wrote."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings and, for each, where its value comes from."""

    settings: Settings
    sources: Mapping[str, str]
    """By field: `flag`, `environment BKEND_PORT`, `bkend.toml` or `default`."""


def load_settings(**flags: Any) -> LoadedSettings:
    """The effective settings; flags that are None count as not given. Raises SettingsProblem."""
    given = {name: value for name, value in flags.items() if value is not None}
    environment = _environment()
    file = _file()
    problems = [*_unknown_variables(environment.values()), *_unknown_keys(file)]
    sources = {name: _source(name, given, environment, file) for name in Settings.model_fields}
    settings = None
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += [
            _sentence(detail, sources, environment)
            for detail in error.errors()
            if detail["type"] != "extra_forbidden"
        ]
    if problems or settings is None:
        raise SettingsProblem("\n".join(problems))
    return LoadedSettings(settings, sources)


def sources_of(settings: Settings) -> dict[str, str]:
    """Where each setting comes from, as `LoadedSettings` tells it; what was given in another way
    than by a variable or the file counts as a flag."""
    environment, file, found = _environment(), _file(), {}
    for name in Settings.model_fields:
        is_given = name in settings.model_fields_set
        source = _source(name, {}, environment, file) if is_given else "default"
        found[name] = "flag" if is_given and source == "default" else source
    return found


def _environment() -> dict[str, str]:
    """Field → variable as the user wrote it, of every variable meant for the server."""
    return {
        name.upper().removeprefix(PREFIX).lower(): name
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX)
        and not name.upper().startswith(_FOREIGN_PREFIXES)
        and name.upper() not in _FOREIGN
        and value
    }


def _file() -> dict[str, Any]:
    try:
        with open(FILE, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"{FILE} is not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsProblem(f"cannot read {FILE}: {os.strerror(error.errno or 0)}") from None


def _source(
    name: str, flags: dict[str, Any], environment: dict[str, str], file: dict[str, Any]
) -> str:
    if name in flags:
        return "flag"
    if name in environment:
        return f"environment {environment[name]}"
    return FILE if name in file else "default"


def _unknown_variables(names: Iterable[str]) -> list[str]:
    return [
        problem
        for name in sorted(names)
        if (problem := _unknown(name, name.upper().removeprefix(PREFIX).lower(), PREFIX))
    ]


def _unknown_keys(file: dict[str, Any]) -> list[str]:
    return [f"{FILE}: {problem}" for name in file if (problem := _unknown(name, name.lower(), ""))]


def _unknown(written: str, name: str, prefix: str) -> str | None:
    """What is wrong with a name that is no setting of this version; None when it is one."""
    if name in _NOT_YET:
        return f"{written}: {_NOT_YET[name]}; remove it"
    if name in Settings.model_fields and (prefix or written == name):
        return None
    near = difflib.get_close_matches(name.replace("-", "_"), Settings.model_fields, 1, cutoff=0.0)
    known = prefix + (near[0].upper() if prefix else near[0])
    return f"{written} is not a setting; the nearest one is {known}"


def _sentence(detail: ErrorDetails, sources: dict[str, str], environment: dict[str, str]) -> str:
    """One problem of a value, under the name the user gave it."""
    name = str(detail["loc"][0])
    source = sources[name]
    if source == "flag":
        place = f"--{name.replace('_', '-')}"
    elif source == FILE:
        place = f"{FILE}: {name}"
    else:
        place = environment[name]
    value, context = detail["input"], detail.get("ctx", {})
    hidden = name in SECRETS or name in DATABASE_URLS or name in ("smtp_url", "storage_url")
    shown = "" if hidden else f" {value!r}"
    match detail["type"]:
        case "value_error":
            reason = str(context["error"])
        case "literal_error":
            reason = f"write {context['expected']}".replace("'", "")
        case (
            "int_parsing"
            | "int_type"
            | "int_from_float"
            | "greater_than_equal"
            | ("less_than_equal")
        ):
            reason = "write a whole number" + RANGES.get(name, "")
        case "string_too_short":
            reason = "write an address such as 127.0.0.1"
        case _:
            reason = "write a text"
    return f"{place}{shown}: {reason}"
