from __future__ import annotations

import pytest
from seatrial.config import load
from seatrial.config.lint import lint

MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


@pytest.fixture
def warnings(tmp_path, monkeypatch):
    """Return what lint says about the files given by name and content."""
    monkeypatch.chdir(tmp_path)

    def warnings(files: dict[str, str]) -> list[str]:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return [str(problem) for problem in lint(load(environ={}))]

    return warnings


def test_lint_of_a_valid_project_has_no_warnings(warnings):
    assert warnings({"seatrial.toml": MINIMAL}) == []


def test_lint_warns_of_a_project_id_equal_to_the_directory_name(warnings, tmp_path):
    name = "".join(each for each in tmp_path.name.lower() if each.isalnum())
    named = tmp_path.rename(tmp_path.with_name(name))
    (named / "seatrial.toml").write_text(f'project = "{name}"\n{MINIMAL}')
    (found,) = lint(load(str(named), environ={}))

    assert str(found).startswith(
        f"seatrial.toml:1: project: '{name}' is the directory's name, which another project may have, too"
    )
    (named / "seatrial.toml").write_text(f'project = "{name}-3f2a9c1b"\n{MINIMAL}')
    assert lint(load(str(named), environ={})) == []


def test_lint_warns_of_image_references_without_a_fixed_tag(warnings):
    text = '[cluster]\nimage = "registry:5000/node"\n[runner]\nimage = "example.org/t:latest"\n'

    assert warnings({"seatrial.toml": text}) == [
        (
            "seatrial.toml:2: cluster.image: registry:5000/node may refer to another image later; add a tag, best a"
            " digest"
        ),
        (
            "seatrial.toml:4: runner.image: example.org/t:latest may refer to another image later; add a tag, best a"
            " digest"
        ),
    ]
    assert warnings({"seatrial.toml": MINIMAL.replace(":1", "@sha256:" + "0" * 64)}) == []


def test_lint_warns_of_a_build_context_with_git_and_no_dockerignore(warnings):
    files = {"seatrial.toml": '[[image]]\nname = "a"\n[runner]\nimage = "a"\n', "Dockerfile": "", ".git": ""}

    assert warnings(files) == [
        (
            "seatrial.toml:1: image[0].context: the build context has a .git and no .dockerignore: every commit"
            " rebuilds the image; add .git to a .dockerignore"
        )
    ]
    assert warnings({**files, ".dockerignore": ".git\n"}) == []


KIND = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: other
nodes:
  - role: control-plane
    image: kindest/node:v1
    extraPortMappings:
      - containerPort: 80
        hostPort: 8080
      - containerPort: 81
        hostPort: 8081
        listenAddress: "0.0.0.0"
      - containerPort: 82
        hostPort: 8082
        listenAddress: "127.0.0.1"
"""


def test_lint_warns_of_ignored_and_open_settings_of_a_kind_configuration(warnings):
    text = '[cluster]\nconfig = "k/kind.yaml"\nimage = "kindest/node:v2"\n' + MINIMAL

    assert warnings({"seatrial.toml": text, "k/kind.yaml": KIND}) == [
        "k/kind.yaml:3: name: other is ignored, cluster.name is seatrial; remove it",
        'k/kind.yaml:8: host port 8080 is open to the network; add listenAddress: "127.0.0.1"',
        'k/kind.yaml:10: host port 8081 is open to the network; add listenAddress: "127.0.0.1"',
        "k/kind.yaml:6: image kindest/node:v1 is ignored, cluster.image is kindest/node:v2; remove one of them",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: Pod\n", "k.yaml:1: is not a kind configuration; begin it with kind: Cluster"),
        ("", "k.yaml:1: is not a kind configuration; begin it with kind: Cluster"),
        ("a: [", "k.yaml: invalid YAML: "),
        ("kind: Cluster\nnodes: 3\n", None),
        ("kind: Cluster\nname: seatrial\nnodes:\n- role: worker\n", None),
    ],
)
def test_lint_reports_files_that_are_not_kind_configurations(warnings, content, message):
    found = warnings({"seatrial.toml": '[cluster]\nconfig = "k.yaml"\n' + MINIMAL, "k.yaml": content})

    assert [line.startswith(message) for line in found] == ([True] if message else [])


RELEASE = """\
[[release]]
name = "a"
chart = "chart"
namespace = "kube-system"
values = ["values.yaml"]
[[release]]
name = "b"
chart = "oci://example.org/b"
"""


def test_lint_warns_of_floating_versions_and_of_values_that_are_not_strings(warnings):
    values = """\
image:
  tag: latest
env:
  - name: DEBUG
    value: yes
  - {name: PORT, value: 8080}
  - {name: FINE, value: "8080"}
"""
    chart = "name: a\ndependencies:\n- name: x\n"

    assert warnings({"seatrial.toml": RELEASE + MINIMAL, "chart/Chart.yaml": chart, "values.yaml": values}) == [
        (
            "seatrial.toml:3: release[0].chart: chart has dependencies and no Chart.lock: their versions may change;"
            " run helm dependency update and commit Chart.lock"
        ),
        "seatrial.toml:4: release[0].namespace: kube-system belongs to Kubernetes; use a namespace of your own",
        "values.yaml:2: tag: latest may refer to another image later, and every pod pulls it again; write a version",
        'values.yaml:5: value: yes is a boolean in YAML, but variables must be strings; write "yes"',
        'values.yaml:6: value: 8080 is a number in YAML, but variables must be strings; write "8080"',
        'seatrial.toml:8: release[1].chart: oci://example.org/b may be another chart version later; add version = "…"',
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"chart/x": ""}, "seatrial.toml:3: release[0].chart: chart is not a chart: it has no Chart.yaml"),
        ({"chart/Chart.yaml": "a: ["}, "chart/Chart.yaml: invalid YAML"),
        ({"chart/Chart.yaml": "name: a", "values.yaml": "a: ["}, "values.yaml: invalid YAML"),
        ({"chart/Chart.yaml": "name: a\ndependencies: [x]", "chart/Chart.lock": ""}, None),
    ],
)
def test_lint_reports_invalid_charts_and_values_files(warnings, files, message):
    text = '[[release]]\nname = "a"\nchart = "chart"\nvalues = ["values.yaml"]\n' + MINIMAL

    found = warnings({"seatrial.toml": text, "values.yaml": "", **files})

    assert [line.startswith(message) for line in found] == ([True] if message else [])


SYNC = '[runner]\nimage = "tests"\nsync = ["api/tests", "app", "nowhere"]\n'


def test_lint_checks_sync_paths_against_the_context_of_the_runner_image(warnings):
    text = SYNC + '[[image]]\nname = "tests"\ncontext = "api"\n'
    files = {"seatrial.toml": text, "api/Dockerfile": "", "api/tests/x": "", "api/app/x": "", "nowhere/x": ""}

    assert warnings(files) == [
        (
            "seatrial.toml:3: runner.sync[0]: api/tests does not exist in the build context api; write"
            ' "tests": paths are relative to the build context'
        ),
        (
            "seatrial.toml:3: runner.sync[2]: nowhere does not exist in the build context api; correct the"
            " path or remove it"
        ),
    ]
    text = text.replace("api/tests", "tests").replace(', "nowhere"', "")
    assert warnings({"seatrial.toml": text}) == []


def test_lint_accepts_default_sync_paths_that_do_not_exist(warnings):
    text = '[runner]\nimage = "tests"\n[[image]]\nname = "tests"\n'

    assert warnings({"seatrial.toml": text, "Dockerfile": ""}) == []


def test_lint_checks_sync_paths_of_an_image_of_others_against_the_project(warnings):
    text = SYNC.replace('"tests"', '"x/t:1"', 1)

    assert warnings({"seatrial.toml": text, "api/tests/x": "", "app/x": ""}) == [
        "seatrial.toml:3: runner.sync[2]: nowhere does not exist in the project; correct the path or remove it"
    ]


def test_patterns_of_collected_files_must_be_in_synced_folders_and_mean_data(warnings):
    patterns = [
        "tests/**/__snapshots__/**", "./src/*.json", "**/cassettes/**", "docs/*.md", "tests/**/*.py",
        "tests/conftest.py",
    ]  # fmt: skip
    text = f'[runner]\nimage = "x/t:1"\ncollect-into-tree = {patterns}\n'
    code = "lets a pod write code that Python or pytest runs on this machine"
    hint = "name data files only, such as tests/**/__snapshots__/**"

    assert warnings({"seatrial.toml": text}) == [
        (
            "seatrial.toml:3: runner.collect-into-tree[3]: docs/*.md is in no folder of sync: only changes there are"
            " collected; begin it with one of: tests, src, packages"
        ),
        f"seatrial.toml:3: runner.collect-into-tree[4]: tests/**/*.py {code}; {hint}",
        f"seatrial.toml:3: runner.collect-into-tree[5]: tests/conftest.py {code}; {hint}",
    ]


def test_lint_warns_of_a_command_that_does_not_start_pytest(warnings):
    text = '[runner]\nimage = "x/t:1"\nnamespace = "kube-public"\ncommand = {}\n'

    assert warnings({"seatrial.toml": text.format('["uv run pytest"]')}) == [
        (
            "seatrial.toml:4: runner.command: 'uv run pytest' is one word: no shell splits it; write"
            ' ["uv", "run", "pytest"]'
        ),
        "seatrial.toml:3: runner.namespace: kube-public belongs to Kubernetes; use a namespace of your own",
    ]
    assert warnings({"seatrial.toml": text.format('["make", "test"]')})[0] == (
        "seatrial.toml:4: runner.command: does not contain pytest: results are collected only if the command starts it;"
        " ignore this if a script of the command starts pytest"
    )


def test_lint_warns_of_an_open_port_as_readiness_check(warnings):
    text = MINIMAL + "[service.db]\nport = 5432\nready = { tcp = true }\n[service.api]\nport = 80\n"

    assert warnings({"seatrial.toml": text}) == [
        (
            "seatrial.toml:5: service.db.ready: an open port does not prove that the service works; check an answer:"
            " http, sql, bucket or command"
        )
    ]


def test_lint_warns_of_a_timeout_longer_than_that_of_the_run(warnings):
    assert warnings({"seatrial.toml": MINIMAL + "[timeouts]\nrun = 1000\ntest = 1100\n"}) == [
        (
            "seatrial.toml:4: timeouts.run: build (1200 s) is longer than the whole run (1000 s); increase run, or"
            " decrease build"
        ),
        (
            "seatrial.toml:5: timeouts.test: test (1100 s) is longer than the whole run (1000 s); increase run, or"
            " decrease test"
        ),
    ]


def test_lint_warns_of_variables_without_a_value_in_compose(warnings):
    text = MINIMAL + 'env-from = { A = "secret/a/a", B = "secret/b/b", PLACE = "namespace" }\n'
    compose = '[compose]\nfile = "compose.yaml"\nenv = { A = "1" }\n'

    assert warnings({"seatrial.toml": text + compose, "compose.yaml": ""}) == [
        (
            "seatrial.toml:4: compose: B of runner.env-from has no value in Compose, so the tests cannot run there;"
            ' add B = "…" to [compose.env]'
        )
    ]
