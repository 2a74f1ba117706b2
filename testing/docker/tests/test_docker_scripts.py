"""The scripts of `make test-docker` and `make test-all` call seatrial for the right environments."""

from __future__ import annotations

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
MAKEFILE = Path(__file__).parents[3] / "Makefile"


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("run-all-tests.sh", 'k8s/scripts/run-all-tests.sh" --env compose'),
        ("compare-environments.sh", "seatrial parity --ready"),
    ],
)
def test_script_calls_seatrial_and_is_called_by_make(script, command):
    assert command in (SCRIPTS / script).read_text()
    assert f"testing/docker/scripts/{script} $(ARGS)" in MAKEFILE.read_text()
