"""Fixtures and clients, whose files are of other packages and lie beside ours in the pod. PYTEST_DONT_REWRITE."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["add_options", "ask", "give_fixtures", "lend"]


def add_options(parser: Any) -> None:
    """Add the options of the fixtures."""
    import_module(f"{__package__}.plugin_options").add_options(parser)


def give_fixtures(config: Any, definition: Any) -> None:
    """Give a session the fixtures, if the request tells what they are about."""
    if definition:
        place = import_module(f"{__package__}.container_provider").place(config, definition)
        import_module(f"{__package__}.fixture_plugin").install(config, place)


def lend(directory: str, entry: str) -> None:
    """Put the clients into a directory, as programs."""
    import_module(f"{__package__}.client_programs").lend(directory, entry)


def ask(client: str, arguments: list[str]) -> int:
    """Run a client and return its exit code."""
    code: int = import_module(f"{__package__}.client_programs").run(client, arguments)
    return code
