"""The fixtures, whose files are of another package and lie beside ours in the pod. PYTEST_DONT_REWRITE."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["add_options", "give_fixtures"]


def add_options(parser: Any) -> None:
    """Add the options of the fixtures."""
    import_module(f"{__package__}.flags").add_options(parser)


def give_fixtures(config: Any, definition: Any) -> None:
    """Give a session the fixtures, if the request tells what they are about."""
    if definition:
        place = import_module(f"{__package__}.inside").place(config, definition)
        import_module(f"{__package__}.fixtures").install(config, place)
