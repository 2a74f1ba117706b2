from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.detect import detect
from seatrial.config.draft import dockerfile, draft
from seatrial.config.draft_services import FoundService
from seatrial.config.lint import lint

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders-api"


def accepted_draft(found, services=()) -> str:
    """Return the tables of a draft that `config lint` accepts."""
    result = draft(found, list(services), "shop-3f2a9c1b")
    (found.root / "seatrial.toml").write_text(result.text)
    assert [str(problem) for problem in lint(load(str(found.root), environ={}))] == []
    return result.text.partition("\n\n")[2]


def test_draft_of_the_example_has_both_images_and_the_services_of_the_chart(tmp_path):
    services = [FoundService(name="orders-api", port=80, path="/health"), FoundService(name="postgresql", port=5432)]
    result = draft(detect(EXAMPLE), services, "orders-3f2a9c1b")

    assert (
        result.text.partition("\n\n")[2]
        == """\
[cluster]
name = "orders-api-test"

[[image]]
name = "orders-api"
target = "app"

[[image]]
name = "orders-api-tests"
target = "tests"

[[release]]
name = "orders-api"
chart = "chart"
namespace = "orders-api"
images = { image = "orders-api" }

[service.orders-api]
port = 80
ready = { http = "/health" }

[service.postgresql]
port = 5432

[runner]
image = "orders-api-tests"
namespace = "orders-api"
command = ["python", "-m", "pytest"]
sync = ["orders", "tests"]
"""
    )
    assert result.found == (
        "chart orders-api in chart",
        "Dockerfile with stages app, tests",
        "tests in tests, from pytest.ini",
        "dependencies by pip",
        "services of the charts: orders-api 80, postgresql 5432",
        "pytest and the tests in Dockerfile, target tests",
    )
    assert result.guessed == (
        (
            '[[image]] "orders-api": built from Dockerfile, target app, because a chart names it;'
            " correct dockerfile and target, or remove the table to use the chart's image"
        ),
        "project name orders-api: the directory's name; correct names of images and namespaces if needed",
        'namespace = "orders-api": the project\'s name; correct it where a chart or a test expects another one',
        "[cluster]: one node, kind's default; for another shape set config to a kind configuration file",
        '[runner] command = ["python", "-m", "pytest"]: correct it if the tests run by another command',
    )


def test_draft_of_a_project_with_only_a_dockerfile(project):
    found = project({"Dockerfile": "FROM python:3.13\n"})

    assert (
        accepted_draft(found)
        == """\
[cluster]
name = "my-app-test"

[[image]]
name = "my-app"

[runner]
image = "my-app"
namespace = "my-app"
command = ["python", "-m", "pytest"]
"""
    )
    assert "no chart: the namespace of the tests is empty" in draft(found, [], "shop-3f2a9c1b").found


def test_draft_names_snapshots_in_a_comment(project):
    """A pod writes into the working tree only if the user allows it."""
    files = {"Dockerfile": "FROM a\n", "tests/test_a.py": ""}
    snapshots = ("tests/__snapshots__/a.ambr", "tests/deep/cassettes/b.yaml", "__snapshots__/top")
    found = project({**files, **dict.fromkeys(snapshots, "")})

    assert (
        "# Uncomment to copy snapshots that tests update in the pod here:\n"
        '# collect-into-tree = ["tests/**/__snapshots__/**", "tests/**/cassettes/**"]\n'
    ) in accepted_draft(found)


def test_draft_of_a_project_with_several_charts_and_dockerfiles(project):
    found = project(
        {
            "pyproject.toml": '[project]\nname = "Shop"\n[tool.uv]\n'
            '[tool.pytest.ini_options]\ntestpaths = ["tests", "pkg/*/tests"]\n',
            "Dockerfile": "FROM x:1 AS build\nFROM --platform=linux/amd64 x:1\n",
            "docker/Dockerfile.tests": "from shop as t\n",
            "shop/__init__.py": "",
            "tests/test_a.py": "",
            "charts/shop/Chart.yaml": "name: shop\n",
            "charts/shop/values.yaml": "api:\n  image: {repository: example.org/shop, tag: x}\n",
            "charts/shop/values-test.yaml": "",
            "charts/shop/charts/sub/Chart.yaml": "name: sub\n",
            "charts/base/Chart.yaml": "name: base\ntype: library\n",
            "charts/queue/Chart.yaml": "- odd\n",
            "charts/queue/values.yaml": ": [",
            "ci/values.test.yml": "",
            "k8s/kind.yaml": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: shop-ci\n",
            "k8s/kind-ha.yaml": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
            "compose.yaml": "services:\n  db: {image: x, ports: ['127.0.0.1:1:5432/tcp', '9:9']}\n"
            "  web: {ports: [{target: 80}]}\n  idle: {image: x}\n  odd: 3\n  range: {expose: ['80-90']}\n",
            "docker-compose.override.yml": "services: []\n",
            "node_modules/Dockerfile": "",
            ".git/x": "",
            ".dockerignore": ".git\n",
            "docker/Dockerfile.dockerignore": "",
        }
    )

    assert (
        accepted_draft(found)
        == """\
[cluster]
name = "shop-ci"
config = "k8s/kind.yaml"

[[image]]
name = "shop"

[[image]]
name = "shop-tests"
dockerfile = "docker/Dockerfile.tests"

[[release]]
name = "queue"
chart = "charts/queue"
namespace = "shop"
values = ["ci/values.test.yml"]

[[release]]
name = "shop"
chart = "charts/shop"
namespace = "shop"
values = ["charts/shop/values-test.yaml"]
images = { "api.image" = "shop" }

[service.db]
port = 5432

[service.web]
port = 80

[runner]
image = "shop-tests"
namespace = "shop"
command = ["uv", "run", "pytest"]
sync = ["shop", "tests"]

[compose]
file = "compose.yaml"
"""
    )
    guessed = "\n".join(draft(found, [], "shop-3f2a9c1b").guessed)
    assert '[cluster] config = "k8s/kind.yaml": there is also k8s/kind-ha.yaml' in guessed
    assert "[[release]]: charts are installed in the order of their folders" in guessed
    assert "[[release]] queue values: ci/values.test.yml outside of any chart" in guessed
    assert "[service.…]: names and ports of compose.yaml" in guessed
    assert "[[image]] context: docker/Dockerfile.tests copies from the project's directory" in guessed


def test_draft_names_the_compose_files_that_it_does_not_use(project):
    services = "services: {a: {ports: [80]}}\n"
    found = project({"Dockerfile": "FROM x:1\n", "compose.yaml": services, "compose.dev.yaml": services})

    guessed = draft(found, [], "shop-3f2a9c1b").guessed
    assert '[compose] file = "compose.yaml": there is also compose.dev.yaml; correct file' in guessed


@pytest.mark.parametrize("installer", ["uv", "poetry", "pip"])
def test_written_dockerfile_installs_dependencies_and_copies_code_and_tests(project, installer):
    lock = {"uv": "uv.lock", "poetry": "poetry.lock", "pip": "requirements.txt"}[installer]
    found = project(
        {lock: "", "src/x/y.py": "", "tests/test_a.py": "", "tox.ini": "[pytest]\ntestpaths = tests/ a/*\n"}
    )

    text = dockerfile(found)
    assert "COPY src src\nCOPY tests tests\nCOPY tox.ini ./\n" in text
    assert "ENV PYTHONPATH=/app/src" in text
    assert lock.partition(".")[0] in text
    assert "USER 1000:1000" in text


def test_written_dockerfile_without_folders_copies_all(project):
    assert "COPY . .\n" in dockerfile(project({}))


@pytest.mark.parametrize(
    ("files", "installed"),
    [
        ({}, "RUN pip install --no-cache-dir pytest"),
        ({"requirements.txt": "httpx\n"}, "RUN pip install --no-cache-dir pytest"),
        ({"uv.lock": "", "pyproject.toml": "[project]\nname = 'a'\n"}, "RUN uv pip install --no-cache pytest"),
        ({"requirements.txt": "httpx\npytest>=8\n"}, None),
        ({"uv.lock": "", "pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"}, None),
        ({"poetry.lock": "", "pyproject.toml": "[tool.poetry.group.test.dependencies]\npytest = '*'\n"}, None),
    ],
)
def test_written_dockerfile_has_pytest_and_shows_it(project, files, installed):
    text = dockerfile(project({**files, "tests/test_a.py": ""}))

    assert [line for line in text.splitlines() if "pytest" in line] == ([installed] if installed else [])
    (stage,) = project({"Dockerfile.tests": text}).dockerfiles[0].stages
    assert stage.has_pytest
    assert stage.has_tests


def test_written_dockerfile_copies_no_requirements_where_there_are_none(project):
    assert "requirements" not in dockerfile(project({"tests/test_a.py": ""}))
