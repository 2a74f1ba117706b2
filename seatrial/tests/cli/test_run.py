from __future__ import annotations

import json

import pytest
from seatrial.model.errors import ExitCode


@pytest.fixture
def created(monkeypatch):
    created = []

    def create(this, project, **settings):
        created.append(settings)
        return "record"

    monkeypatch.setattr("seatrial.app.environments.create", create)
    return created


def test_run_creates_an_environment_and_passes_arguments_to_pytest(seatrial, project, runs, created):
    runs.code = ExitCode.TESTS_FAILED

    assert seatrial("run", "--keep", "on-failure", "-k", "s3").code == 1
    (call,) = runs.calls
    assert (call["record"], call["keep"], call["tests"], call["pytest_args"]) == (
        "record", "on-failure", True, ("-k", "s3"),
    )  # fmt: skip
    assert call["command"] == ("run", "--keep=on-failure", "-k", "s3")
    assert created[0]["command"] == "run"


def test_run_keeps_by_the_environment_variable(seatrial, project, runs, created, monkeypatch):
    monkeypatch.setenv("SEATRIAL_KEEP", "always")
    seatrial("run")

    assert runs.calls[0]["keep"] == "always"


def test_run_prints_the_result_as_json(seatrial, project, runs, created):
    assert json.loads(seatrial("run", "--json").out)["exit"] == 0


def test_run_with_a_namespace_requires_a_shared_cluster(seatrial, project, runs):
    printed = seatrial("run", "--namespace", "pr-42")

    assert printed.code == 4
    assert "  hint: seatrial up --namespace pr-42" in printed.err
    assert runs.calls == []


def test_run_in_compose_creates_an_environment_of_that_kind(seatrial, project, runs, monkeypatch):
    kinds = []
    monkeypatch.setattr(
        "seatrial.app.environments.create", lambda this, project, **_: kinds.append(project.environment)
    )
    (project / "compose.yaml").write_text("services: {}\n")
    with (project / "seatrial.toml").open("a") as file:
        file.write('\n[compose]\nfile = "compose.yaml"\n')
    seatrial("run", "--env", "compose")
    seatrial("run")

    assert kinds == ["compose", "kubernetes"]


def test_run_in_compose_requires_a_compose_file(seatrial, project, runs):
    printed = seatrial("run", "--env", "compose")

    assert printed.code == 4
    assert "requires a table [compose]" in printed.err


def test_namespace_requires_kubernetes(seatrial, project, runs):
    (project / "compose.yaml").write_text("services: {}\n")
    with (project / "seatrial.toml").open("a") as file:
        file.write('\n[compose]\nfile = "compose.yaml"\n')
    printed = seatrial("run", "--env", "compose", "--namespace", "pr-1")

    assert printed.code == 4
    assert "--namespace requires Kubernetes" in printed.err
