"""Find, create, claim and remove environments, and never those of another owner."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from msgspec.structs import replace as changed
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.ledger import Ledger
from seatrial.app import environments
from seatrial.app.wiring import Machine, environment, visitor
from seatrial.doubles import Answer, FakeClock, FakeProcesses
from seatrial.model.environment_record import Created
from seatrial.model.errors import UsageError
from seatrial.model.spec import ClusterSpec, Project, RunnerSpec
from seatrial.removal.keep import Fate
from seatrial.saved_state import BuiltImage, write_built


class World:
    def __init__(self, root):
        self.root = root
        self.said = []
        self.nodes = {}
        self.processes = FakeProcesses(
            {
                "docker ps": Answer(),
                "docker rm": Answer(),
                "docker container": Answer(code=1, stdout="[]"),
                "docker network": Answer(),
                "docker volume": Answer(),
                "docker image": Answer(),
                "docker rmi": Answer(),
            }
        )
        self.project = Project(root=root, cluster=ClusterSpec(name="it"), runner=RunnerSpec(image="t:1"))
        self.machines = []
        self.this = self.machine()

    def machine(self):
        """Another process on the same machine."""
        machine = Machine(
            processes=self.processes,
            engine=DockerEngine(self.processes),
            ledger=Ledger(self.root / "state"),
            clock=FakeClock(),
        )
        self.machines.append(machine)
        return machine

    def new(self, this=None, project=None, command="run"):
        return environments.create(
            this or self.machine(), project or self.project, command=command, say=self.said.append
        )

    def removed(self):
        """Clusters that were removed."""
        label = "label=io.x-k8s.kind.cluster="
        return [words[4].removeprefix(label) for words in self.processes.ran if "ps" in words and label in words[4]]


@pytest.fixture
def world(tmp_path):
    it = World(tmp_path)
    yield it
    for machine in it.machines:
        machine.ledger.close()


def with_cluster(record):
    return record.with_resource(Created(kind="cluster", name=record.cluster))


def kept(world, **more):
    """Create an environment that a command kept."""
    this = world.machine()
    record = world.new(this, command=more.pop("command", "up"))
    this.ledger.write(changed(with_cluster(record), kept=True, **more))
    this.ledger.release(record.id)
    return record


def test_first_environment_has_the_configured_cluster_name(world):
    record = world.new(world.this)

    assert (record.cluster, record.foreground, record.kept) == ("it", True, False)
    assert world.this.ledger.records() == [record]
    assert not world.machine().ledger.claim(record.id), "it is ours"


def test_beside_a_living_one_it_gets_another_name_and_no_ports(world):
    first = world.this
    world.new(first)
    second = world.new()

    assert second.cluster == f"it-{second.id[:4]}"
    assert not second.foreground
    assert "without host ports" in world.said[-1]


def test_what_up_made_is_left_alone_by_run(world):
    kept(world)
    second = world.new()

    assert second.cluster != "it"
    assert world.removed() == []


def test_what_run_left_is_replaced_by_the_next_run(world):
    kept(world, command="run")
    second = world.new()

    assert second.cluster == "it"
    assert world.removed() == ["it"]


def test_what_run_left_is_not_replaced_by_up(world):
    kept(world, command="run")

    assert world.new(command="up").cluster != "it"


def test_the_name_of_another_project_is_not_taken(world, tmp_path):
    kept(world)
    other = changed(world.project, root=tmp_path / "other")

    assert world.new(project=other).cluster != "it"
    assert any("in use by the project in" in text for text in world.said)


def test_the_dead_are_reaped(world):
    dead = world.machine()
    record = world.new(dead)
    dead.ledger.write(with_cluster(record))
    dead.ledger.release(record.id)
    world.new()

    assert world.removed() == ["it"]
    assert "left by a killed command" in world.said[0]


def test_the_expired_are_reaped(world):
    kept(world, expires=FakeClock().now() - timedelta(hours=1))
    world.new()

    assert world.removed() == ["it"]
    assert "has expired" in world.said[0]


def test_what_is_kept_while_another_one_is_removed_stays(world):
    busy, dead, this = world.machine(), world.machine(), world.machine()
    ours, theirs = with_cluster(world.new(busy)), with_cluster(world.new(dead))
    busy.ledger.write(ours)
    dead.ledger.write(changed(theirs, created=theirs.created - timedelta(hours=1)))
    dead.ledger.release(theirs.id)

    removed = environments.reap(
        this,
        this.clock.now(),
        lambda text: environments.settle(busy, ours, Fate.KEPT if "removing" in text else Fate.LEFT),
    )

    assert removed == [theirs.cluster]
    assert [each.id for each in this.ledger.records()] == [ours.id]


def test_what_was_taken_down_between_a_look_and_the_claim_is_not_claimed(world, monkeypatch):
    record = kept(world)
    this, other = world.machine(), world.machine()
    look = this.ledger.records()
    monkeypatch.setattr(type(this.ledger), "records", lambda _: [each for each in look if other.ledger.record(each.id)])
    claim = type(this.ledger).claim

    def late(ledger, identifier):
        other.ledger.forget(identifier)
        return claim(ledger, identifier)

    monkeypatch.setattr(type(this.ledger), "claim", late)
    with pytest.raises(UsageError, match="no environment"):
        environments.claim(this, world.project)
    assert not this.ledger.directory(record.id).exists()


def test_reaping_everything_spares_what_is_in_use(world):
    kept(world)
    busy = world.machine()
    world.new(busy)
    this = world.machine()
    removed = environments.reap(this, this.clock.now(), world.said.append, everything=True)

    assert removed == ["it"]
    assert len(this.ledger.records()) == 1


def test_what_cannot_be_removed_stays_on_the_books(world):
    kept(world)
    world.processes._answers[("docker", "ps")] = Answer(code=1, stderr="docker is gone")
    this = world.machine()

    assert environments.reap(this, this.clock.now(), world.said.append, everything=True) == []
    assert len(this.ledger.records()) == 1
    assert "was not removed" in world.said[-1]


def test_finding(world):
    assert environments.find(world.this, world.project) is None
    with pytest.raises(UsageError) as caught:
        environments.require(world.this, world.project)
    assert caught.value.hint == "seatrial up"
    record = kept(world)

    assert environments.find(world.this, world.project).id == record.id
    assert environments.find(world.this, changed(world.project, cluster=ClusterSpec(name="other"))) is None


def test_the_environment_of_another_project_is_not_found_under_the_same_cluster_name(world, tmp_path):
    other = changed(world.project, root=tmp_path / "other")
    kept(world)

    assert environments.find(world.this, other) is None
    with pytest.raises(UsageError, match="there is no environment"):
        environments.require(world.this, other)
    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(world.this, other)
    new = environments.find_or_create(world.machine(), other, say=world.said.append)
    assert new.project == str(tmp_path / "other")
    assert world.removed() == []


def test_kept_environment_is_found_in_a_cluster_of_another_name(world, tmp_path):
    kept(world)
    other = changed(world.project, root=tmp_path / "other")
    this = world.machine()
    record = world.new(this, project=other, command="up")
    this.ledger.write(changed(record, kept=True))

    assert record.cluster == f"it-{record.id[:4]}"
    assert environments.find(world.this, other) == this.ledger.record(record.id)


def test_an_environment_that_another_project_makes_is_not_waited_for(world, tmp_path):
    other = changed(world.project, root=tmp_path / "other")
    world.new(world.machine(), command="up")

    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(world.this, other)


def test_the_newest_kept_environment_of_a_project_is_found(world):
    kept(world)
    newest = kept(world, created=FakeClock().now() + timedelta(hours=1))
    world.this.ledger.write(changed(newest, cluster="it", kept=True, created=FakeClock().now() + timedelta(hours=1)))

    assert environments.find(world.this, world.project).id == newest.id


def test_what_is_still_being_made_is_waited_for(world):
    at_it = world.machine()
    made = world.new(at_it, command="up")

    for ask in (
        lambda: environments.claim(world.this, world.project),
        lambda: environments.find_or_create(world.this, world.project, say=world.said.append),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert "still creating the environment" in caught.value.message
        assert "seatrial list" in caught.value.hint

    at_it.ledger.release(made.id)  # it died
    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(world.this, world.project)


def test_environment_in_use_is_not_claimed_twice(world):
    kept(world)
    environments.claim(world.this, world.project)

    with pytest.raises(UsageError) as caught:
        environments.claim(world.machine(), world.project)
    assert "in use by another command" in caught.value.message


def test_up_goes_on_in_what_there_is(world):
    record = kept(world)
    world.processes._answers[("docker", "ps")] = Answer(stdout="it-control-plane running\n")

    found = environments.find_or_create(world.machine(), world.project, say=world.said.append)
    assert found.id == record.id


def test_up_makes_a_new_one_when_somebody_removed_the_cluster(world):
    record = kept(world)
    found = environments.find_or_create(world.machine(), world.project, say=world.said.append)

    assert found.id != record.id
    assert found.cluster == "it"
    assert "was not found" in world.said[0]


def test_settling(world):
    this = world.this
    record = world.new(this)
    environments.settle(this, record, Fate.KEPT)
    assert this.ledger.records()[0].kept

    environments.settle(this, record, Fate.REMOVED)
    assert this.ledger.records() == []


def test_the_cache_goes_only_when_nobody_uses_it(world):
    kept(world)
    assert environments.drop_cache(world.this, world.said.append) == []
    environments.reap(world.machine(), FakeClock().now(), world.said.append, everything=True)

    this = world.machine()
    world.processes._answers[("docker", "image", "ls")] = Answer(stdout="shop:aa\ntheirs:bb\n")
    write_built(this.ledger.root / "shared", {"shop inputs": BuiltImage(reference="shop:aa", image="sha256:a")})
    assert environments.drop_cache(this, world.said.append) == [this.registry().volume, "shop:aa"]


def test_registry_is_removed_with_the_last_environment_of_its_ledger(world, tmp_path):
    """Environments of another user are in another ledger and pull from another registry."""
    theirs = Machine(
        processes=world.processes,
        engine=DockerEngine(world.processes),
        ledger=Ledger(tmp_path / "another" / "state"),
        clock=FakeClock(),
    )
    world.machines.append(theirs)
    world.new(theirs)
    this = world.machine()
    environments.remove(this, world.new(this))

    removed = [words for words in world.processes.ran if words[1] == "rm"]
    assert len(removed) == 1
    assert this.registry().container in removed[0]
    assert theirs.registry().container not in removed[0]
    assert this.registry().container != theirs.registry().container


EXISTING = ClusterSpec(provider="existing", context="theirs", registry="r.example.com")


@pytest.mark.parametrize("missing", ["context", "registry"])
def test_clusters_of_others_are_named_by_the_configuration(world, missing):
    project = changed(world.project, cluster=changed(EXISTING, **{missing: None}))
    record = world.new(project=world.project)

    with pytest.raises(UsageError) as caught:
        environment(world.this, project, record)
    assert f"cluster.{missing}" in caught.value.message


@pytest.mark.parametrize("text", [None, "a: [", "- odd"])
def test_kind_configuration_that_is_none(world, tmp_path, text):
    path = tmp_path / "kind.yaml"
    if text:
        path.write_text(text)
    project = changed(world.project, cluster=ClusterSpec(name="it", config=path))

    with pytest.raises(UsageError):
        environment(world.this, project, world.new(project=world.project))


def test_only_the_foreground_has_host_ports(world, tmp_path):
    path = tmp_path / "kind.yaml"
    path.write_text(
        "kind: Cluster\nnodes: [{role: control-plane, extraPortMappings: [{containerPort: 1, hostPort: 8080}]}]\n"
    )
    project = changed(world.project, cluster=ClusterSpec(name="it", config=path))
    record = world.new(project=world.project)

    assert environment(world.this, project, record).host_ports == (("0.0.0.0", 8080),)
    assert environment(world.this, project, changed(record, foreground=False)).host_ports == ()


def guest(world, host, namespace, **more):
    """Create a guest environment in the cluster of a kept one, and keep it."""
    this = world.machine()
    record = environments.create(
        this, world.project, command="up", say=world.said.append, namespace=namespace, host=host
    )
    this.ledger.write(changed(record, kept=True, **more))
    this.ledger.release(record.id)
    return record


def test_a_guest_lives_in_its_hosts_cluster_under_its_own_name(world):
    host = kept(world)
    it = guest(world, host, "pr-42")

    assert (it.cluster, it.host, it.namespace, it.foreground) == (host.cluster, host.id, "pr-42", False)
    assert it.shares
    assert not host.shares
    assert environments.find(world.machine(), world.project).id == host.id
    assert environments.find(world.machine(), world.project, "pr-42").id == it.id
    assert environments.find(world.machine(), world.project, "pr-43") is None
    with pytest.raises(UsageError, match="no environment pr-43") as caught:
        environments.require(world.machine(), world.project, "pr-43")
    assert caught.value.hint == "seatrial up --namespace pr-43"


def test_a_guest_takes_neither_the_name_of_its_host_nor_of_another_guest(world):
    host = kept(world)
    first, second = guest(world, host, "pr-1"), guest(world, host, "pr-2")

    assert first.cluster == second.cluster == "it"
    assert world.removed() == []


def test_a_host_outlives_its_time_while_a_guest_lives(world):
    past, future = FakeClock().now() - timedelta(hours=1), FakeClock().now() + timedelta(hours=1)
    host = kept(world)
    it = guest(world, host, "pr-1", expires=future)
    world.this.ledger.write(changed(host, kept=True, expires=past))
    world.new()
    assert {each.id for each in world.this.ledger.records()} >= {host.id, it.id}

    this = world.machine()
    this.ledger.write(changed(it, kept=True, expires=past))
    environments.reap(this, FakeClock().now(), world.said.append)
    assert not {each.id for each in world.this.ledger.records()} & {host.id, it.id}


def test_guests_go_with_their_cluster_unless_somebody_works_in_one(world):
    host = kept(world)
    it = guest(world, host, "pr-1")
    other = world.machine()
    assert other.ledger.claim(it.id)
    this = world.machine()
    assert this.ledger.claim(host.id)
    with pytest.raises(UsageError, match="environment pr-1 is in use by another command"):
        environments.remove(this, host)
    assert world.removed() == []

    other.ledger.release(it.id)
    environments.remove(this, host)
    assert world.this.ledger.records() == []


def test_a_guest_whose_cluster_was_made_anew_begins_anew(world):
    host = kept(world)
    old = guest(world, host, "pr-1")
    world.processes._answers[("docker", "ps")] = Answer(stdout="it-control-plane running\n")
    newer = changed(host, id="bbbb", kept=True)
    this = world.machine()
    this.ledger.write(newer)
    found = environments.find_or_create(this, world.project, say=world.said.append, namespace="pr-1", host=newer)

    assert found.id != old.id
    assert found.host == "bbbb"


def test_what_never_was_anything_leaves_no_record(world):
    this = world.machine()
    record = world.new(this)
    environments.settle(this, record, Fate.LEFT)
    assert this.ledger.records() == []


def theirs(path, token):
    """Write a kubeconfig of somebody else's cluster."""
    users = [{"name": "u", "user": {"token": token}}]
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    contexts = [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}]
    path.write_text(json.dumps({"users": users, "clusters": clusters, "contexts": contexts}))


@pytest.fixture
def existing(world, tmp_path):
    """A project in somebody else's cluster, and its kubeconfig."""
    source = tmp_path / "their-config"
    theirs(source, "one")
    return changed(world.project, cluster=changed(EXISTING, kubeconfig=source)), source


def test_an_older_kubeconfig_with_other_content_is_noticed(world, existing):
    project, source = existing
    record = world.new(project=project)
    copy = environment(world.this, project, record).cluster.kubeconfig
    assert json.loads(copy.read_text())["users"][0]["user"]["token"] == "one"
    assert copy.stat().st_mode & 0o077 == 0

    theirs(source, "two")
    os.utime(source, (1, 1))
    assert environment(world.this, project, record).cluster.kubeconfig == copy
    assert json.loads(copy.read_text())["users"][0]["user"]["token"] == "two"
    assert copy.stat().st_mode & 0o077 == 0
    before = copy.stat().st_ino
    environment(world.this, project, record)
    assert copy.stat().st_ino == before, "what is unchanged is not written"


def test_the_copy_follows_the_namespace_of_the_tests(world, existing):
    project, _ = existing
    record = world.new(project=project)
    environment(world.this, project, record)
    moved = changed(project, runner=changed(project.runner, namespace="elsewhere"))
    copy = environment(world.this, moved, record).cluster.kubeconfig

    assert json.loads(copy.read_text())["contexts"][0]["context"]["namespace"] == "elsewhere"


def test_a_look_into_a_cluster_of_others_leaves_no_credentials(world, existing):
    project, source = existing
    record = visitor(world.this, project)
    assert record is not None
    cluster = environment(world.this, project, record).cluster

    assert cluster.kubeconfig == source
    assert [path for path in world.this.ledger.root.rglob("*") if path.is_file()] == []


def test_directories_without_a_record_are_deleted_unless_somebody_makes_one(world):
    left = world.this.ledger.directory("look-1234")
    left.mkdir(parents=True)
    (left / "kubeconfig").write_text("token")
    other = world.machine()
    other.ledger.claim("beginning")
    it = kept(world)
    environments.reap(world.machine(), FakeClock().now(), world.said.append)

    assert not left.exists()
    assert world.this.ledger.directory("beginning").exists()
    assert world.this.ledger.record(it.id) is not None
