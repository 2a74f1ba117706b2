"""The kept environment of a project, from the records of all environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from seatrial.model.spec import ClusterSpec, Project, RunnerSpec
from seatrial.pytest_plugin.kept_environment import find_kept_environment, runner_variables


class Records:
    """Records of environments below a state directory."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.directory = directory
        self.root = root

    def write(self, name: str, *, kubeconfig: bool = True, **more: Any) -> None:
        folder = self.directory / name
        folder.mkdir(parents=True)
        given = {
            "session": name, "project": str(self.root), "provider": "kind", "cluster": "shop", "kept": True,
            "created": "2026-01-01T00:00:00Z", "identity": "shop-1",
        }  # fmt: skip
        (folder / "session.json").write_text(json.dumps({**given, **more}))
        if kubeconfig:
            (folder / "kubeconfig").touch()

    def find(self, namespace: str = "") -> Any:
        def project() -> Project:
            spec = ClusterSpec(provider="existing", context="dev", kubeconfig=self.root / "config")
            return Project(root=self.root, cluster=spec, runner=RunnerSpec(image="x"))

        return find_kept_environment(self.root, project, namespace)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "shop"
    root.mkdir()
    return Records(tmp_path / "state" / "seatrial" / "sessions", root)


def test_project_without_a_kept_environment_has_none(records: Records) -> None:
    assert records.find() is None
    records.write("run", kept=False)
    records.write("other", project="/elsewhere")
    records.write("guest", namespace="mine")
    (records.directory / "broken").mkdir()
    (records.directory / "broken" / "session.json").write_text("{")

    assert records.find() is None


def test_kept_environment_has_context_kubeconfig_and_labels(records: Records) -> None:
    records.write("a")

    found = records.find()

    assert (found.cluster, found.context, found.own) == ("shop", "kind-shop", True)
    assert found.kubeconfig == records.directory / "a" / "kubeconfig"
    assert found.labels == {
        "seatrial.dev/owner": "seatrial", "seatrial.dev/project": "shop-1", "seatrial.dev/session": "a",
    }  # fmt: skip


def test_newest_of_several_is_found(records: Records) -> None:
    records.write("new", created="2026-01-03T00:00:00Z")
    records.write("old", created="2026-01-02T00:00:00Z")

    assert records.find().labels["seatrial.dev/session"] == "new"


def test_guest_environment_is_found_by_its_namespace(records: Records) -> None:
    """Its kubeconfig is that of the environment that created the cluster, kept or not."""
    records.write("owner", kept=False)
    records.write("guest", kubeconfig=False, namespace="mine")

    assert records.find() is None
    found = records.find("mine")
    assert found.labels["seatrial.dev/session"] == "guest"
    assert found.kubeconfig == records.directory / "owner" / "kubeconfig"


def test_project_without_an_identity_is_labeled_by_its_directory(records: Records) -> None:
    records.write("a", identity=None)

    assert records.find().labels["seatrial.dev/project"] == "shop"


def test_existing_cluster_is_reached_by_its_own_kubeconfig(records: Records) -> None:
    config = {"contexts": [{"name": "dev", "context": {"cluster": "c"}}], "clusters": [{"name": "c", "cluster": {}}]}
    (records.root / "config").write_text(json.dumps(config))
    records.write("a", provider="existing", kubeconfig=False)

    found = records.find()

    assert (found.context, found.kubeconfig, found.own) == ("dev", records.root / "config", False)


class Objects:
    """Secrets and ConfigMaps, by path."""

    def __init__(self, **objects: dict[str, str]) -> None:
        self.objects = {
            f"/api/v1/namespaces/shop/{name.replace('__', '/')}": {"data": data} for name, data in objects.items()
        }
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, missing_ok: bool = False) -> dict[str, Any]:
        assert (method, missing_ok) == ("GET", True)
        self.asked.append(path)
        return self.objects.get(path, {})


def test_variables_have_the_values_of_the_runner_container() -> None:
    api: Any = Objects(secrets__web={"password": "c2VzYW1l"}, configmaps__web={"key": "plain"})
    runner = RunnerSpec(
        image="x", namespace="shop", env={"STATIC": "text"},
        env_from={
            "PASSWORD": "secret/web/password", "PLAIN": "configmap/web/key", "MISSING": "secret/web/nothing",
            "NONE": "configmap/absent/key", "WHERE": "namespace",
        },
    )  # fmt: skip

    values, missing = runner_variables(api, runner)

    assert (values["STATIC"], values["PASSWORD"], values["PLAIN"], values["WHERE"]) == (
        "text", "sesame", "plain", "shop",
    )  # fmt: skip
    assert missing == ["MISSING: secret shop/web has no nothing", "NONE: configmap shop/absent has no key"]
    assert len(api.asked) == 3, "each object is read once"
