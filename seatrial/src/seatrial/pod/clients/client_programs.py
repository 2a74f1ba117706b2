"""The clients as programs in a directory that can be on a PATH. PYTEST_DONT_REWRITE."""

from __future__ import annotations

import os
import sys
from importlib import import_module

__all__ = ["CLIENTS", "lend", "run"]

CLIENTS = ("http", "dns", "sql")
"""Each is `main(arguments) -> exit code` in NAME_client.py."""


def run(name: str, arguments: list[str]) -> int:
    """Run a client and return its exit code; what is wrong with a question is one line, not a traceback."""
    try:
        code: int = import_module(f"{__package__}.{name}_client").main(arguments)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{name}: {getattr(error, 'reason', '') or error or type(error).__name__}\n")
        return 1
    return code


def lend(directory: str, entry: str) -> None:
    """Write a program for each client; `directory` appears with all of them in it. `entry` is the agent's."""
    new = f"{directory}.new"
    os.makedirs(new)
    for name in CLIENTS:
        path = os.path.join(new, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{sys.executable}" -I "{entry}" ask {name} "$@"\n')
        os.chmod(path, 0o755)  # noqa: S103 - a program for whoever is in the pod
    os.rename(new, directory)
