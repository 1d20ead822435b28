"""Examples of the calls to a table, for those who write an app on it (51 §8 `api-docs`)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.tables.models import Table, stored_type

_SAMPLES: dict[str, Any] = {
    "string": "text",
    "objectId": "507f1f77bcf86cd799439011",
    "double": 1,
    "int": 1,
    "bool": True,
    "date": "2026-01-15T10:30:00.000Z",
    "array": [],
    "mixed": "anything",
}
_ID = "{id}"


def api_examples(table: Table, base: str) -> dict[str, Any]:
    """`{baseUrl, endpoints: [{method, path, summary, body?, curl, javascript}]}`."""
    sample = _sample(table.schema)
    change = dict(list(sample.items())[:1])
    rows = f"/v1/data/{table.name}"
    row = f"{rows}/{_ID}"
    calls: list[tuple[str, str, str, Any]] = [
        ("GET", f"{rows}?page=1&limit=20", "List records", None),
        ("POST", rows, "Create a record", sample),
        ("GET", row, "Read a record", None),
        ("PATCH", row, "Change a record", change),
        ("DELETE", row, "Delete a record", None),
    ]
    return {
        "baseUrl": base,
        "endpoints": [_endpoint(base, *call) for call in calls],
    }


def _endpoint(base: str, method: str, path: str, summary: str, body: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"method": method, "path": path, "summary": summary}
    curl = [f"curl -X {method} '{base}{path}'", '-H "X-API-Key: $BKEND_KEY"']
    options = [f"method: '{method}'", "headers"]
    if body is not None:
        text = orjson.dumps(body).decode()
        found["body"] = body
        quoted = text.replace("'", "'\\''")
        curl += ["-H 'Content-Type: application/json'", f"-d '{quoted}'"]
        options.append(f"body: JSON.stringify({text})")
    found["curl"] = " \\\n  ".join(curl)
    found["javascript"] = f"await fetch('{base}{path}', {{ {', '.join(options)} }});"
    return found


def _sample(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(column) for name, column in (schema.get("properties") or {}).items()}


def _value(column: dict[str, Any]) -> Any:
    if column.get("default") is not None:
        return column["default"]
    if "enum" in column:
        return column["enum"][0]
    kind = stored_type(column)
    if kind == "object":
        return _sample(column)
    if kind == "array" and "items" in column:
        return [_value(column["items"])]
    if kind in ("int", "double"):
        return max(column.get("minimum", 1), min(1, column.get("maximum", 1)))
    return _SAMPLES[kind]
