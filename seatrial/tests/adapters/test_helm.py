"""Helm: arguments and versions."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp

import pytest
from msgspec.structs import replace as changed
from seatrial.adapters.helm import HelmCharts
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, UsageError
from seatrial.model.spec import ReleaseSpec

KUBECONFIG = Path(mkdtemp()) / "kubeconfig"
RELEASE = ReleaseSpec(name="shop", chart="chart", namespace="ns", values=(Path("/v.yaml"),), set={"a": "1,2"})


def charts(answers, cwd=Path("/p")):
    processes = FakeProcesses(answers)
    return HelmCharts(processes, kubeconfig=KUBECONFIG, context="kind-it", cwd=cwd), processes


def soon():
    return Deadline.after(60)


@pytest.mark.parametrize("version", ["v3.18.0", "v3.19.2+g1", "v4.3.1"])
def test_supported_versions_are_accepted(version):
    assert charts({"helm version": Answer(stdout=version + "\n")})[0].version() == version


@pytest.mark.parametrize("version", ["v3.17.4", "v2.17.0"])
def test_old_versions_are_refused(version):
    with pytest.raises(UsageError):
        charts({"helm version": Answer(stdout=version)})[0].version()


def test_missing_helm_is_a_usage_error():
    with pytest.raises(UsageError) as caught:
        charts({})[0].version()
    assert caught.value.message == "helm is not on PATH"


class Reading(FakeProcesses):
    """Reads the files that arguments name, while they are there."""

    def run(self, argv, **more):
        self.values = {}
        for flag, word in pairwise(argv):
            if flag == "--set-file":
                key, _, path = word.partition("=")
                assert Path(path).parent.stat().st_mode & 0o777 == 0o700
                self.values[key] = Path(path).read_text()
        return super().run(argv, **more)


def test_render_passes_text_values_in_files():
    processes = Reading({"helm template": Answer(stdout="kind: Pod\n---\n# nothing\n---\nkind: Job\n")})
    it = HelmCharts(processes, kubeconfig=KUBECONFIG, context="kind-it", cwd=Path("/p"))
    sets = {"image.tag": "abc", "password": "pl@nted,{secret}\n"}

    assert it.render(RELEASE, sets, deadline=soon()) == [{"kind": "Pod"}, {"kind": "Job"}]
    (argv,) = processes.ran
    assert argv[:6] == ("helm", "template", "shop", "chart", "--values", "/v.yaml")
    assert argv[-2:] == ("--namespace", "ns")
    assert processes.values == {"a": "1,2", **sets}
    assert not [word for word in argv if "secret" in word]
    files = [Path(word.partition("=")[2]) for flag, word in pairwise(argv) if flag == "--set-file"]
    assert not any(file.exists() for file in files)


def test_render_keeps_the_type_of_values():
    it, processes = charts({"helm template": Answer(stdout="")})
    release = changed(RELEASE, values=(), set={"on": False, "replicas": 2, "text": "false"})
    it.render(release, {}, deadline=soon())

    assert processes.ran[0][4:-3] == ("--set-json", "on=false", "--set-json", "replicas=2", "--set-file")
    assert processes.ran[0][-3].startswith("text=")


def test_install_names_the_cluster_and_waits_for_hooks_only(tmp_path):
    it, processes = charts({"helm upgrade": Answer(), "helm version": Answer(stdout="v4.3.1")})
    remote = ReleaseSpec(name="x", chart="redis", repository="https://charts.example.com", version="1.2.3")
    it.install(remote, {}, labels={"a/b": "c", "d": "e"}, deadline=soon(), log=tmp_path / "log")

    *_, argv = processes.ran
    assert argv[:8] == (
        *("helm", "upgrade", "x", "redis", "--repo", "https://charts.example.com"),
        *("--version", "1.2.3"),
    )
    assert "--wait" not in argv
    assert "--reset-values" in argv, "else Helm would keep values that were taken away"
    assert argv[argv.index("--labels") + 1] == "a/b=c,d=e"
    assert argv[-4:] == ("--kubeconfig", str(KUBECONFIG), "--kube-context", "kind-it")


@pytest.mark.parametrize(
    ("chart", "plain"),
    [
        ("oci://localhost:5000/charts/x", True),
        ("oci://127.0.0.1/x", True),
        ("oci://[::1]:5000/x", True),
        ("oci://localhost.example.com/x", False),
        ("oci://registry.example.com/localhost/x", False),
        ("localhost/x", False),
    ],
)
def test_loopback_registry_is_used_without_tls(chart, plain, tmp_path):
    it, processes = charts({"helm": Answer(stdout=""), "helm version": Answer(stdout="v4.3.1")})
    release = ReleaseSpec(name="x", chart=chart, version="1.0.0")
    it.render(release, {}, deadline=soon())
    it.install(release, {}, labels={}, deadline=soon(), log=tmp_path / "log")

    asked = [argv for argv in processes.ran if argv[1] != "version"]
    assert ["--plain-http" in argv for argv in asked] == [plain, plain]


def test_recover_rolls_back_or_uninstalls():
    it, processes = charts({"helm": Answer(), "helm version": Answer(stdout="v3.19.2")})
    it.recover(RELEASE, revision=3, deadline=soon())
    it.recover(RELEASE, revision=None, deadline=soon())

    assert processes.ran[1][:4] == ("helm", "rollback", "shop", "3")
    assert processes.ran[2][:4] == ("helm", "uninstall", "shop", "--ignore-not-found")


@pytest.mark.parametrize(
    ("files", "asks"),
    [
        ({"Chart.yaml": "name: x"}, None),
        ({"Chart.yaml": "dependencies: [{name: db, version: 1.0.0}]"}, "update"),
        ({"Chart.yaml": "dependencies: [{name: db, version: 1.0.0}]", "charts/db-1.0.0.tgz": ""}, None),
        ({"Chart.yaml": "dependencies: [{name: db, version: 1.0.0}]", "charts/db/Chart.yaml": ""}, None),
        (
            {
                "Chart.yaml": "dependencies: [{name: db, version: ^1}]",
                "Chart.lock": "dependencies: [{name: db, version: 1.2.0}]",
                "charts/db-1.1.0.tgz": "",
            },
            "build",
        ),
        ({}, None),
        (
            {
                "Chart.yaml": "dependencies: [{name: db, version: 1.0.0, repository: file://../db}]",
                "charts/db-1.0.0.tgz": "",
            },
            "update",
        ),
        (
            {
                "Chart.yaml": "dependencies: [{name: db, version: ^1, repository: file://../db}]",
                "Chart.lock": "dependencies: [{name: db, version: 1.0.0, repository: file://../db}]",
                "charts/db-1.0.0.tgz": "",
            },
            "build",
        ),
    ],
)
def test_missing_dependencies_are_downloaded(tmp_path, files, asks):
    for name, text in files.items():
        path = tmp_path / "chart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    it, processes = charts({"helm dependency": Answer()}, cwd=tmp_path)
    it.prepare(RELEASE, deadline=soon())

    assert [words[2] for words in processes.ran] == ([asks] if asks else [])


ELSEWHERE = {
    "HELM_KUBEAPISERVER": "https://evil:6443",
    "HELM_KUBETOKEN": "t",
    "HELM_KUBECONTEXT": "production",
    "HELM_KUBECAFILE": "/ca",
    "HELM_KUBEASUSER": "admin",
    "HELM_KUBEASGROUPS": "system:masters",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true",
    "HELM_KUBETLS_SERVER_NAME": "evil",
    "HELM_NAMESPACE": "prod",
    "HELM_DRIVER": "sql",
    "HELM_DRIVER_SQL_CONNECTION_STRING": "postgres://evil",
}


def test_helm_variables_of_the_user_are_unset(monkeypatch, tmp_path):
    for name, value in {**ELSEWHERE, "HELM_CACHE_HOME": "/cache"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("dependencies: [{name: a, version: 1.0.0}]")
    given = []

    class Recording(FakeProcesses):
        def run(self, argv, *, env=None, **more):
            given.append((argv[1], env))
            return super().run(argv, **more)

    it = HelmCharts(
        Recording({"helm version": Answer(stdout="v4.3.1"), "helm": Answer()}),
        kubeconfig=KUBECONFIG,
        context="kind-it",
        cwd=tmp_path,
    )
    it.version()
    it.prepare(RELEASE, deadline=soon())
    it.render(RELEASE, {}, deadline=soon())
    it.install(RELEASE, {}, labels={}, deadline=soon(), log=tmp_path / "log")
    it.recover(RELEASE, revision=None, deadline=soon())
    it.recover(RELEASE, revision=1, deadline=soon())

    assert [word for word, _ in given] == ["version", "dependency", "template", "upgrade", "uninstall", "rollback"]
    assert all(env == dict.fromkeys(ELSEWHERE, "") for _, env in given)


def test_dependencies_are_packaged_once_per_command(tmp_path):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text(
        "dependencies: [{name: db, version: 1.0.0, repository: file://../db}]"
    )
    it, processes = charts({"helm dependency": Answer()}, cwd=tmp_path)
    for _ in range(2):
        it.prepare(RELEASE, deadline=soon())

    assert len(processes.ran) == 1


@pytest.mark.parametrize("text", [b"dependencies: [", b"name: caf\xe9\n"])
def test_invalid_chart_yaml_is_a_usage_error(tmp_path, text):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_bytes(text)

    with pytest.raises(UsageError, match=r"chart/Chart\.yaml"):
        charts({}, cwd=tmp_path)[0].prepare(RELEASE, deadline=soon())


FORCE = ("--server-side=true", "--force-conflicts")


@pytest.mark.parametrize(
    ("version", "forced"), [("v3.18.0", False), ("v3.19.2", False), ("v4.0.0", True), ("v4.3.1", True)]
)
def test_helm_4_overwrites_fields_of_other_managers(tmp_path, version, forced):
    it, processes = charts({"helm": Answer(), "helm version": Answer(stdout=version)})
    it.install(RELEASE, {}, labels={"a": "b"}, deadline=soon(), log=tmp_path / "log")
    it.recover(RELEASE, revision=3, deadline=soon())
    upgrade, rollback = (words for words in processes.ran if words[1] in ("upgrade", "rollback"))

    assert (set(FORCE) <= set(upgrade)) is forced
    assert (set(FORCE) <= set(rollback)) is forced
    assert len([words for words in processes.ran if words[1] == "version"]) == 1


class Ending(FakeProcesses):
    """Records what is ended."""

    def __init__(self, answers):
        super().__init__(answers)
        self.ended = []

    def end_orphans(self, program, mark):
        self.ended.append((program, mark))
        return True


def helm_in(directory, answers):
    processes = Ending(answers)
    return HelmCharts(processes, kubeconfig=directory / "kubeconfig", context="kind-it", cwd=directory), processes


def test_orphaned_helm_is_terminated_by_the_next_command(tmp_path):
    class Killed(BaseException):
        pass

    def dies(argv):
        # What SIGKILL leaves: the note that Helm runs.
        (tmp_path / "copy").write_bytes((tmp_path / "helm-unfinished").read_bytes())
        raise Killed

    it, _ = helm_in(tmp_path, {"helm uninstall": Answer(does=dies)})
    with pytest.raises(Killed):
        it.recover(RELEASE, revision=None, deadline=soon())
    (tmp_path / "copy").rename(tmp_path / "helm-unfinished")

    it, processes = helm_in(tmp_path, {})
    it.end_orphans()
    it.end_orphans()

    assert processes.ended == [("helm", str(tmp_path / "kubeconfig"))]


def test_finished_helm_is_not_searched_for(tmp_path):
    it, processes = helm_in(tmp_path, {"helm uninstall": Answer(code=1)})
    with pytest.raises(CommandFailed):
        it.recover(RELEASE, revision=None, deadline=soon())
    it.end_orphans()

    assert processes.ended == []
