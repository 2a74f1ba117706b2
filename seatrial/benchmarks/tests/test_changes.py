from __future__ import annotations

import pytest

from benchmarks import changes


def test_table_has_a_line_for_each_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(changes, "_SIZES", (1, 2))
    monkeypatch.setattr(changes, "_CHANGES", 3)

    changes.main()

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["1", "2"], ["2", "4"]]
    assert lines[-1].startswith("goal: 5 ms at 2 Deployments")


@pytest.mark.parametrize(("goal", "code"), [(1e9, 0), (0.0, 1)])
def test_exit_code_says_whether_the_goal_is_met(monkeypatch: pytest.MonkeyPatch, goal: float, code: int) -> None:
    monkeypatch.setattr(changes, "_SIZES", (1,))
    monkeypatch.setattr(changes, "_CHANGES", 3)
    monkeypatch.setattr(changes, "_GOAL", goal)

    assert changes.main() == code
