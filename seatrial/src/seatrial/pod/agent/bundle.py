"""Call the fixtures and clients, which are other packages on the host and the same one in the pod.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["add_options", "register_fixtures", "run_client", "write_client_programs"]


def add_options(parser: Any) -> None:
    """Add the pytest options of the fixtures."""
    import_module(f"{__package__}.plugin_options").add_options(parser)


def register_fixtures(config: Any, settings: Any) -> None:
    """Register the fixtures for a session, if the request has fixture settings."""
    if settings:
        provider = import_module(f"{__package__}.container_provider").create_provider(config, settings)
        import_module(f"{__package__}.fixture_plugin").install(config, provider)


def write_client_programs(directory: str, entry: str) -> None:
    """Write the clients into a directory, as programs."""
    import_module(f"{__package__}.client_programs").write_programs(directory, entry)


def run_client(client: str, arguments: list[str]) -> int:
    """Run a client and return its exit code."""
    code: int = import_module(f"{__package__}.client_programs").run_client(client, arguments)
    return code
