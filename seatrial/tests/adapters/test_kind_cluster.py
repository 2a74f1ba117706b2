"""kind: its configuration as we change it, and what we run."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.kind import KindCluster, cluster_config, host_ports
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


def test_the_name_is_ours_and_pulls_are_parallel():
    made = config()

    assert "name" not in made
    assert made["kubeadmConfigPatches"] == ["kind: KubeletConfiguration\nserializeImagePulls: false\n"]
    assert made["nodes"] == GIVEN["nodes"]
    assert "kubeadmConfigPatches" not in GIVEN


MIRRORS = '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n'


def test_nodes_read_the_hosts_of_registries_whatever_their_containerd():
    theirs = '[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"\n'

    assert config()["containerdConfigPatches"] == [MIRRORS]
    assert config({**GIVEN, "containerdConfigPatches": [theirs]})["containerdConfigPatches"] == [MIRRORS, theirs]


def test_registries_that_the_user_configured_are_left_alone():
    theirs = '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["http://mirror"]\n'

    assert config({**GIVEN, "containerdConfigPatches": [theirs]})["containerdConfigPatches"] == [theirs]


def test_without_a_configuration_there_is_one_node():
    assert config(None)["nodes"] == [{"role": "control-plane"}]


def test_host_ports_belong_to_one_cluster():
    assert "extraPortMappings" not in config(host_ports=False)["nodes"][0]
    assert host_ports(GIVEN) == [("::1", 8080)]
    assert host_ports({"nodes": [{"extraPortMappings": [{"hostPort": 1}, {"containerPort": 2}]}]}) == [("0.0.0.0", 1)]


def test_image_and_mounts_on_every_node():
    nodes = config(image="node:2", mounts={Path("/certs"): "/etc/certs"})["nodes"]

    assert [node["image"] for node in nodes] == ["node:2", "node:2"]
    mount = {"hostPath": "/certs", "containerPath": "/etc/certs", "readOnly": True}
    assert nodes[0]["extraMounts"] == [mount]
    assert nodes[1]["extraMounts"] == [{"hostPath": "/x", "containerPath": "/x"}, mount]


@pytest.mark.parametrize("given", [{"kind": "Deployment"}, {"kind": "Cluster", "nodes": ["a"]}])
def test_something_else(given):
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


def test_creation(tmp_path):
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


def test_names_and_existence(tmp_path):
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
def test_nodes_are_woken_by_what_ails_them(tmp_path, listed, state, done):
    it, processes = cluster(tmp_path, {"docker ps": Answer(stdout=listed), "docker": Answer()})

    assert it.state() == state
    it.revive(deadline=Deadline.after(5))
    assert [" ".join(argv) for argv in processes.ran if argv[1] != "ps"] == done


def test_removal_takes_half_made_clusters_too(tmp_path):
    there = ["it-worker"]
    it, processes = cluster(tmp_path, {"docker rm": Answer(does=lambda _: there.clear())})
    it.names = lambda: tuple(there)
    it.delete(deadline=Deadline.after(5))

    assert processes.ran == [("docker", "rm", "--force", "--volumes", "it-worker")]


def test_removal_waits_for_what_a_killed_kind_asked_for(tmp_path, monkeypatch):
    late = [("it-worker",), ()]
    it, processes = cluster(tmp_path, {"kind create": Answer(code=1), "docker rm": Answer()})
    monkeypatch.setattr("seatrial.adapters.kind._SETTLE", 0.0)
    with pytest.raises(CommandFailed):
        it.create(deadline=Deadline.after(5), log=tmp_path / "log", progress=print)
    it.names = late.pop
    it.delete(deadline=Deadline.after(5))

    assert processes.ran[-1] == ("docker", "rm", "--force", "--volumes", "it-worker")


def test_identity(tmp_path):
    it, _ = cluster(tmp_path, {"docker container": Answer(stdout='[{"Id": "aa"}]')})
    none, _ = cluster(tmp_path, {"docker container": Answer(code=1, stdout="[]")})

    assert (it.identity(), none.identity()) == ("aa", "")


def test_commands_on_nodes(tmp_path):
    it, processes = cluster(tmp_path, {"docker exec": Answer(code=3)})

    assert it.run("it-worker", ["ls", "/"], deadline=Deadline.after(5), check=False).code == 3
    assert processes.ran == [("docker", "exec", "it-worker", "ls", "/")]


def test_connection(tmp_path):
    it, _ = cluster(tmp_path, {})
    it.kubeconfig.parent.mkdir()
    it.kubeconfig.write_text(KUBECONFIG)

    it.connect().close()
