"""Report from which files the modules of the project were imported.

A package that is installed in the image shadows that of the working tree, and tests pass against old code. So the end
of the session reports each module of the project with its file and digest, including those of xdist workers.
PYTEST_DONT_REWRITE
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
    """Return module name -> (file, sha256) for all loaded modules of the packages.

    Functions are bound as defaults, because tests may replace them.
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
    """Collect the modules at the end of the session, from this process and the xdist workers."""

    def __init__(self, packages: list[str], record: Callable[..., None]) -> None:
        self.packages = packages
        self.record = record
        self.found: dict[str, tuple[str, str]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send the names of the packages to an xdist worker."""
        node.workerinput["seatrial_imports"] = self.packages

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Receive the modules of an xdist worker."""
        self.found.update(getattr(node, "workeroutput", {}).get("seatrial_imports", {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Write the record with the modules."""
        self.found.update(imported(self.packages))
        self.record(RecordKind.IMPORTS, self.found)
