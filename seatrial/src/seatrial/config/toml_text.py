"""Write values as TOML."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["toml_key", "toml_lines", "toml_value"]


def toml_lines(**pairs: Any) -> str:
    """Return a line `key = value` for each pair, without those whose value is None."""
    return "".join(f"{toml_key(key)} = {toml_value(value)}\n" for key, value in pairs.items() if value is not None)


def toml_value(value: Any) -> str:
    """Return a string, number, list or dict; elements of a dict that are None are left out."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return "[" + ", ".join(toml_value(element) for element in value) + "]"
        case dict():
            inner = ", ".join(
                f"{toml_key(key)} = {toml_value(element)}" for key, element in value.items() if element is not None
            )
            return f"{{ {inner} }}"
        case _:
            return str(value)


def toml_key(key: str) -> str:
    """Return a bare key if possible, else a quoted one."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
