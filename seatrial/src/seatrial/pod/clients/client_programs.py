"""Write the clients as programs into a directory, and run them.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

__all__ = ["CLIENTS", "run_client", "write_programs"]

CLIENTS = ("http", "dns", "sql")
"""Names of the clients. Each is the function `main(arguments) -> exit code` in NAME_client.py."""


def run_client(name: str, arguments: list[str]) -> int:
    """Run a client and return its exit code. Errors are printed in one line, without a traceback."""
    try:
        code: int = import_module(f"{__package__}.{name}_client").main(arguments)
    except (OSError, ValueError) as error:
        message = str(getattr(error, "reason", "") or error) or type(error).__name__
        sys.stderr.write(f"{name}: {message}\n")
        return 1
    return code


def write_programs(directory: str, entry: str) -> None:
    """Write a program for each client; `directory` is created with all of them. `entry` is the path of agent.py."""
    new = f"{directory}.new"
    os.makedirs(new)
    for name in CLIENTS:
        path = os.path.join(new, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{sys.executable}" -I "{entry}" client {name} "$@"\n')
        os.chmod(path, 0o755)  # noqa: S103 - a program for all users of the pod
    os.rename(new, directory)
