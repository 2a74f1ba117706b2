"""Provoke causes of failures on a kind cluster and record what the API shows of them, for the tests of the rules.

    .venv/bin/python seatrial/e2e/record_causes.py [NAME…]

Each provocation has a namespace of its own, and all run at the same time. Once a cause shows, the script writes the
objects of its namespace and the last log lines of its containers to `tests/diagnose/recorded/NAME.json`: real objects,
without the fields that no rule reads, and without the values of Secrets. It requires Docker, kind, kubectl, helm and
the images of `foundry up`, and takes ten minutes. `--keep` leaves the cluster for the next call. A kubelet that
restarts needs free inotify instances: without them a node never reports MemoryPressure. At the end,
`derived_causes.py` derives the recordings of causes that did not show on this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from derived_causes import derive
from local_images import NODE
from provocation import Obj, Place, Provocation, obj, spec_of
from provoke_cluster import CLUSTER
from provoke_containers import CONTAINERS
from provoke_nodes import NODES, repair
from provoke_services import SERVICES
from recording import KINDS, recording_text, trimmed
from seatrial.runner_pod.inspection import CONNECT, CPU_STATISTICS, connection_targets

CLUSTER_NAME: Final = "seatrial-causes"
RECORDED: Final = Path(__file__).parents[1] / "tests" / "diagnose" / "recorded"
IMAGES: Final = ("foundry.invalid/python:3.13", "foundry.invalid/postgresql:17", "foundry.invalid/registry:2")
SECONDS: Final = 200.0
"""How long a cause may take to show."""

TAIL: Final = 15
"""Log lines of a container that are recorded."""

ACTING: Final = 6
"""Provocations that act at the same time."""

CLUSTER_WIDE: Final = frozenset(
    ("PriorityClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
)


def run(*argv: str, stdin: str = "", check: bool = True) -> str:
    """Run a program and return its output."""
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"{' '.join(argv)[:300]}: {done.stderr.strip()}")
    return done.stdout


def create_cluster(config: Path) -> tuple[str, str]:
    """Create the cluster unless it exists; return its control plane and its worker."""
    if CLUSTER_NAME not in run("kind", "get", "clusters").split():
        # One worker runs all pods: more nodes would exceed the inotify instances of many machines.
        kubelet = json.dumps(
            {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "maxPods": 250}
        )
        nodes = [{"role": role, "image": NODE} for role in ("control-plane", "worker")]
        cluster = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
        config.write_text(json.dumps({**cluster, "kubeadmConfigPatches": [kubelet]}))
        run("kind", "create", "cluster", "--name", CLUSTER_NAME, "--config", str(config), "--wait", "120s")
        run("kind", "load", "docker-image", "--name", CLUSTER_NAME, "--nodes", f"{CLUSTER_NAME}-worker", *IMAGES)
    return f"{CLUSTER_NAME}-control-plane", f"{CLUSTER_NAME}-worker"


def registries(node: str) -> list[Obj]:
    """Return two image registries at the loopback address of a node; the second one requires a password."""
    found = []
    for port, settings in (
        (5000, {}),
        (5001, {"REGISTRY_AUTH_HTPASSWD_REALM": "shop", "REGISTRY_AUTH_HTPASSWD_PATH": "/tmp/users"}),
    ):
        env = {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}", **settings}
        variables = [{"name": name, "value": value} for name, value in env.items()]
        pod = {"hostNetwork": True, "nodeName": node}
        spec = spec_of(image=IMAGES[2], command=None, env=variables, pod=pod)
        found.append(obj("Pod", f"registry-{port}", spec=spec))
    return found


class Recorder:
    """The recording of all provocations on one cluster."""

    def __init__(self, wanted: Sequence[Provocation], nodes: tuple[str, str]) -> None:
        self._wanted = {each.name: each for each in wanted}
        self._places = {name: Place(name, nodes, dict(os.environ)) for name in self._wanted}
        self._acting: set[str] = set()
        self._shown: dict[str, float] = {}
        self._lock = threading.Lock()
        self.problems: dict[str, str] = {}
        version = json.loads(run("kubectl", "version", "-o", "json"))
        hierarchy = run("docker", "exec", nodes[1], "stat", "-fc", "%T", "/sys/fs/cgroup").strip()
        self._about = {
            "kubernetes": version["serverVersion"]["gitVersion"],
            "cgroup": "v2" if hierarchy == "cgroup2fs" else "v1",
        }

    def record(self) -> None:
        """Create all objects, then write each recording once its cause shows."""
        namespaces = [obj("Namespace", name) for name in self._wanted]
        for namespace in namespaces:
            namespace["metadata"]["labels"] = dict(self._wanted[namespace["metadata"]["name"]].labels)
        run("kubectl", "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": namespaces}))
        # Pods are refused until their namespace has its ServiceAccount.
        until = time.monotonic() + 30
        while time.monotonic() < until:
            accounts = json.loads(run("kubectl", "get", "serviceaccounts", "-A", "-o", "json"))["items"]
            if {each["metadata"]["namespace"] for each in accounts} >= set(self._wanted):
                break
            time.sleep(1)
        self._acting = {name for name, wanted in self._wanted.items() if wanted.act}
        if objects := self._objects_wanted():
            run(
                "kubectl", "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            )
        with ThreadPoolExecutor(ACTING) as pool:
            for name in sorted(self._acting):
                pool.submit(self._act, name)
            waits = set(self._wanted)
            until = time.monotonic() + SECONDS
            while waits and (time.monotonic() < until or self._acting):
                time.sleep(4)
                for name in self._look(waits):
                    waits.discard(name)
        for name in waits:
            self.problems.setdefault(name, f"did not show {self._wanted[name].shows}")
            self._write(name, self._objects([name])[name], RECORDED.with_name("not-shown"))

    def _objects_wanted(self) -> list[Obj]:
        """Return what is to be created, in its namespaces."""
        found = []
        for name, wanted in self._wanted.items():
            for each in (*([tests_pod()] if wanted.connects else []), *wanted.objects):
                namespace = {} if each["kind"] in CLUSTER_WIDE else {"namespace": name}
                found.append({**each, "metadata": {**each["metadata"], **namespace}})
        return found

    def _act(self, name: str) -> None:
        try:
            act = self._wanted[name].act
            if act:
                act(self._places[name])
        except (RuntimeError, subprocess.SubprocessError) as error:
            self.problems[name] = str(error)
        finally:
            with self._lock:
                self._acting.discard(name)

    def _look(self, names: Iterable[str]) -> list[str]:
        """Write the recordings of the causes that show; return their names."""
        done = []
        for name, objects in self._objects([each for each in names if each not in self._acting]).items():
            wanted = self._wanted[name]
            if not re.search(wanted.shows, json.dumps(objects)):
                continue
            since = self._shown.setdefault(name, time.monotonic())
            if time.monotonic() - since >= wanted.settle:
                self._write(name, objects, RECORDED)
                done.append(name)
        return done

    def _objects(self, names: Sequence[str]) -> dict[str, list[Obj]]:
        """Return the objects of each namespace."""
        found: dict[str, list[Obj]] = {name: [] for name in names}
        if names:
            listed = json.loads(run("kubectl", "get", ",".join(KINDS), "-A", "-o", "json"))["items"]
            for each in listed:
                if each["metadata"]["namespace"] in found:
                    found[each["metadata"]["namespace"]].append(trimmed(each))
        return found

    def _write(self, name: str, objects: list[Obj], folder: Path) -> None:
        wanted, place = self._wanted[name], self._places[name]
        recorded: Obj = {"name": name, **self._about, "objects": objects, "logs": self._logs(place, objects)}
        if wanted.nodes:
            own = {each["spec"].get("nodeName") for each in objects if each["kind"] == "Pod"}
            recorded["objects"] = [*objects, *cluster_objects(place.namespace, own if wanted.nodes == "own" else None)]
        if wanted.system:
            recorded["objects"] = [*objects, *dns_objects()]
        if wanted.connects:
            recorded["connections"] = connections(place, objects)
        if wanted.usage:
            recorded["usage"] = usage(place, objects)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(recording_text(recorded))
        print(f"{name}: {len(objects)} objects", flush=True)

    def _logs(self, place: Place, objects: list[Obj]) -> dict[str, str]:
        found = {}
        for pod in (each for each in objects if each["kind"] == "Pod" and each["metadata"]["name"] != "tests"):
            status = pod.get("status") or {}
            for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
                if "containerID" not in container:
                    continue
                where = (pod["metadata"]["name"], "-c", container["name"], f"--tail={TAIL}")
                for previous in (False, True) if container["restartCount"] else (False,):
                    text = place.kubectl("logs", *where, f"--previous={str(previous).lower()}", check=False)
                    found[f"{pod['metadata']['name']}/{container['name']}{'/previous' if previous else ''}"] = text
        return {key: text for key, text in found.items() if text}


def tests_pod() -> Obj:
    """Return a pod in the place of the runner pod."""
    found = obj("Pod", "tests", spec=spec_of())
    found["metadata"]["labels"] = {"app": "tests"}
    return found


def cluster_objects(namespace: str, own: set[str | None] | None) -> list[Obj]:
    """Return the nodes, and of the pods on them in other namespaces what they request; only `own` nodes if given."""
    nodes = json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"]
    found = [trimmed(each) for each in nodes if own is None or each["metadata"]["name"] in own]
    for pod in json.loads(run("kubectl", "get", "pods", "-A", "-o", "json"))["items"]:
        spec = pod["spec"]
        containers = [{"name": each["name"], "resources": each.get("resources") or {}} for each in spec["containers"]]
        elsewhere = pod["metadata"]["namespace"] != namespace and spec.get("nodeName") and own is None
        if elsewhere and any(each["resources"] for each in containers):
            found.append(
                {
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {key: pod["metadata"][key] for key in ("name", "namespace")},
                    "spec": {"nodeName": spec["nodeName"], "containers": containers},
                    "status": {"phase": pod["status"]["phase"]},
                }
            )  # fmt: skip
    return found


def dns_objects() -> list[Obj]:
    """Return the Service of the cluster's DNS and its EndpointSlices."""
    argv = ("kubectl", "-n", "kube-system", "get", "services,endpointslices,deployments", "-o", "json")
    return [trimmed(each) for each in json.loads(run(*argv))["items"]]


def connections(place: Place, objects: Iterable[Obj]) -> list[Obj]:
    """Return which connections the pod `tests` can open to the Services of its namespace."""
    targets = connection_targets(objects)
    argv = ("exec", "tests", "--", "python3", "-c", CONNECT, json.dumps(targets))
    found: list[Obj] = json.loads(place.kubectl(*argv))
    return found


def usage(place: Place, objects: Iterable[Obj]) -> dict[str, str]:
    """Return the statistics of CPU time of each container."""
    found = {}
    for pod in (each for each in objects if each["kind"] == "Pod"):
        name = pod["metadata"]["name"]
        found[f"{name}/app"] = place.kubectl("exec", name, "--", *CPU_STATISTICS)
    return found


def main() -> int:
    """Record the named provocations, or all. Return 1 if one did not show its cause."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="names of provocations, or containers, cluster, services, nodes"
    )
    parser.add_argument("--keep", action="store_true", help="keep the cluster")
    asked = parser.parse_args()
    folder = Path(f"/tmp/{CLUSTER_NAME}")
    folder.mkdir(exist_ok=True)
    os.environ["KUBECONFIG"] = str(folder / "kubeconfig")
    groups = {"containers": CONTAINERS, "cluster": CLUSTER, "services": SERVICES, "nodes": NODES}
    chosen = [each for group in asked.names for each in groups.get(group, ())]
    chosen += [each for group in groups.values() for each in group if not asked.names or each.name in asked.names]
    last = [each for each in NODES if each in chosen]
    wanted = [each for each in chosen if each not in last]
    began = time.monotonic()
    try:
        nodes = create_cluster(folder / "kind.json")
        # An interrupted call may have left a kubelet stopped.
        repair(Place("default", nodes, dict(os.environ)))
        print(f"cluster after {time.monotonic() - began:.0f} s", flush=True)
        old = [each.name for each in (*wanted, *last)]
        run(
            "kubectl",
            "delete",
            "namespace,priorityclass,storageclass",
            "--ignore-not-found",
            *old,
            "urgent",
            "nowhere",
            "--timeout=90s",
            check=False,
        )
        run(
            "kubectl",
            "apply",
            "-n",
            "default",
            "-f",
            "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": registries(nodes[1])}),
        )
        problems = {}
        for group in (wanted, *([each] for each in last)):
            if group:
                recorder = Recorder(group, nodes)
                recorder.record()
                problems |= recorder.problems
                repair(Place("default", nodes, dict(os.environ)))
    finally:
        if not asked.keep:
            run("kind", "delete", "cluster", "--name", CLUSTER_NAME)
    print(f"derived: {', '.join(derive(RECORDED))}")
    for name, problem in problems.items():
        print(f"{name}: {problem}")
    print(f"{len(wanted) + len(last) - len(problems)} causes recorded in {time.monotonic() - began:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
