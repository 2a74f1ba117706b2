"""Configurations in the how-to pages are valid, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.compose_services import compose_project
from seatrial.config.lint import lint
from seatrial.image_inputs.dockerignore import DockerIgnore
from seatrial.releases.rendering import image_values

DOCS = Path(__file__).parents[2] / "docs"
CHART = {"chart/Chart.yaml": "name: orders\n", "chart/values.yaml": ""}


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def project(tmp_path):
    """Return a function that loads a configuration in a project with a Dockerfile and a chart."""

    def project(text: str, dockerfile: str):
        for name, content in {**CHART, "Dockerfile": dockerfile, "seatrial.toml": text}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        loaded = load(str(tmp_path), environ={})
        assert lint(loaded) == []
        return loaded.project

    return project


def test_images_of_the_page_set_repository_and_tag_of_the_chart(project):
    first, second = blocks("how-to/images.md", "toml")
    (dockerfile,) = blocks("how-to/images.md", "dockerfile")
    found = project(first, dockerfile)
    images = {"orders-api": "orders-api:4f1c02d7a1b2"}

    assert image_values(found.release[0], images, own_registry=True) == {
        "image.repository": "orders-api",
        "image.tag": "4f1c02d7a1b2",
        "worker.image.repository": "orders-api",
        "worker.image.tag": "4f1c02d7a1b2",
    }
    assert [image.target for image in found.image] == ["app", "tests"]
    image = project(f'{second}[runner]\nimage = "orders-api"\n', dockerfile).image[0]
    assert (image.args, image.secrets) == ({"COMMIT": "$GIT_COMMIT"}, ("id=token,env=INDEX_TOKEN",))


def test_dockerignore_of_the_page_leaves_out_what_it_does_not_name():
    (text,) = blocks("how-to/ignore-files.md", "dockerignore")
    ignore = DockerIgnore(text)

    assert [name for name in ("src/a.py", "tests/a.py", "uv.lock", "pyproject.toml") if ignore.ignored(name)] == []
    assert all(ignore.ignored(name) for name in (".git/HEAD", "docs/a.md", "src/__pycache__/a.pyc", ".seatrial/x"))


def test_compose_configuration_of_the_page_gives_each_variable_a_value(tmp_path):
    (text,) = blocks("how-to/docker-compose.md", "toml")
    (tmp_path / "seatrial.toml").write_text(text)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    project = load(str(tmp_path), environ={"SEATRIAL_ENVIRONMENT": "compose"}).project

    assert project.environment == "compose"
    assert project.compose is not None
    assert compose_project(project).service["web"].name == "shop-web"
    given = compose_project(project).compose
    assert given is not None
    assert project.runner.references.keys() == given.env.keys()
