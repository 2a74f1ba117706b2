from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.projects import change_test, without_host_ports
from benchmarks.scenarios.layer import pulls


def test_pulls_of_one_image_by_the_kubelets_own_words() -> None:
    said = 'Successfully pulled image "{}" in {} ({} including waiting). Image size: 12 bytes.'
    messages = [
        said.format("big:1", "61ms", "61ms"),
        said.format("big:2", "80ms", "1.08s"),
        said.format("big:2", "1m2.5s", "1m2.5s"),
        'Container image "big:2" already present on machine',
    ]

    assert pulls(messages, "big:2") == pytest.approx([1.08, 62.5])
    with pytest.raises(ValueError, match="no kubelet"):
        pulls(messages, "big:3")


def test_a_changed_test_differs_each_time_and_does_not_grow(tmp_path: Path) -> None:
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


def test_a_cluster_without_host_ports() -> None:
    config = {"kind": "Cluster", "nodes": [{"role": "control-plane", "extraPortMappings": [{"hostPort": 1}]}]}

    assert without_host_ports(config) == {"kind": "Cluster", "nodes": [{"role": "control-plane"}]}
