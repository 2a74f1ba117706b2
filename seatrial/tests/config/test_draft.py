from __future__ import annotations

import json
from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.draft import FoundService, dockerfile, draft, services_of
from seatrial.config.lint import lint
from seatrial.config.survey import survey

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders-api"


@pytest.fixture
def project(tmp_path):
    """Return a function that writes files into a project and surveys it."""
    root = tmp_path / "my_App"
    root.mkdir()

    def project(files: dict[str, str]):
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return survey(root)

    return project


def sound(found, services=()) -> str:
    """Return the draft for a survey, after it passed `config lint`."""
    result = draft(found, list(services), "shop-3f2a9c1b")
    (found.root / "seatrial.toml").write_text(result.text)
    assert [str(problem) for problem in lint(load(str(found.root), environ={}))] == []
    return result.text.partition("\n\n")[2]


def test_the_example(tmp_path):
    services = [FoundService(name="orders-api", port=80, path="/health"), FoundService(name="postgresql", port=5432)]
    result = draft(survey(EXAMPLE), services, "orders-3f2a9c1b")

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
        "tests in tests, as pytest.ini says",
        "a project on pip",
        "services of the charts: orders-api 80, postgresql 5432",
    )
    assert result.guessed == ("[cluster]: one node, as kind makes it without a configuration",)


def test_the_least_there_can_be(project):
    found = project({"Dockerfile": "FROM python:3.13\n"})

    assert (
        sound(found)
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
    assert "no chart: the tests run in an empty namespace" in draft(found, [], "shop-3f2a9c1b").found


def test_much_of_everything(project):
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
        sound(found)
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
    assert "[cluster]: k8s/kind.yaml is meant, not k8s/kind-ha.yaml" in guessed
    assert "[[release]]: the charts are installed in the order of their folders" in guessed
    assert "[service.…]: names and ports are those of compose.yaml" in guessed


@pytest.mark.parametrize(
    ("files", "paths", "settings"),
    [
        ({"pytest.ini": "[pytest]\ntestpaths = a b\n"}, ("a", "b"), "pytest.ini"),
        ({"tox.ini": "[tox]\n[pytest]\ntestpaths =\n    c\n"}, ("c",), "tox.ini"),
        ({"setup.cfg": "[tool:pytest]\ntestpaths = d\n"}, ("d",), "setup.cfg"),
        ({"pyproject.toml": "[tool.pytest]\ntestpaths = ['e']\n"}, ("e",), "pyproject.toml"),
        ({"pytest.ini": "no section\n", "test/x": ""}, ("test",), None),
        ({"pyproject.toml": "not TOML"}, (), None),
    ],
)
def test_where_the_tests_are(project, files, paths, settings):
    found = project(files)

    assert found.testpaths == paths
    assert found.test_settings == (Path(settings) if settings else None)


@pytest.mark.parametrize(
    ("files", "installer"),
    [
        ({"uv.lock": ""}, "uv"),
        ({"poetry.lock": ""}, "poetry"),
        ({"pyproject.toml": '[tool.poetry]\nname = "x"\n'}, "poetry"),
        ({"requirements.txt": ""}, "pip"),
        ({}, "pip"),
    ],
)
def test_how_the_project_is_installed(project, files, installer):
    assert project(files).installer == installer


def test_a_stage_for_tests_on_top_of_the_last_stage(project):
    found = project(
        {
            "Dockerfile": "FROM x:1\nFROM x:1 AS test\n",
            "chart/Chart.yaml": "name: c\n",
            "chart/values.yaml": "image: {repository: my-app, tag: ''}\n",
        }
    )

    assert '[[image]]\nname = "my-app"\n\n[[image]]\nname = "my-app-tests"\ntarget = "test"\n' in sound(found)


@pytest.mark.parametrize("installer", ["uv", "poetry", "pip"])
def test_a_dockerfile_for_who_has_none(project, installer):
    lock = {"uv": "uv.lock", "poetry": "poetry.lock", "pip": "requirements.txt"}[installer]
    found = project(
        {lock: "", "src/x/y.py": "", "tests/test_a.py": "", "tox.ini": "[pytest]\ntestpaths = tests/ a/*\n"}
    )

    text = dockerfile(found)
    assert "COPY src src\nCOPY tests tests\nCOPY tox.ini ./\n" in text
    assert "ENV PYTHONPATH=/app/src" in text
    assert lock.partition(".")[0] in text
    assert "USER 1000:1000" in text


def test_a_dockerfile_without_any_folder_to_copy(project):
    assert "COPY . .\n" in dockerfile(project({}))


def rendered(**changes):
    service = {
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "http"}, {"port": 9000}]},
    }
    workload = {
        "kind": "Deployment",
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "api", "x": "y"}},
                "spec": {
                    "containers": [
                        {"name": "sidecar"},
                        {
                            "name": "api",
                            "ports": [
                                {"name": "http", "containerPort": 8080},
                                {"name": "admin", "containerPort": 9000},
                            ],
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                        },
                    ]
                },
            }
        },
    }
    objects = json.loads(json.dumps([service, workload]))
    for path, value in changes.items():
        at = objects
        *parents, last = path.split("__")
        for part in parents:
            at = at[int(part)] if part.isdigit() else at[part]
        at[int(last) if last.isdigit() else last] = value
    return objects


_PROBE = "1__spec__template__spec__containers__1__readinessProbe"


@pytest.mark.parametrize(
    ("changes", "path", "port"),
    [
        ({}, "/ready", None),
        ({_PROBE: {"httpGet": {"port": 9000}}}, "/", 9000),
        ({_PROBE: {"httpGet": {"path": "/x", "port": "9000"}}}, "/x", 9000),
        ({_PROBE: {"httpGet": {"path": "/x", "port": "unknown"}}}, "", None),
        ({_PROBE: {"exec": {}}}, "", None),
        ({"0__spec__selector": {}}, "", None),
        ({"0__spec__selector": {"app": "other"}}, "", None),
    ],
)
def test_what_ready_means_is_what_the_probe_asks(changes, path, port):
    assert services_of(rendered(**changes)) == [FoundService(name="api", port=80, path=path, path_port=port)]


def test_headless_twins_are_left_out():
    first, workload = rendered()
    twin, alone, external = (json.loads(json.dumps(first)) for _ in range(3))
    twin["metadata"]["name"], twin["spec"]["clusterIP"] = "api-headless", "None"
    alone["metadata"]["name"], alone["spec"]["clusterIP"] = "alone", "None"
    alone["spec"]["selector"] = {"app": "alone"}
    del external["spec"]["ports"]

    assert [service.name for service in services_of([workload, twin, first, alone, external])] == ["alone", "api"]
