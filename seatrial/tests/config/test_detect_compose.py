from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from seatrial.config.detect_compose import ComposeService, compose_files, read_compose


def service(text: str, *, path: str = "compose.yaml") -> ComposeService:
    found = read_compose(Path(path), {"services": {"web": yaml.safe_load(text)}})
    assert found is not None
    return found.services["web"]


def test_compose_files_are_ordered_by_depth_and_the_names_that_compose_looks_for():
    names = (
        "api/compose.yaml",
        "compose.dev.yaml",
        "docker-compose.yml",
        "docker-compose-ci.yml",
        "compose.json",
        "a.yaml",
    )

    assert compose_files(map(Path, names)) == [
        Path("docker-compose.yml"),
        Path("compose.dev.yaml"),
        Path("docker-compose-ci.yml"),
        Path("api/compose.yaml"),
    ]


@pytest.mark.parametrize("document", [{}, {"services": []}, {"services": None}])
def test_file_without_services_is_none(document):
    assert read_compose(Path("compose.yaml"), document) is None


def test_ports_are_those_of_the_container():
    text = "{ports: ['127.0.0.1:1:5432/tcp', '9:9', 80, {target: 81}, '70-80'], expose: ['9', '8182']}"

    assert service(text).ports == (5432, 9, 80, 81, 8182)


def test_port_of_a_service_is_its_first_one():
    found = read_compose(
        Path("compose.yaml"), {"services": {"web": {"expose": [2, 1]}, "idle": {"image": "x"}, "y": 3}}
    )

    assert found is not None
    assert found.ports == {"web": 2}
    assert [*found.services] == ["web", "idle", "y"]


@pytest.mark.parametrize(
    ("text", "path", "dockerfile", "target"),
    [
        ("{image: x}", "compose.yaml", None, ""),
        ("{build: .}", "compose.yaml", "Dockerfile", ""),
        ("{build: ../api}", "docker/compose.yaml", "api/Dockerfile", ""),
        ("{build: {context: .., dockerfile: docker/api.Dockerfile, target: app}}", "docker/compose.yaml",
         "docker/api.Dockerfile", "app"),
        ("{build: {target: tests}}", "compose.yaml", "Dockerfile", "tests"),
    ],
)  # fmt: skip
def test_build_names_dockerfile_and_target(text, path, dockerfile, target):
    found = service(text, path=path)

    assert (found.dockerfile, found.target) == (Path(dockerfile) if dockerfile else None, target)


@pytest.mark.parametrize(
    "text",
    [
        "{environment: {A: x, B: 1, C: true, D: $$x, E: '${X:-1}', F: }}",
        "{environment: [A=x, B=1, C=true, D=$$x, 'E=${X:-1}', F]}",
    ],
    ids=["table", "list"],
)
def test_variables_without_a_value_in_the_file_are_none(text):
    assert service(text).variables == {"A": "x", "B": "1", "C": "true", "D": "$x", "E": None, "F": None}


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("{command: pytest -q}", True),
        ("{command: [python, -m, pytest]}", True),
        ("{entrypoint: [uv, run, pytest]}", True),
        ("{command: python -m server}", False),
        ("{image: x}", False),
    ],
)
def test_service_runs_pytest_if_its_command_names_it(text, runs):
    assert service(text).runs_pytest is runs
