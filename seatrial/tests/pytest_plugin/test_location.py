from __future__ import annotations

import subprocess
import sys

import pytest
from seatrial.pytest_plugin.location import Location, location

API = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


@pytest.fixture
def namespace_file(tmp_path):
    file = tmp_path / "namespace"
    file.write_text("default")
    return file


def test_what_is_said_outright_wins(namespace_file):
    assert location({"SEATRIAL_LOCATION": "host", **API}, namespace_file=namespace_file).where == "host"
    assert location({"SEATRIAL_LOCATION": "pod"}) == Location("pod", "SEATRIAL_LOCATION says so")


def test_neither_the_address_nor_the_account_alone_proves_a_pod(namespace_file, tmp_path):
    assert location(API, namespace_file=namespace_file).where == "pod"
    assert location({}, namespace_file=namespace_file).where == "host"
    assert location(API, namespace_file=tmp_path / "none").where == "host"


def test_anything_else_is_refused():
    with pytest.raises(ValueError, match="SEATRIAL_LOCATION is 'moon', should be pod or host"):
        location({"SEATRIAL_LOCATION": "moon"})


def test_the_plugin_costs_nothing_to_import():
    code = (
        "import sys, seatrial.pytest_plugin; sys.exit(bool({'msgspec', 'httpx2', 'yaml', 'rich'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
