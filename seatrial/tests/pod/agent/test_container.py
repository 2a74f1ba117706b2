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
