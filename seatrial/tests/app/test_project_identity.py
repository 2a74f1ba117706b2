"""Two projects whose directories have the same name do not list, change or delete objects of each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from fakes import FakeKube
from msgspec.structs import replace as changed
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.ledger import Ledger
from seatrial.app import environments, shared_environments
from seatrial.app.wiring import Machine, environment, visitor
from seatrial.doubles import Answer, FakeClock, FakeProcesses
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.names import EnvironmentId
from seatrial.model.spec import ClusterSpec, Project, ReleaseSpec, RunnerSpec
from seatrial.ports import Object

THEIRS = ClusterSpec(provider="existing", context="theirs", registry="r.example.com")


class Charts:
    def recover(self, release: ReleaseSpec, **_: object) -> None:
        raise AssertionError(f"no release was made here: {release}")


def namespace(name: str, environment: str, project: str) -> Object:
    marks = {"owner": "seatrial", "environment": environment, "project": project, "expires": "1", "session": "aaaa"}
    labels = {f"seatrial.dev/{key}": value for key, value in marks.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.fixture
def this(tmp_path) -> Iterator[Machine]:
    processes = FakeProcesses({"docker ps": Answer()})
    machine = Machine(
        processes=processes,
        engine=DockerEngine(processes),
        ledger=Ledger(tmp_path / "state"),
        clock=FakeClock(),
    )
    yield machine
    machine.ledger.close()


@pytest.fixture
def cluster(monkeypatch) -> FakeKube:
    """A cluster that both projects use, each with environments of pull requests."""
    kube = FakeKube(
        namespace("team-pr-7", "pr-7", "app-11111111"),
        namespace("other-pr-8", "pr-8", "app-22222222"),
        namespace("old-pr-9", "pr-9", "app"),
    )
    env = SimpleNamespace(cluster=SimpleNamespace(connect=lambda: kube), charts=Charts(), mirror=None)
    monkeypatch.setattr(shared_environments, "environment", lambda *_: env)
    return kube


def project(tmp_path, parent: str, identity: str | None, cluster: ClusterSpec = THEIRS) -> Project:
    root = tmp_path / parent / "app"
    root.mkdir(parents=True)
    return Project(root=root, id=identity, cluster=cluster, runner=RunnerSpec(image="t:1"))


def test_clean_of_one_project_keeps_environments_of_another_with_the_same_directory_name(this, cluster, tmp_path):
    mine = project(tmp_path, "mine", "app-22222222")
    found = shared_environments.list_environments(this, mine)
    names = shared_environments.superfluous((each.name for each in found), {1})
    removed = shared_environments.remove(this, mine, names | {"pr-7", "pr-9"}, lambda _: None)

    assert removed == ["pr-8"]
    assert {key[2] for key in cluster.store if key[0] == "v1/Namespace"} == {"team-pr-7", "old-pr-9"}


def test_another_checkout_of_the_same_file_removes_the_environment(this, cluster, tmp_path):
    ci = project(tmp_path, "builds/17", "app-11111111")

    assert shared_environments.remove(this, ci, {"pr-7"}, lambda _: None) == ["pr-7"]


def test_objects_carry_the_configured_id(this, tmp_path):
    mine = project(tmp_path, "mine", "app-22222222")
    record = visitor(this, mine)

    assert record is not None
    assert record.project_label == "app-22222222"
    assert this.cluster_of(record)._guard.project == "app-22222222"


def test_environment_without_a_configured_id_is_labeled_by_its_path(this, tmp_path):
    mine, other = (project(tmp_path, parent, None, ClusterSpec(name="it")) for parent in ("one", "two"))
    record = environments.create(this, mine, command="run", say=lambda _: None)

    assert record.project_label == mine.identity
    assert mine.root.name == other.root.name
    assert record.project_label != other.identity


def test_environment_of_an_older_version_keeps_the_label_of_its_objects(this, tmp_path):
    now = FakeClock().now()
    old = EnvironmentRecord(
        id=EnvironmentId("aaaa"),
        project="/src/My app",
        command="up",
        provider="existing",
        cluster="theirs",
        created=now,
        expires=now,
    )

    assert old.project_label == "My-app"
    assert this.cluster_of(old)._guard.project == "My-app"
    assert changed(old, identity="shop-3f2a9c1b").project_label == "shop-3f2a9c1b"


def test_environment_guards_with_the_label_of_its_record(this, tmp_path):
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    mine = project(tmp_path, "mine", "app-22222222", changed(THEIRS, kubeconfig=kubeconfig))
    record = environments.create(this, mine, command="up", say=lambda _: None)

    assert vars(environment(this, mine, record).cluster)["_guard"].project == "app-22222222"
