from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.projects import change_test, without_host_ports
from benchmarks.scenarios.layer import run_everywhere


def pod(node: str, image: str, *, ready: bool = True, deleted: bool = False) -> dict[str, object]:
    meta = {"deletionTimestamp": "2026-01-31T15:45:00Z"} if deleted else {}
    return {
        "metadata": meta,
        "spec": {"nodeName": node, "containers": [{"image": image}]},
        "status": {"containerStatuses": [{"ready": ready}]},
    }


def test_run_everywhere_accepts_ready_pod_on_each_node() -> None:
    pods = [pod("a", "registry/big:2@sha256:0123"), pod("b", "registry/big:2")]

    run_everywhere(json.dumps({"items": pods}), "big:2", 2)


@pytest.mark.parametrize(
    "other",
    [
        pod("b", "registry/big:1"),
        pod("b", "registry/big:2", ready=False),
        pod("b", "registry/big:2", deleted=True),
        pod("a", "registry/big:2"),
    ],
    ids=["older image", "not ready", "being deleted", "same node"],
)
def test_run_everywhere_node_without_image_is_an_error(other: dict[str, object]) -> None:
    pods = [pod("a", "registry/big:2"), other]

    with pytest.raises(ValueError, match="1 of 2 nodes"):
        run_everywhere(json.dumps({"items": pods}), "big:2", 2)


def test_change_test_differs_each_time_and_does_not_grow(tmp_path: Path) -> None:
    test = tmp_path / "tests" / "integration" / "test_object_store.py"
    test.parent.mkdir(parents=True)
    test.write_text("def test_it():\n    pass\n")

    change_test(tmp_path, "def test_more():\n    pass\n")
    first = test.read_text()
    change_test(tmp_path)

    assert first.startswith("def test_it():\n    pass\n# changed ")
    assert first.endswith("\ndef test_more():\n    pass\n")
    assert test.read_text() != first
    assert len(test.read_text().splitlines()) == 3


def test_without_host_ports_removes_port_mappings() -> None:
    config = {"kind": "Cluster", "nodes": [{"role": "control-plane", "extraPortMappings": [{"hostPort": 1}]}]}

    assert without_host_ports(config) == {"kind": "Cluster", "nodes": [{"role": "control-plane"}]}
