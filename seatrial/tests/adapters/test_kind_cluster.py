"""kind: its configuration as we change it, and what we run."""

from __future__ import annotations

import json
import stat
import threading
import time
from pathlib import Path

import pytest
import yaml
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.kind_cluster import (
    KindCluster,
    cluster_config,
    host_ports,
    is_customized,
    node_ids,
    node_image,
    orphaned_nodes,
)
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed

GIVEN = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "name": "theirs",
    "nodes": [
        {
            "role": "control-plane",
            "extraPortMappings": [{"containerPort": 80, "hostPort": 8080, "listenAddress": "::1"}],
        },
        {"role": "worker", "extraMounts": [{"hostPath": "/x", "containerPath": "/x"}], "image": "node:1"},
    ],
}
KUBECONFIG = """
contexts: [{name: kind-it, context: {cluster: kind-it, user: kind-it}}]
clusters: [{name: kind-it, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: kind-it, user: {}}]
"""


def config(given=GIVEN, **more):
    return cluster_config(given, **{"image": None, "host_ports": True, "mounts": {}, **more})


def test_cluster_config_removes_the_name_and_enables_parallel_pulls():
    made = config()

    assert "name" not in made
    assert made["kubeadmConfigPatches"] == [
        "kind: KubeProxyConfiguration\niptables:\n  minSyncPeriod: 100ms\n",
        "kind: KubeletConfiguration\nserializeImagePulls: false\n",
    ]
    assert made["nodes"] == GIVEN["nodes"]
    assert "kubeadmConfigPatches" not in GIVEN


@pytest.mark.parametrize(
    ("mode", "section"), [(None, "iptables"), ("nftables", "nftables"), ("ipvs", "ipvs"), ("none", None)]
)
def test_cluster_config_writes_routes_at_once_unless_the_user_sets_the_period(mode, section):
    own = "kind: KubeProxyConfiguration\niptables: {minSyncPeriod: 5s}\n"
    given = {**GIVEN, "kubeadmConfigPatches": [own], **({"networking": {"kubeProxyMode": mode}} if mode else {})}
    proxy = [yaml.safe_load(each) for each in config(given)["kubeadmConfigPatches"] if "KubeProxy" in each]

    ours = [{"kind": "KubeProxyConfiguration", section: {"minSyncPeriod": "100ms"}}] if section else []
    assert proxy == [*ours, yaml.safe_load(own)]


MIRRORS = '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n'


def test_cluster_config_sets_the_registry_config_path():
    theirs = '[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"\n'

    assert config()["containerdConfigPatches"] == [MIRRORS]
    assert config({**GIVEN, "containerdConfigPatches": [theirs]})["containerdConfigPatches"] == [MIRRORS, theirs]


def test_cluster_config_keeps_registries_of_the_user():
    theirs = '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["http://mirror"]\n'

    assert config({**GIVEN, "containerdConfigPatches": [theirs]})["containerdConfigPatches"] == [theirs]


def test_cluster_config_defaults_to_one_node():
    assert config(None)["nodes"] == [{"role": "control-plane"}]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, False),
        ({"nodes": [{"role": "worker"}]}, False),
        ({"containerdConfigPatches": ["[plugins]"]}, True),
        ({"containerdConfigPatchesJSON6902": ["[]"]}, True),
        ({"nodes": [{"role": "worker", "extraMounts": [{"hostPath": "/a"}]}]}, True),
    ],
)
def test_is_customized(config, expected):
    assert is_customized(config) is expected


def test_node_image_is_that_of_the_first_node_with_one():
    assert node_image({"nodes": [{"role": "control-plane"}, {"image": "node:v1.34.0"}]}) == "node:v1.34.0"
    assert node_image({}) == ""


def test_cluster_config_removes_host_ports():
    assert "extraPortMappings" not in config(host_ports=False)["nodes"][0]
    assert host_ports(GIVEN) == [("::1", 8080)]
    assert host_ports({"nodes": [{"extraPortMappings": [{"hostPort": 1}, {"containerPort": 2}]}]}) == [("0.0.0.0", 1)]


def test_cluster_config_sets_image_and_mounts_on_every_node():
    nodes = config(image="node:2", mounts={Path("/certs"): "/etc/certs"})["nodes"]

    assert [node["image"] for node in nodes] == ["node:2", "node:2"]
    mount = {"hostPath": "/certs", "containerPath": "/etc/certs", "readOnly": True}
    assert nodes[0]["extraMounts"] == [mount]
    assert nodes[1]["extraMounts"] == [{"hostPath": "/x", "containerPath": "/x"}, mount]


@pytest.mark.parametrize("given", [{"kind": "Deployment"}, {"kind": "Cluster", "nodes": ["a"]}])
def test_invalid_kind_configuration_fails(given):
    with pytest.raises(EnvironmentFailed):
        config(given)


def cluster(tmp_path, answers):
    processes = FakeProcesses(answers)
    it = KindCluster(
        "it",
        config=config(None),
        namespace="shop",
        directory=tmp_path / "session",
        cwd=tmp_path,
        processes=processes,
        engine=DockerEngine(processes),
    )
    return it, processes


def test_create_runs_kind_and_rewrites_the_kubeconfig(tmp_path):
    def make(argv):
        Path(argv[argv.index("--kubeconfig") + 1]).write_text(KUBECONFIG)

    said = " • Preparing nodes 📦  ...\n ✓ Preparing nodes 📦\n"
    it, processes = cluster(tmp_path, {"kind create": Answer(stderr=said, does=make)})
    steps = []
    it.create(deadline=Deadline.after(5), log=tmp_path / "log", progress=steps.append)

    assert steps == ["Preparing nodes 📦"]
    assert json.loads((tmp_path / "session" / "kind.json").read_text()) == config(None)
    kubeconfig = json.loads(it.kubeconfig.read_text())
    assert kubeconfig["contexts"][0]["context"]["namespace"] == "shop"
    assert stat.S_IMODE(it.kubeconfig.stat().st_mode) == 0o600
    assert "--retain" in processes.ran[0], "what failed can be looked at; we remove it ourselves"


def test_exists_if_there_are_node_containers(tmp_path):
    it, _ = cluster(tmp_path, {"docker ps": Answer(stdout="it-worker running\nit-control-plane running\n")})

    assert it.names() == ("it-control-plane", "it-worker")
    assert it.exists()


@pytest.mark.parametrize(
    ("listed", "state", "done"),
    [
        ("", "gone", []),
        ("a running\nb running", "running", []),
        ("a exited\nb running", "stopped", ["docker start a"]),
        ("a exited\nb created", "stopped", ["docker start a b"]),
        ("a paused\nb exited", "paused", ["docker unpause a", "docker start b"]),
    ],
)
def test_revive_starts_stopped_and_unpauses_paused_nodes(tmp_path, listed, state, done):
    it, processes = cluster(tmp_path, {"docker ps": Answer(stdout=listed), "docker": Answer()})

    assert it.state() == state
    it.revive(deadline=Deadline.after(5))
    assert [" ".join(argv) for argv in processes.ran if argv[1] != "ps"] == done


def container(identifier, *sources, role="worker"):
    labels = {"io.x-k8s.kind.cluster": "it", "io.x-k8s.kind.role": role}
    return {"Id": identifier, "Mounts": [{"Source": source} for source in sources], "Config": {"Labels": labels}}


OURS = "/home/me/.local/state/seatrial/sessions/aa/certs.d"
THEIRS = "/home/me/.local/state/seatrial/sessions/bb/certs.d"


@pytest.mark.parametrize(
    ("containers", "removed"),
    [
        ([container("1", "/lib/modules", OURS), container("2", OURS)], ["1", "2"]),
        ([container("1", f"/host_mnt{OURS}")], ["1"]),
        ([container("1", OURS), container("2", THEIRS)], ["1"]),
        ([container("1", OURS), container("2", "/lib/modules"), container("3")], ["1"]),
        ([container("1", OURS), container("2", role="external-load-balancer")], ["1", "2"]),
        ([container("1", OURS), container("2", THEIRS), container("3", role="external-load-balancer")], ["1"]),
        ([container("1", "/home/me/sessions/aaa/certs.d"), container("2", "/sessions/aa")], []),
        ([], []),
    ],
)
def test_node_ids_are_those_that_mount_a_folder_of_the_environment(containers, removed):
    assert node_ids(containers, "aa") == removed


def engine_with(*containers):
    """An engine with these containers, which go when they are removed."""
    there = {each["Id"]: each for each in containers}

    def inspected(_):
        answers[("docker", "container", "inspect")] = Answer(stdout=json.dumps(list(there.values())))

    def removed(words):
        for identifier in words[4:]:
            there.pop(identifier)
        answers[("docker", "ps")] = Answer(stdout="\n".join(there), does=inspected)

    answers = {
        ("docker", "ps"): Answer(stdout="\n".join(there), does=inspected),
        ("docker", "container", "inspect"): Answer(),
        ("docker", "rm"): Answer(does=removed),
    }
    return there, answers


def with_engine(tmp_path, *containers):
    there, answers = engine_with(*containers)
    it, processes = cluster(tmp_path, {})
    processes._answers = answers
    return it, processes, there


def test_delete_keeps_another_cluster_of_the_same_name(tmp_path):
    it, _, there = with_engine(tmp_path, container("1", "/sessions/session/certs.d"), container("2", THEIRS))
    it.delete(deadline=Deadline.after(5))

    assert list(there) == ["2"]


def test_delete_retries_a_refused_removal(tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.kind_cluster._INTERVAL", 0.0)
    it, processes, there = with_engine(tmp_path, container("1", "/sessions/session/certs.d"))
    removes = processes._answers["docker", "rm"]
    refuses = Answer(
        code=1, stderr="in progress", does=lambda _: processes._answers.update({("docker", "rm"): removes})
    )
    processes._answers["docker", "rm"] = refuses
    it.delete(deadline=Deadline.after(60))

    assert there == {}


def test_delete_fails_if_the_engine_does_not_answer(tmp_path):
    it, _ = cluster(tmp_path, {"docker ps": Answer(code=1, stderr="no engine")})

    with pytest.raises(CommandFailed):
        it.delete(deadline=Deadline.after(5))


def test_delete_waits_for_containers_of_a_killed_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.kind_cluster._SETTLE", 0.2)
    monkeypatch.setattr("seatrial.adapters.kind_cluster._INTERVAL", 0.01)
    it, processes, there = with_engine(tmp_path)
    processes._answers[("kind", "create")] = Answer(stderr=" • Preparing nodes 📦 ...", code=-15)
    with pytest.raises(CommandFailed):
        it.create(deadline=Deadline.after(5), log=tmp_path / "log", progress=print)
    late = threading.Timer(0.1, lambda: there.update({"1": container("1", "/sessions/session/certs.d")}))
    late.start()
    processes._answers[("docker", "ps")] = Answer(
        does=lambda words: processes._answers.update(
            {
                ("docker", "ps"): Answer(stdout="\n".join(there), does=processes._answers[("docker", "ps")].does),
                ("docker", "container", "inspect"): Answer(stdout=json.dumps(list(there.values()))),
            }
        )
    )
    # Another command, after the one that began was killed.
    another, _ = cluster(tmp_path, {})
    another._engine, another._processes = it._engine, processes
    another.delete(deadline=Deadline.after(5))

    assert there == {}
    assert not list((tmp_path / "session").glob("kind-create-began"))


def test_delete_does_not_wait_once_all_nodes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.kind_cluster._SETTLE", 60.0)
    it, processes, there = with_engine(tmp_path, container("1", "/sessions/session/certs.d"))
    processes._answers[("kind", "create")] = Answer(stderr=" • Preparing nodes 📦 ...", code=-15)
    with pytest.raises(CommandFailed):
        it.create(deadline=Deadline.after(5), log=tmp_path / "log", progress=print)
    began = time.monotonic()
    it.delete(deadline=Deadline.after(70))

    assert there == {}
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("roles", "count"),
    [([None], 1), (["control-plane", "worker", "worker"], 3), (["control-plane", None, "worker"], 4)],
)
def test_kind_creates_a_load_balancer_for_several_control_planes(tmp_path, roles, count):
    it, _ = cluster(tmp_path, {})
    nodes = [{"role": role} if role else {} for role in roles]
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "kind.json").write_text(json.dumps({"nodes": nodes}))

    assert it._node_count() == count


def test_kind_that_ends_by_itself_leaves_no_request(tmp_path):
    it, processes, _ = with_engine(tmp_path)
    processes._answers[("kind", "create")] = Answer(stderr=" • Preparing nodes 📦 ...", code=1)
    with pytest.raises(CommandFailed):
        it.create(deadline=Deadline.after(5), log=tmp_path / "log", progress=print)

    assert not it._are_nodes_requested()


def test_delete_of_a_complete_cluster_does_not_wait(tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.kind_cluster._SETTLE", 60.0)
    it, _, there = with_engine(tmp_path, container("1", "/sessions/session/certs.d"))
    it.delete(deadline=Deadline.after(5))

    assert there == {}


def test_orphaned_nodes_have_no_record_in_the_ledger(tmp_path):
    root = Path("/home/me/.local/state/seatrial")
    foreign = container("4", "/home/you/.local/state/seatrial/sessions/cc/certs.d")
    _, answers = engine_with(
        container("1", OURS), container("2", role="external-load-balancer"), container("3", THEIRS), foreign
    )
    processes = FakeProcesses({})
    processes._answers = answers
    engine = DockerEngine(processes)

    assert orphaned_nodes(engine, root, lambda _: True) == []
    (stray,) = orphaned_nodes(engine, root, lambda environment: environment == "bb")
    assert (stray.name, stray.environment) == ("it", "aa")


def test_identity_is_the_id_of_the_control_plane(tmp_path):
    it, _ = cluster(tmp_path, {"docker container": Answer(stdout='[{"Id": "aa"}]')})
    none, _ = cluster(tmp_path, {"docker container": Answer(code=1, stdout="[]")})

    assert (it.identity(), none.identity()) == ("aa", "")


def test_run_executes_on_a_node(tmp_path):
    it, processes = cluster(tmp_path, {"docker exec": Answer(code=3)})

    assert it.run("it-worker", ["ls", "/"], deadline=Deadline.after(5), check=False).code == 3
    assert processes.ran == [("docker", "exec", "it-worker", "ls", "/")]


def test_connect_uses_the_kubeconfig(tmp_path):
    it, _ = cluster(tmp_path, {})
    it.kubeconfig.parent.mkdir()
    it.kubeconfig.write_text(KUBECONFIG)

    it.connect().close()
