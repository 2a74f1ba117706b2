"""Where the project's own packages were imported from.

A package that is installed in the image shadows the one in the tree: tests would pass against code that nobody edits.
So at the end of the session every module of the project's own packages is reported with its file and the digest of it,
from xdist's workers too. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any, Callable

import pytest

from .wire import RecordKind

__all__ = ["Imports", "imported"]


def imported(
    packages: list[str], _open: Callable[..., Any] = open, _sha256: Callable[..., Any] = hashlib.sha256
) -> dict[str, tuple[str, str]]:
    """Return module name -> (file, sha256) of all loaded modules below the packages.

    What it needs is bound before a test can replace it.
    """
    wanted, found = set(packages), {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in wanted:
            continue
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py"):
            try:
                with _open(path, "rb") as file:
                    found[name] = (path, _sha256(file.read()).hexdigest())
            except OSError:
                found[name] = (path, "")
    return found


class Imports:
    """Gathers at the end of the session, here and in the workers."""

    def __init__(self, packages: list[str], record: Callable[..., None]) -> None:
        self.packages = packages
        self.record = record
        self.found: dict[str, tuple[str, str]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send the question to a worker of xdist."""
        node.workerinput["seatrial_imports"] = self.packages

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the answer of a worker."""
        self.found.update(getattr(node, "workeroutput", {}).get("seatrial_imports", {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Report."""
        self.found.update(imported(self.packages))
        self.record(RecordKind.IMPORTS, self.found)
