"""Memory counters and processes of the container."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.pod.agent import container


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "memory.events": "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 1\n",
                "memory.peak": "268435456\n",
                "memory.max": "268435456\n",
            },
            (2, 256 << 20, 256 << 20),
        ),
        ({"memory.events": "low 0\noom_kill 0\n", "memory.max": "max\n"}, (0, 0, 0)),
    ],
    ids=["killed", "unlimited"],
)  # fmt: skip
def test_counters_of_cgroup_v2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: tuple[int, int, int]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(container, "_V2", str(tmp_path))
    monkeypatch.setattr(container, "_V1", str(tmp_path / "none"))

    assert (container.oom_kills(), container.memory_peak(), container.memory_limit()) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"v2/cpu.stat": "usage_usec 2500000\nuser_usec 1\n"}, 2.5),
        ({"cpuacct/cpuacct.usage": "2500000000\n"}, 2.5),
        ({"v2/cpu.stat": "nr_periods 0\n"}, 0.0),
    ],
    ids=["cgroup v2", "cgroup v1", "unknown"],
)
def test_cpu_time_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: float
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for constant, directory in (("_V2", "v2"), ("_V1", "v1"), ("_V1_CPU", "cpuacct")):
        monkeypatch.setattr(container, constant, str(tmp_path / directory))

    assert container.cpu_seconds() == expected
