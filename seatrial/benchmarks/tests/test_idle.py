from __future__ import annotations

import pytest

from benchmarks import idle


@pytest.mark.parametrize(("goal", "code"), [(1e9, 0), (-1.0, 1)])
def test_share_of_a_core_is_printed_and_compared_with_the_goal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], goal: float, code: int
) -> None:
    for name, value in {"_PODS": 3, "_START": 0.1, "_SECONDS": 0.1, "_GOAL": goal}.items():
        monkeypatch.setattr(idle, name, value)

    assert idle.main() == code
    assert capsys.readouterr().out.startswith("3 pods: start ")
