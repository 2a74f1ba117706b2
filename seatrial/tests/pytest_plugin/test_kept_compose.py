"""Choose between a kept Compose environment and a kept cluster of the same project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from seatrial.model.spec import ComposeSpec, Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.pytest_plugin.kept_environment import KeptCompose, KeptEnvironment, find_kept_environment


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("SEATRIAL_ENVIRONMENT", raising=False)

    def found(*providers, environment="kubernetes"):
        for number, provider in enumerate(providers):
            directory = tmp_path / "seatrial" / "sessions" / f"{number}{provider}"
            directory.mkdir(parents=True)
            record = {"session": "aa", "project": "/shop", "provider": provider, "cluster": provider, "kept": True}
            (directory / "session.json").write_text(json.dumps(record | {"created": str(number)}))
        project = Project(
            root=Path("/shop"),
            runner=RunnerSpec(image="t:1"),
            compose=ComposeSpec(file=Path("/shop/compose.yaml")),
            environment=environment,
        )
        return find_kept_environment(Path("/shop"), lambda: project)

    return found


def test_compose_environment_is_found(found):
    kept = found("compose")

    assert kept == KeptCompose(name="compose", environment="aa")
    assert kept.container("web") == "compose-web-1"


def test_cluster_is_found(found):
    assert isinstance(found("kind"), KeptEnvironment)


@pytest.mark.parametrize(("environment", "kind"), [("kubernetes", KeptEnvironment), ("compose", KeptCompose)])
def test_configuration_chooses_between_both(found, environment, kind):
    assert isinstance(found("kind", "compose", environment=environment), kind)


def test_variable_chooses_a_kind_that_is_not_up(found, monkeypatch):
    monkeypatch.setenv("SEATRIAL_ENVIRONMENT", "compose")

    assert found("kind", environment="compose") is None


def test_forwarder_knows_the_ports_of_the_configuration():
    project = Project(
        root=Path("/shop"),
        runner=RunnerSpec(image="t:1"),
        service={"web": ServiceSpec(port=80, ready=ReadySpec(http="/", port=81)), "db": ServiceSpec(port=5432)},
    )
    forwarder = KeptCompose(name="shop-aa", environment="aa").forwarder(project)

    assert forwarder._ports == {"web": {80, 81}, "db": {5432}}
