from __future__ import annotations

import re
from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.problem import ConfigurationError
from seatrial.config.source import DEFAULT, Origin, Source
from seatrial.model.errors import ExitCode, UsageError

MINIMAL = """\
[runner]
image = "example.org/tests:1"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with all the files that FULL names, as the working directory."""
    for name in ("kind.yaml", "Dockerfile", "values.yaml", "pull.json", "compose.yaml", "token", "extra/one.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "charts/app").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FULL = Path(__file__).with_name("full.toml").read_text().partition("\n")[2]


def refused(text: str, *, settings=(), environ=None) -> list[str]:
    """Return the lines about what is wrong with a configuration."""
    Path("seatrial.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(settings=[(setting, "--set") for setting in settings], environ=environ or {})
    assert caught.value.exit_code is ExitCode.USAGE
    return [str(problem) for problem in caught.value.problems]


def test_load_makes_paths_absolute_in_any_working_directory(project, monkeypatch):
    (project / "seatrial.toml").write_text(FULL)
    monkeypatch.chdir(project / "charts/app")

    loaded = load(environ={})

    assert loaded.file == project / "seatrial.toml"
    assert loaded.project.root == project
    assert loaded.project.cluster.config == project / "kind.yaml"
    assert loaded.project.image[0].context == project
    assert loaded.project.image[0].secrets == (f"id=token,src={project}/token", "id=other,env=OTHER")
    assert loaded.project.release[0].chart == str(project / "charts/app")
    assert loaded.project.release[0].values == (project / "values.yaml",)
    assert loaded.project.release[0].manifests == (project / "extra",)
    assert loaded.project.release[0].pull_secrets == (f"company={project}/pull.json",)
    assert loaded.project.release[1].chart == "oci://example.org/charts/postgresql"
    assert loaded.project.compose is not None
    assert loaded.project.compose.file == project / "compose.yaml"
    assert loaded.project.timeouts.ready == 60


@pytest.fixture
def elsewhere(project, monkeypatch):
    """The project through a link from another folder, which is the working directory."""
    (project / "seatrial.toml").write_text(FULL)
    there = project.parent / f"{project.name}-elsewhere"
    there.mkdir()
    (there / "link").symlink_to(project)
    (there / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(there)
    return there


@pytest.mark.parametrize(
    "at", ["link", "link/", "link/charts", "link/charts/..", "link/seatrial.toml", "deep/../link", "./link/."]
)
def test_load_gives_a_project_the_same_path_through_links_and_dots(project, elsewhere, at):
    loaded = load(at, environ={})

    assert loaded.project.root == project
    assert loaded.file == project / "seatrial.toml"
    assert loaded.project.image[0].context == project
    assert loaded.project.release[0].chart == str(project / "charts/app")


@pytest.mark.parametrize("at", ["..", "../..", "../../", "./.."])
def test_load_finds_a_project_above_the_working_directory_by_dots(project, monkeypatch, at):
    (project / "seatrial.toml").write_text(FULL)
    monkeypatch.chdir(project / "charts" / "app")
    expected = load(environ={})

    assert load(at, environ={}).project == expected.project
    assert expected.project.root == project


def test_load_takes_the_folder_of_a_linked_file_as_the_project(project, elsewhere):
    (project / "seatrial.toml").rename(project / "shared.toml")
    for name in ("kind.yaml", "Dockerfile", "values.yaml", "pull.json", "compose.yaml", "token"):
        (elsewhere / name).write_text("")
    (elsewhere / "extra").mkdir()
    (elsewhere / "charts" / "app").mkdir(parents=True)
    (elsewhere / "seatrial.toml").symlink_to(project / "shared.toml")

    assert load(environ={}).project.root == elsewhere
    assert load("seatrial.toml", environ={}).project == load(environ={}).project


def test_load_resolves_links_and_dots_in_paths_except_a_link_at_the_end(project):
    (project / "real").mkdir()
    (project / "real" / "values.yaml").write_text("")
    (project / "real" / "Dockerfile").write_text("")
    (project / "linked").symlink_to("real")
    (project / "real" / "current.yaml").symlink_to("values.yaml")
    text = '[[image]]\nname = "a"\ncontext = "linked"\n[[image]]\nname = "b"\ncontext = "linked/.."\n'
    text += '[[release]]\nname = "r"\nchart = "linked/../charts/app"\nvalues = ["linked/current.yaml"]\n'
    (project / "seatrial.toml").write_text(text + MINIMAL)
    loaded = load(environ={}).project

    assert [image.context for image in loaded.image] == [project / "real", project]
    assert loaded.release[0].chart == str(project / "charts" / "app")
    assert loaded.release[0].values == (project / "real" / "current.yaml",), "a link at the end keeps its name"


def test_load_reports_a_path_in_the_home_of_an_unknown_user_as_missing(project):
    (message, *_) = refused(FULL.replace('"values.yaml"', '"~no-such-user/values.yaml"'))

    assert "does not exist" in message


def test_load_records_the_source_of_each_value(project):
    Path("seatrial.toml").write_text(FULL)

    loaded = load(settings=[("runner.namespace=other", "--namespace")], environ={"SEATRIAL_TIMEOUTS_TEST": "5"})

    assert loaded.sources["cluster", "name"] == Source(Origin.FILE, "seatrial.toml:2")
    assert loaded.sources["release", 0, "values", 0] == Source(Origin.FILE, "seatrial.toml:14")
    assert loaded.sources["timeouts", "test"] == Source(Origin.ENVIRONMENT, "SEATRIAL_TIMEOUTS_TEST")
    assert loaded.sources["runner", "namespace"] == Source(Origin.COMMAND_LINE, "--namespace")
    assert ("timeouts", "run") not in loaded.sources
    assert str(DEFAULT) == "default"
    assert loaded.project.timeouts.test == 5
    assert loaded.project.runner.namespace == "other"
    assert loaded.where(("runner", "rules")) == "seatrial.toml:32"


def test_load_reads_tool_seatrial_of_pyproject(project):
    Path("pyproject.toml").write_text('[project]\nname = "x"\n[tool.seatrial.runner]\nimage = "example.org/tests:1"\n')

    loaded = load(environ={})

    assert loaded.project.runner.image == "example.org/tests:1"
    assert loaded.sources["runner", "image"].where == "pyproject.toml:4"


def test_load_reports_problems_in_pyproject_with_its_lines(project):
    Path("pyproject.toml").write_text('[tool.seatrial]\nrunner.image = "example.org/tests:1"\nrunner.imag = 1\n')
    with pytest.raises(ConfigurationError) as caught:
        load(environ={})

    assert str(caught.value.problems[0]) == "pyproject.toml:3: runner.imag: unknown key; did you mean 'image'?"


def test_load_ignores_an_invalid_pyproject_without_tool_seatrial(project, monkeypatch):
    Path("seatrial.toml").write_text(MINIMAL)
    (project / "inner").mkdir()
    (project / "inner/pyproject.toml").write_text("not TOML")
    monkeypatch.chdir("inner")

    assert load(environ={}).file == project / "seatrial.toml"


def test_load_refuses_two_configurations_in_one_directory(project):
    Path("seatrial.toml").write_text(MINIMAL)
    Path("pyproject.toml").write_text('[tool.seatrial.runner]\nimage = "a:1"\n')
    with pytest.raises(ConfigurationError, match="1 problem") as caught:
        load(environ={})

    assert "keep one of them" in str(caught.value.problems[0])


def test_load_without_a_configuration_hints_at_init(project):
    with pytest.raises(UsageError, match=r"no seatrial.toml in .* or above") as caught:
        load(environ={})

    assert caught.value.hint.startswith("run seatrial init")


def test_load_accepts_a_file_or_a_directory(project, tmp_path):
    (project / "other.toml").write_text(MINIMAL)
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n")

    assert load("other.toml", environ={}).project.root == project
    with pytest.raises(UsageError, match=r"no table \[tool.seatrial\]"):
        load("pyproject.toml", environ={})
    with pytest.raises(UsageError, match="does not exist"):
        load("nowhere", environ={})


def test_load_reports_invalid_toml_with_its_line(project):
    assert refused("[runner]\nimage = \n") == ["seatrial.toml:2: invalid TOML: invalid value"]


def test_load_refuses_a_file_that_is_not_utf_8(project):
    Path("seatrial.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        load(environ={})


def test_load_reports_all_problems_of_shape_together(project):
    assert refused("""\
versoin = 1
[cluster]
provider = "kin"
nmae = "x"
[[image]]
context = 3
[release]
name = "x"
[service.polo]
port = "8181"
[service.high]
port = 65536
[service.flat]
ready = true
port = true
[runner]
command = "pytest"
env = ["A=1"]
artifacts = [1]
[timeouts]
test = 2026-01-01
""") == [
        "seatrial.toml:1: versoin: unknown key; did you mean 'version'?",
        'seatrial.toml:3: cluster.provider: is "kin", should be one of "kind", "existing"; did you mean \'kind\'?',
        "seatrial.toml:4: cluster.nmae: unknown key; did you mean 'name'?",
        (
            "seatrial.toml:5: image[0].name: is missing (repository name without a tag; the tag is a digest of all"
            ' inputs); add name = "…"'
        ),
        "seatrial.toml:6: image[0].context: is 3, should be a path",
        "seatrial.toml:7: release: is a table, should be a list; write [[release]]",
        (
            'seatrial.toml:10: service.polo.port: is "8181", should be a whole number from 1 to 65535; write 8181'
            " without quotes"
        ),
        "seatrial.toml:12: service.high.port: is 65536, should be a whole number from 1 to 65535",
        "seatrial.toml:14: service.flat.ready: is true, should be a table; write { key = … }",
        "seatrial.toml:15: service.flat.port: is true, should be a whole number from 1 to 65535",
        'seatrial.toml:16: runner.image: is missing (name of an [[image]], or any image reference); add image = "…"',
        'seatrial.toml:17: runner.command: is "pytest", should be a list; write [ … ]',
        "seatrial.toml:18: runner.env: is a list, should be a table of names and values; write { name = … }",
        "seatrial.toml:19: runner.artifacts[0]: is 1, should be a string",
        "seatrial.toml:21: timeouts.test: is a date or time (2026-01-01), should be a number",
    ]


def test_load_names_a_missing_table(project):
    assert refused("") == ["seatrial.toml: runner: is missing; add [runner]"]


def test_load_refuses_a_list_in_place_of_tables(project):
    assert refused('image = ["a"]\nservice = 1\n' + MINIMAL) == [
        'seatrial.toml:1: image[0]: is "a", should be a table; write [[image]]',
        "seatrial.toml:2: service: is 1, should be a table of names and values; write { name = … }",
    ]


def test_load_refuses_a_newer_schema_version(project):
    assert refused("version = 2\nwhatever = 1\n") == [
        "seatrial.toml:1: version: the file has schema version 2, this seatrial supports 1; install a newer seatrial"
    ]


def test_load_reports_missing_files_and_suggests_similar_names(project):
    text = FULL.replace('"values.yaml"', '"valeus.yaml"').replace('"charts/app"', '"chart/app"')
    text = text.replace('context = "."\n', "").replace('"kind.yaml"', '"extra"')

    assert refused(text) == [
        "seatrial.toml:3: cluster.config: extra is a folder, should be a file",
        "seatrial.toml:12: release[0].chart: chart/app does not exist; create it or correct the path",
        "seatrial.toml:14: release[0].values[0]: valeus.yaml does not exist; did you mean 'values.yaml'?",
    ]


def test_load_reports_an_image_without_context_or_dockerfile(project):
    (project / "Dockerfile").unlink()
    text = '[[image]]\nname = "a"\n[[image]]\nname = "b"\ncontext = "nowhere"\n[[image]]\nname = "c"\ndockerfile="D"\n'

    assert refused(text + MINIMAL) == [
        "seatrial.toml:1: image[0].context: Dockerfile does not exist; create it or correct the path",
        "seatrial.toml:5: image[1].context: nowhere does not exist; create it or correct the path",
        "seatrial.toml:8: image[2].dockerfile: D does not exist; create it or correct the path",
    ]


OTHERS = 'project = "a-1"\n[cluster]\nprovider = "existing"\ncontext = "theirs"\nregistry = "r.example.com/team"\n'


def test_isolated_namespaces_in_an_existing_cluster_have_to_be_allowed(project):
    assert refused(OTHERS + MINIMAL + "isolated-namespaces = true\n") == [
        (
            "seatrial.toml:8: runner.isolated-namespaces: needs cluster-wide roles and policies: with provider ="
            ' "existing" they have to be allowed; add allow-isolated-namespaces = true to [cluster], or remove'
            " isolated-namespaces"
        ),
    ]
    allowed = OTHERS + "allow-isolated-namespaces = true\n" + MINIMAL + "isolated-namespaces = true\n"
    (project / "seatrial.toml").write_text(allowed)
    assert load(environ={}).project.cluster.allow_isolated_namespaces
    assert refused("[cluster]\nallow-isolated-namespaces = true\n" + MINIMAL) == [
        (
            'seatrial.toml:2: cluster.allow-isolated-namespaces: requires provider = "existing"; remove it, or set'
            ' provider = "existing"'
        ),
    ]


def test_namespaces_of_the_project_must_not_have_the_prefix_of_isolated_namespaces(project):
    text = '[[release]]\nname = "a"\nchart = "charts/app"\nnamespace = "test-data"\n' + MINIMAL
    assert refused(text + 'namespace = "test-a"\nisolated-namespaces = true\n') == [
        (
            "seatrial.toml:4: release[0].namespace: 'test-data' begins with test-: with isolated-namespaces the tests"
            " could delete it; choose another name"
        ),
        (
            "seatrial.toml:7: runner.namespace: 'test-a' begins with test-: with isolated-namespaces the tests could"
            " delete it; choose another name"
        ),
    ]
    (project / "seatrial.toml").write_text(text + 'namespace = "test-a"\n')
    assert load(environ={}).project.runner.namespace == "test-a"


def test_existing_cluster_needs_a_context_and_excludes_keys_of_kind(project):
    assert refused('project = "a-1"\n[cluster]\nprovider = "existing"\nimage = "x:1"\n' + MINIMAL) == [
        (
            'seatrial.toml:2: cluster.context: is missing: with provider = "existing", seatrial uses only the context'
            ' that is named here; add context = "…"; list them: kubectl config get-contexts -o name'
        ),
        'seatrial.toml:4: cluster.image: requires provider = "kind"; remove it',
    ]
    assert refused('[cluster]\ncontext = "production"\n' + MINIMAL) == [
        'seatrial.toml:2: cluster.context: requires provider = "existing"; remove it, or set provider = "existing"'
    ]


def test_existing_cluster_without_project_id_is_refused_with_the_line_to_paste(project):
    cluster = '[cluster]\nprovider = "existing"\ncontext = "theirs"\nregistry = "r.example.com/team"\n'
    (line,) = refused(cluster + MINIMAL)

    said = re.fullmatch(
        r"seatrial\.toml: project: is missing: .* the ids of projects tell their objects in the cluster apart;"
        r' add (project = "[-a-z0-9]+-[0-9a-f]{8}") above the first table, and commit it',
        line,
    )
    assert said
    (project / "seatrial.toml").write_text(f"{said[1]}\n{cluster}{MINIMAL}")
    assert load(environ={}).project.identity == said[1].split('"')[1]
    (other,) = refused(cluster + MINIMAL)
    assert said[1] not in other, "two projects never get the same suggestion"


@pytest.mark.parametrize("value", ['"Shop_1"', '""', '"-a"', f'"{"x" * 64}"', "7"])
def test_project_id_that_is_not_a_label_is_refused(project, value):
    (line,) = refused(f"project = {value}\n" + MINIMAL)

    assert line.startswith("seatrial.toml:1: project: ")


def test_projects_in_directories_of_the_same_name_have_different_ids(project):
    found = []
    for parent in ("one", "two"):
        root = project / parent / "app"
        root.mkdir(parents=True)
        (root / "seatrial.toml").write_text(MINIMAL)
        found.append(load(str(root), environ={}).project.identity)

    assert found[0] != found[1]
    assert {each.rpartition("-")[0] for each in found} == {"app"}


def test_checkouts_of_one_file_share_the_configured_id(project):
    found = set()
    for parent in ("builds/1/app", "builds/2/other"):
        root = project / parent
        root.mkdir(parents=True)
        (root / "seatrial.toml").write_text('project = "shop-3f2a9c1b"\n' + MINIMAL)
        found.add(load(str(root), environ={}).project.identity)

    assert found == {"shop-3f2a9c1b"}


def test_names_and_references_between_tables_are_checked(project):
    text = """\
[cluster]
name = "Demo_1"
[[image]]
name = "tests"
[[image]]
name = "tests"
[[image]]
name = "Other:1"
secrets = ["id=x"]
[[release]]
name = "A"
chart = "charts/app"
images = { api = "test" }
pull-secrets = ["x"]
[[release]]
name = "same"
chart = "charts/app"
namespace = "-"
[[release]]
name = "same"
chart = "charts/app"
[[release]]
name = "same"
chart = "charts/app"
[service.a_b]
port = 1
ready = { }
[service.c]
port = 1
name = "C"
namespace = "N"
ready = { http = "health", tcp = true }
[runner]
image = "test"
command = []
namespace = "x."
sync = ["/etc", "../x", "ok"]
report-options = ["-x", "--html", "--mine=a"]
env = { A = "1" }
env-from = { A = "secret/x", "B-" = "secret/x/y" }
"""
    label = (
        "is not a DNS label: Kubernetes takes at most 63 characters of a-z, 0-9 and '-', and no '-' at the beginning"
        " or end; use a name such as 'my-tests'"
    )
    assert refused(text) == [
        f"seatrial.toml:2: cluster.name: 'Demo_1' {label}",
        "seatrial.toml:6: image[1].name: 'tests' is the name of image[0], too; rename one of them",
        "seatrial.toml:8: image[2].name: 'Other:1' is not a repository name without a tag; write \"other\"",
        "seatrial.toml:9: image[2].secrets[0]: 'id=x' is not id=NAME,src=FILE or id=NAME,env=VAR",
        (
            "seatrial.toml:11: release[0].name: 'A' is not a release name of Helm; use at most 53 characters of a-z,"
            " 0-9 and '-'"
        ),
        "seatrial.toml:13: release[0].images.api: 'test' is not an [[image]] of this project; did you mean 'tests'?",
        "seatrial.toml:14: release[0].pull-secrets[0]: 'x' is not NAME=FILE",
        f"seatrial.toml:18: release[1].namespace: '-' {label}",
        "seatrial.toml:23: release[3].name: namespace 'default' has two releases 'same'; rename one of them",
        f"seatrial.toml:25: service.a_b: 'a_b' {label}",
        (
            "seatrial.toml:27: service.a_b.ready: has nothing, should have exactly one of http, sql, bucket, tcp,"
            ' command; for example { http = "/health" }'
        ),
        f"seatrial.toml:30: service.c.name: 'C' {label}",
        f"seatrial.toml:31: service.c.namespace: 'N' {label}",
        (
            "seatrial.toml:32: service.c.ready: has http and tcp, should have exactly one of http, sql, bucket, tcp,"
            ' command; for example { http = "/health" }'
        ),
        "seatrial.toml:32: service.c.ready.http: 'health' is not a path; write \"/health\"",
        (
            "seatrial.toml:34: runner.image: 'test' is neither an [[image]] nor a reference with a tag; did you mean"
            " 'tests'?"
        ),
        'seatrial.toml:35: runner.command: is empty; for example ["pytest"]',
        f"seatrial.toml:36: runner.namespace: 'x.' {label}",
        (
            "seatrial.toml:37: runner.sync[0]: '/etc' is not below the build context of the runner's image; write it"
            " relative to the build context"
        ),
        (
            "seatrial.toml:37: runner.sync[1]: '../x' is not below the build context of the runner's image; write it"
            " relative to the build context"
        ),
        (
            "seatrial.toml:38: runner.report-options[0]: '-x' is not a long option without a value; for example"
            ' "--my-report"'
        ),
        (
            "seatrial.toml:38: runner.report-options[2]: '--mine=a' is not a long option without a value; for example"
            ' "--my-report"'
        ),
        "seatrial.toml:40: runner.env-from.A: 'secret/x' is not secret/NAME/KEY, configmap/NAME/KEY or namespace",
        "seatrial.toml:40: runner.env-from.B-: 'B-' is not the name of a variable",
        "seatrial.toml:40: runner.env-from.A: is in runner.env, too; remove one of them",
    ]


def test_set_addresses_array_elements_by_name_or_number(project):
    Path("seatrial.toml").write_text(FULL)
    Path("other.yaml").write_text("")
    settings = [
        "release.app.namespace=pr-42",
        "release.1.version=2.0",
        "service.api.port=8080",
        "service.api.ready.status=[200, 401]",
        "runner.command=pytest -k 's3 and not slow'",
        "cluster.config=other.yaml",
        "timeouts.run=1.5",
    ]

    loaded = load(settings=[(setting, "--set") for setting in settings], environ={}).project

    assert loaded.release[0].namespace == "pr-42"
    assert loaded.release[1].version == "2.0"
    assert loaded.service["api"].port == 8080
    assert loaded.service["api"].ready is not None
    assert loaded.service["api"].ready.status == (200, 401)
    assert loaded.runner.command == ("pytest", "-k", "s3 and not slow")
    assert loaded.cluster.config == project / "other.yaml"
    assert loaded.timeouts.run == 1.5


def test_paths_of_the_command_line_are_relative_to_the_working_directory(project, monkeypatch):
    (project / "seatrial.toml").write_text(FULL)
    (project / "charts/local.yaml").write_text("")
    monkeypatch.chdir("charts")

    loaded = load(settings=[("cluster.config=local.yaml", "--set")], environ={"SEATRIAL_COMPOSE_FILE": "kind.yaml"})

    assert loaded.project.cluster.config == project / "charts/local.yaml"
    assert loaded.project.compose is not None
    assert loaded.project.compose.file == project / "kind.yaml"


def test_seatrial_set_overrides_values_of_images_and_releases(project):
    Path("seatrial.toml").write_text(FULL)
    environ = {"SEATRIAL_SET": 'image.tests.args={ PYTHON = "3.14" }\n\nrelease.app.set={ "a.b" = "1" }\n'}

    loaded = load(environ=environ)

    assert loaded.project.image[0].args == {"PYTHON": "3.14"}
    assert loaded.project.release[0].set == {"a.b": "1"}
    assert loaded.sources["image", 0, "args"] == Source(Origin.ENVIRONMENT, "SEATRIAL_SET")


def test_invalid_overrides_are_reported_with_their_option_or_variable(project):
    settings = [
        "cluster.nmae=x",
        "release.apo.namespace=x",
        "release.7.namespace=x",
        "service.api.port=eighty",
        "justakey",
        "release=x",
        "runner.image.deeper=x",
    ]
    environ = {"SEATRIAL_CLUSTER_NMAE": "x", "SEATRIAL_LOCATION": "pod", "SEATRIAL_TIMEOUTS_RUN": "soon"}

    assert refused(FULL, settings=settings, environ=environ) == [
        "--set: 'justakey' is not KEY=VALUE; for example cluster.name=mine",
        "--set: cluster.nmae: unknown key; did you mean 'name'?",
        "--set: release: has no element 'apo'; did you mean 'app'?",
        "--set: release: has no element '7'; known: app, database",
        "--set: service.api.port: 'eighty' should be a whole number from 1 to 65535; write the value as in TOML",
        "--set: release: is a list, which one setting cannot replace; set its values one by one",
        "--set: runner.image.deeper: unknown key",
        "SEATRIAL_CLUSTER_NMAE: is not a variable of any key; did you mean 'SEATRIAL_CLUSTER_NAME'?",
        "SEATRIAL_TIMEOUTS_RUN: timeouts.run: 'soon' should be a number; write the value as in TOML",
    ]


def test_set_reports_a_table_of_the_wrong_shape_in_the_file(project):
    lines = refused("cluster = 3\n" + MINIMAL, settings=["cluster.name=x"])

    assert lines == [
        "--set: cluster.name: cluster is not a table in the file",
        "seatrial.toml:1: cluster: is 3, should be a table; write [cluster]",
    ]
