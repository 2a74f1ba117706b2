"""Run the conformance suites in the runner pod of a kept environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.transport import Transport
from seatrial.pod.agent.wire import AGENT_ENTRY
from seatrial.pytest_plugin.kept_environment import find_kept_environment
from seatrial.readiness.pod import container_state

__all__ = ["pod_transport"]


@contextmanager
def pod_transport(_directory: Path) -> Iterator[Transport]:
    """Yield the pod `test-runner` in namespace `shop` of the project in SEATRIAL_CONFORMANCE_PROJECT."""
    it = find_kept_environment(Path(os.environ["SEATRIAL_CONFORMANCE_PROJECT"]), lambda: None)
    assert it is not None
    kube = it.kube()
    try:
        yield Transport(
            exec_=kube.exec("test-runner", "shop"),
            state=lambda: container_state(kube.get("v1/Pod", "test-runner", "shop"), "tests"),
            python="/app/.venv/bin/python",
            agent_python="python3",
            entry=AGENT_ENTRY,
            base="/tmp/conformance",
        )
    finally:
        kube.close()
