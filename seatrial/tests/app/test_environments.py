"""Find, create, claim and remove environments, and never those of another owner."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace as changed
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.ledger import Ledger
from seatrial.app import environments
from seatrial.app.wiring import Machine
from seatrial.doubles import Answer, FakeClock
from seatrial.model.environment_record import Created
from seatrial.model.errors import UsageError
from seatrial.model.spec import ClusterSpec
from seatrial.removal.keep import Fate
from seatrial.saved_state import BuiltImage, write_built

from .machines import with_cluster


def test_first_environment_has_the_configured_cluster_name(machines):
    record = machines.new(machines.this)

    assert (record.cluster, record.foreground, record.kept) == ("it", True, False)
    assert machines.this.ledger.records() == [record]
    assert not machines.machine().ledger.claim(record.id), "it is ours"


def test_create_uses_another_name_without_ports_if_the_name_is_in_use(machines):
    first = machines.this
    machines.new(first)
    second = machines.new()

    assert second.cluster == f"it-{second.id[:4]}"
    assert not second.foreground
    assert "without host ports" in machines.said[-1]


def test_run_does_not_replace_an_environment_of_up(machines):
    machines.kept()
    second = machines.new()

    assert second.cluster != "it"
    assert machines.removed() == []


def test_run_replaces_an_environment_that_run_kept(machines):
    machines.kept(command="run")
    second = machines.new()

    assert second.cluster == "it"
    assert machines.removed() == ["it"]


def test_up_does_not_replace_an_environment_that_run_kept(machines):
    machines.kept(command="run")

    assert machines.new(command="up").cluster != "it"


def test_create_does_not_use_the_cluster_name_of_another_project(machines, tmp_path):
    machines.kept()
    other = changed(machines.project, root=tmp_path / "other")

    assert machines.new(project=other).cluster != "it"
    assert any("in use by the project in" in text for text in machines.said)


def test_reap_removes_environments_of_killed_commands(machines):
    dead = machines.machine()
    record = machines.new(dead)
    dead.ledger.write(with_cluster(record))
    dead.ledger.release(record.id)
    machines.new()

    assert machines.removed() == ["it"]
    assert "left by a killed command" in machines.said[0]


def test_reap_removes_expired_environments(machines):
    machines.kept(expires=FakeClock().now() - timedelta(hours=1))
    machines.new()

    assert machines.removed() == ["it"]
    assert "has expired" in machines.said[0]


def test_reap_keeps_an_environment_that_is_kept_meanwhile(machines):
    busy, dead, this = machines.machine(), machines.machine(), machines.machine()
    ours, theirs = with_cluster(machines.new(busy)), with_cluster(machines.new(dead))
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


def test_claim_fails_if_the_environment_was_removed_meanwhile(machines, monkeypatch):
    record = machines.kept()
    this, other = machines.machine(), machines.machine()
    look = this.ledger.records()
    monkeypatch.setattr(type(this.ledger), "records", lambda _: [each for each in look if other.ledger.record(each.id)])
    claim = type(this.ledger).claim

    def late(ledger, identifier):
        other.ledger.forget(identifier)
        return claim(ledger, identifier)

    monkeypatch.setattr(type(this.ledger), "claim", late)
    with pytest.raises(UsageError, match="no environment"):
        environments.claim(this, machines.project)
    assert not this.ledger.directory(record.id).exists()


def test_reap_of_everything_spares_environments_in_use(machines):
    machines.kept()
    busy = machines.machine()
    machines.new(busy)
    this = machines.machine()
    removed = environments.reap(this, this.clock.now(), machines.said.append, everything=True)

    assert removed == ["it"]
    assert len(this.ledger.records()) == 1


def test_environment_that_cannot_be_removed_keeps_its_record(machines):
    machines.kept()
    machines.processes._answers[("docker", "ps")] = Answer(code=1, stderr="docker is gone")
    this = machines.machine()

    assert environments.reap(this, this.clock.now(), machines.said.append, everything=True) == []
    assert len(this.ledger.records()) == 1
    assert "was not removed" in machines.said[-1]


def test_find_returns_the_kept_environment_of_a_project(machines):
    assert environments.find(machines.this, machines.project) is None
    with pytest.raises(UsageError) as caught:
        environments.require(machines.this, machines.project)
    assert caught.value.hint == "seatrial up"
    record = machines.kept()

    assert environments.find(machines.this, machines.project).id == record.id
    assert environments.find(machines.this, changed(machines.project, cluster=ClusterSpec(name="other"))) is None


def test_find_ignores_another_project_with_the_same_cluster_name(machines, tmp_path):
    other = changed(machines.project, root=tmp_path / "other")
    machines.kept()

    assert environments.find(machines.this, other) is None
    with pytest.raises(UsageError, match="there is no environment"):
        environments.require(machines.this, other)
    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(machines.this, other)
    new = environments.find_or_create(machines.machine(), other, say=machines.said.append)
    assert new.project == str(tmp_path / "other")
    assert machines.removed() == []


def test_kept_environment_is_found_in_a_cluster_of_another_name(machines, tmp_path):
    machines.kept()
    other = changed(machines.project, root=tmp_path / "other")
    this = machines.machine()
    record = machines.new(this, project=other, command="up")
    this.ledger.write(changed(record, kept=True))

    assert record.cluster == f"it-{record.id[:4]}"
    assert environments.find(machines.this, other) == this.ledger.record(record.id)


def test_claim_ignores_a_new_environment_of_another_project(machines, tmp_path):
    other = changed(machines.project, root=tmp_path / "other")
    machines.new(machines.machine(), command="up")

    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(machines.this, other)


def test_find_returns_the_newest_kept_environment(machines):
    machines.kept()
    newest = machines.kept(created=FakeClock().now() + timedelta(hours=1))
    machines.this.ledger.write(changed(newest, cluster="it", kept=True, created=FakeClock().now() + timedelta(hours=1)))

    assert environments.find(machines.this, machines.project).id == newest.id


def test_require_names_an_environment_that_is_being_created(machines):
    at_it = machines.machine()
    made = machines.new(at_it, command="up")

    for ask in (
        lambda: environments.claim(machines.this, machines.project),
        lambda: environments.find_or_create(machines.this, machines.project, say=machines.said.append),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert "still creating the environment" in caught.value.message
        assert "seatrial list" in caught.value.hint

    at_it.ledger.release(made.id)  # it died
    with pytest.raises(UsageError, match="there is no environment"):
        environments.claim(machines.this, machines.project)


def test_environment_in_use_is_not_claimed_twice(machines):
    machines.kept()
    environments.claim(machines.this, machines.project)

    with pytest.raises(UsageError) as caught:
        environments.claim(machines.machine(), machines.project)
    assert "in use by another command" in caught.value.message


def test_find_or_create_returns_the_kept_environment(machines):
    record = machines.kept()
    machines.processes._answers[("docker", "ps")] = Answer(stdout="it-control-plane running\n")

    found = environments.find_or_create(machines.machine(), machines.project, say=machines.said.append)
    assert found.id == record.id


def test_find_or_create_creates_a_new_one_if_the_cluster_was_deleted(machines):
    record = machines.kept()
    found = environments.find_or_create(machines.machine(), machines.project, say=machines.said.append)

    assert found.id != record.id
    assert found.cluster == "it"
    assert "was not found" in machines.said[0]


def test_settle_keeps_or_forgets_the_environment(machines):
    this = machines.this
    record = machines.new(this)
    environments.settle(this, record, Fate.KEPT)
    assert this.ledger.records()[0].kept

    environments.settle(this, record, Fate.REMOVED)
    assert this.ledger.records() == []


def test_cache_is_removed_only_without_environments(machines):
    machines.kept()
    assert environments.drop_cache(machines.this, machines.said.append) == []
    environments.reap(machines.machine(), FakeClock().now(), machines.said.append, everything=True)

    this = machines.machine()
    machines.processes._answers[("docker", "image", "ls")] = Answer(stdout="shop:aa\ntheirs:bb\n")
    write_built(this.ledger.root / "shared", {"shop inputs": BuiltImage(reference="shop:aa", image="sha256:a")})
    assert environments.drop_cache(this, machines.said.append) == [this.registry().volume, "shop:aa"]


def test_registry_is_removed_with_the_last_environment_of_its_ledger(machines, tmp_path):
    """Environments of another user are in another ledger and pull from another registry."""
    theirs = Machine(
        processes=machines.processes,
        engine=DockerEngine(machines.processes),
        ledger=Ledger(tmp_path / "another" / "state"),
        clock=FakeClock(),
    )
    machines.machines.append(theirs)
    machines.new(theirs)
    this = machines.machine()
    environments.remove(this, machines.new(this))

    removed = [words for words in machines.processes.ran if words[1] == "rm"]
    assert len(removed) == 1
    assert this.registry().container in removed[0]
    assert theirs.registry().container not in removed[0]
    assert this.registry().container != theirs.registry().container


def test_guest_environment_has_the_cluster_of_its_host_and_its_own_namespace(machines):
    host = machines.kept()
    it = machines.guest(host, "pr-42")

    assert (it.cluster, it.host, it.namespace, it.foreground) == (host.cluster, host.id, "pr-42", False)
    assert it.shares
    assert not host.shares
    assert environments.find(machines.machine(), machines.project).id == host.id
    assert environments.find(machines.machine(), machines.project, "pr-42").id == it.id
    assert environments.find(machines.machine(), machines.project, "pr-43") is None
    with pytest.raises(UsageError, match="no environment pr-43") as caught:
        environments.require(machines.machine(), machines.project, "pr-43")
    assert caught.value.hint == "seatrial up --namespace pr-43"


def test_guest_environments_share_the_cluster_name(machines):
    host = machines.kept()
    first, second = machines.guest(host, "pr-1"), machines.guest(host, "pr-2")

    assert first.cluster == second.cluster == "it"
    assert machines.removed() == []


def test_expired_host_is_kept_for_a_guest_environment(machines):
    past, future = FakeClock().now() - timedelta(hours=1), FakeClock().now() + timedelta(hours=1)
    host = machines.kept()
    it = machines.guest(host, "pr-1", expires=future)
    machines.this.ledger.write(changed(host, kept=True, expires=past))
    machines.new()
    assert {each.id for each in machines.this.ledger.records()} >= {host.id, it.id}

    this = machines.machine()
    this.ledger.write(changed(it, kept=True, expires=past))
    environments.reap(this, FakeClock().now(), machines.said.append)
    assert not {each.id for each in machines.this.ledger.records()} & {host.id, it.id}


def test_guest_environments_are_removed_with_their_cluster_unless_in_use(machines):
    host = machines.kept()
    it = machines.guest(host, "pr-1")
    other = machines.machine()
    assert other.ledger.claim(it.id)
    this = machines.machine()
    assert this.ledger.claim(host.id)
    with pytest.raises(UsageError, match="environment pr-1 is in use by another command"):
        environments.remove(this, host)
    assert machines.removed() == []

    other.ledger.release(it.id)
    environments.remove(this, host)
    assert machines.this.ledger.records() == []


def test_guest_environment_is_recreated_with_its_cluster(machines):
    host = machines.kept()
    old = machines.guest(host, "pr-1")
    machines.processes._answers[("docker", "ps")] = Answer(stdout="it-control-plane running\n")
    newer = changed(host, id="bbbb", kept=True)
    this = machines.machine()
    this.ledger.write(newer)
    found = environments.find_or_create(this, machines.project, say=machines.said.append, namespace="pr-1", host=newer)

    assert found.id != old.id
    assert found.host == "bbbb"


def test_settle_forgets_an_environment_without_resources(machines):
    this = machines.machine()
    record = machines.new(this)
    environments.settle(this, record, Fate.LEFT)
    assert this.ledger.records() == []


def theirs(path, token):
    """Write a kubeconfig of another user's cluster."""
    users = [{"name": "u", "user": {"token": token}}]
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    contexts = [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}]
    path.write_text(json.dumps({"users": users, "clusters": clusters, "contexts": contexts}))


def test_directories_without_a_record_are_deleted_unless_locked(machines):
    left = machines.this.ledger.directory("look-1234")
    left.mkdir(parents=True)
    (left / "kubeconfig").write_text("token")
    other = machines.machine()
    other.ledger.claim("beginning")
    it = machines.kept()
    environments.reap(machines.machine(), FakeClock().now(), machines.said.append)

    assert not left.exists()
    assert machines.this.ledger.directory("beginning").exists()
    assert machines.this.ledger.record(it.id) is not None


class TestCompose:
    @pytest.fixture
    def project(self, machines):
        return changed(machines.project, environment="compose")

    def test_name_carries_the_id_so_several_can_be_up(self, machines, project):
        one, two = machines.new(project=project), machines.new(project=project)

        assert (one.provider, one.cluster) == ("compose", f"it-{one.id}")
        assert two.cluster == f"it-{two.id}" != one.cluster

    def test_kinds_of_environment_are_kept_apart(self, machines, project):
        cluster = machines.kept()
        this = machines.machine()
        record = machines.new(this, project, command="up")
        this.ledger.write(changed(record, kept=True))
        this.ledger.release(record.id)

        assert environments.require(machines.this, project).id == record.id
        assert environments.require(machines.this, machines.project).id == cluster.id

    def test_run_replaces_what_an_earlier_run_kept(self, machines, project):
        this = machines.machine()
        record = machines.new(this, project)
        this.ledger.write(changed(record, kept=True))
        this.ledger.release(record.id)
        machines.new(project=project)

        assert machines.this.ledger.record(record.id) is None
        assert f"removing Compose project {record.cluster}, which an earlier run kept" in machines.said

    def test_removal_does_not_touch_registry_or_clusters(self, machines, project):
        this = machines.machine()
        record = machines.new(this, project).with_resource(Created(kind="compose", name="x"))
        environments.remove(this, record)

        assert not any("seatrial-registry" in word for words in machines.processes.ran for word in words)
        assert this.ledger.record(record.id) is None
