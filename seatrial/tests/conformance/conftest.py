"""Gives the suites a transport: a local directory, or what SEATRIAL_CONFORMANCE names as `module:factory`.

The factory takes a directory on the host and returns a context manager whose value is a Transport.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from runner.local_pod import LocalPod

from conformance.transport import Transport


@contextmanager
def local_transport(directory: Path) -> Iterator[Transport]:
    """Use a directory and this interpreter."""
    pod = LocalPod(directory / "pod", sys.executable)
    pod.wait_ready()
    try:
        yield Transport(
            exec_=pod, state=pod.state, python=sys.executable, agent_python=sys.executable, entry=pod.entry,
            base=str(pod.workdir),
        )  # fmt: skip
    finally:
        pod.close()


@pytest.fixture(scope="session")
def transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    """Where the suites run."""
    module, _, name = os.environ.get("SEATRIAL_CONFORMANCE", "").partition(":")
    factory = getattr(importlib.import_module(module), name) if module else local_transport
    with factory(tmp_path_factory.mktemp("conformance")) as made:
        yield made
