from __future__ import annotations

import pytest


@pytest.mark.parametrize(("argv", "namespace"), [(("down",), ""), (("down", "--namespace", "pr-42"), "pr-42")])
def test_down_takes_down_the_environment_of_the_namespace(seatrial, project, monkeypatch, argv, namespace):
    called = []
    monkeypatch.setattr(
        "seatrial.app.take_down.take_down", lambda this, project, name, say: called.append((project, name))
    )

    assert seatrial(*argv).code == 0
    ((given, name),) = called
    assert (given.root, name) == (project, namespace)
