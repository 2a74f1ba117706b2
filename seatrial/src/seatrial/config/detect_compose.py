"""Read from a Compose file which services it has: their ports, what they are built from and their variables."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

__all__ = ["Compose", "ComposeService", "compose_files", "read_compose"]

_NAME: Final = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
_DEFAULT: Final = re.compile(r"(?:docker-)?compose\.ya?ml")
"""The names that Compose looks for."""

_PYTEST: Final = re.compile(r"\bpytest\b|\bpy\.test\b")


class ComposeService(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a Compose file.

    Attributes:
        ports: container ports that it publishes or exposes.
        dockerfile: the Dockerfile that it is built from, relative to the project; None: it is not built.
        target: the stage of that file; empty: the last one.
        variables: its environment variables; None: the file does not have the value.
        runs_pytest: its command or entrypoint names pytest.
    """

    ports: tuple[int, ...] = ()
    dockerfile: Path | None = None
    target: str = ""
    variables: dict[str, str | None] = {}
    runs_pytest: bool = False


class Compose(msgspec.Struct, frozen=True, kw_only=True):
    """A Compose file and its services."""

    path: Path
    services: dict[str, ComposeService]

    @property
    def ports(self) -> dict[str, int]:
        """The first container port of each service that has one."""
        return {name: service.ports[0] for name, service in self.services.items() if service.ports}


def compose_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths of Compose files, first the one that `docker compose` uses in the project's folder."""
    found = (path for path in paths if _NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: (len(path.parts), not _DEFAULT.fullmatch(path.name), path))


def read_compose(path: Path, document: Mapping[str, Any]) -> Compose | None:
    """Return a Compose file; None if it has no services.

    Args:
        path: relative to the project.
        document: its content.
    """
    services = document.get("services")
    if not isinstance(services, dict):
        return None
    return Compose(
        path=path,
        services={
            str(name): _service(path.parent, service if isinstance(service, dict) else {})
            for name, service in services.items()
        },
    )


def _service(folder: Path, service: Mapping[str, Any]) -> ComposeService:
    dockerfile, target = _build(folder, service.get("build"))
    return ComposeService(
        ports=tuple(dict.fromkeys(_ports(service))),
        dockerfile=dockerfile,
        target=target,
        variables=dict(_variables(service.get("environment"))),
        runs_pytest=any(_PYTEST.search(_text(service.get(key))) for key in ("command", "entrypoint")),
    )


def _ports(service: Mapping[str, Any]) -> Iterator[int]:
    for port in (*(service.get("ports") or ()), *(service.get("expose") or ())):
        target = str(port.get("target") if isinstance(port, dict) else port).partition("/")[0].rpartition(":")[2]
        if target.isdigit():
            yield int(target)


def _build(folder: Path, build: Any) -> tuple[Path | None, str]:
    """Return Dockerfile and target of `build`: a folder, or a table with context, dockerfile and target."""
    table = build if isinstance(build, dict) else {"context": build} if isinstance(build, str) else None
    if table is None:
        return None, ""
    path = folder / str(table.get("context", ".")) / str(table.get("dockerfile", "Dockerfile"))
    return Path(os.path.normpath(path)), str(table.get("target") or "")


def _variables(environment: Any) -> Iterator[tuple[str, str | None]]:
    """Yield the variables of a list or a table; values that Compose replaces or takes from its own are None."""
    pairs: list[tuple[Any, Any]] = [*environment.items()] if isinstance(environment, dict) else []
    if isinstance(environment, list):
        parts = (str(each).partition("=") for each in environment)
        pairs = [(name, value if equals else None) for name, equals, value in parts]
    for name, value in pairs:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        is_known = value is not None and "$" not in text.replace("$$", "")
        yield str(name), text.replace("$$", "$") if is_known else None


def _text(command: Any) -> str:
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command or "")
