"""Generate the JSON Schema of the configuration, for editors and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from seatrial.config.shape import fields, kind_of
from seatrial.model.spec import CONFIG_SCHEMA, Project

__all__ = ["SCHEMA_ID", "json_schema"]

SCHEMA_ID: Final = f"https://seatrial.dev/schema/config-{CONFIG_SCHEMA}.json"
"""Id of the schema. Nothing is served at this address."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `seatrial.toml`."""
    definitions: dict[str, Any] = {}
    _define(Project, definitions)
    project = definitions.pop("Project")
    project["title"] = "seatrial.toml"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **project,
        "$defs": dict(sorted(definitions.items())),
    }


def _define(table: type[msgspec.Struct], definitions: dict[str, Any]) -> dict[str, str]:
    """Add the schemas of a table and of its inner tables to the definitions; return the reference to the first."""
    if table.__name__ not in definitions:
        schema: dict[str, Any] = {}
        definitions[table.__name__] = schema
        schema |= {
            "type": "object",
            "description": " ".join((table.__doc__ or "").split("\n\n")[0].split()),
            "properties": {field.key: _property(field.type, definitions) for field in fields(table).values()},
            "required": [field.key for field in fields(table).values() if field.required],
            "additionalProperties": False,
        }
        for field in fields(table).values():
            if field.description:
                schema["properties"][field.key]["description"] = field.description
            if not field.required and field.default is not None and not isinstance(field.default, msgspec.Struct):
                schema["properties"][field.key]["default"] = _plain(field.default)
    return {"$ref": f"#/$defs/{table.__name__}"}


def _property(type_: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of(type_)
    if kind.name == "table":
        return dict(_define(kind.of, definitions))
    if kind.name == "map":
        return {"type": "object", "additionalProperties": _property(kind.of, definitions)}
    if kind.name == "array":
        return {"type": "array", "items": _property(kind.of, definitions)}
    found = msgspec.json.schema(type_, schema_hook=lambda _: {"type": "string"})
    choices = [choice for choice in found.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:  # the other one was null, which TOML does not have
        del found["anyOf"]
        found = {**choices[0], **found}
    found.pop("default", None)
    return dict(found)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
