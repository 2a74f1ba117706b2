from __future__ import annotations


def test_test_runs_in_the_claimed_environment(seatrial, project, runs, monkeypatch):
    monkeypatch.setattr("seatrial.app.environments.claim", lambda this, project, namespace: f"record of {namespace}")

    assert seatrial("test", "--explain", "--namespace", "pr-42", "--lf").code == 0
    (call,) = runs.calls
    assert (call["record"], call["keep"], call["tests"], call["explain"]) == ("record of pr-42", "always", True, True)
    assert (call["command"], call["pytest_args"]) == (("test", "--lf"), ("--lf",))
    assert call["selection"].namespace == "pr-42"


def test_test_without_an_environment_is_a_usage_error(seatrial, project, runs):
    printed = seatrial("test")

    assert printed.code == 4
    assert "there is no environment of this project" in printed.err
    assert runs.calls == []
