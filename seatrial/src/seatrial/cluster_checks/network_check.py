"""Wait until pods of a new cluster resolve a Service name and connect to pods on every other node.

The condition `Ready` of the nodes is not enough. Routes between nodes and the Service network work a little later, and
tests that start before fail because of the platform.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Kube, Nodes, Object, Progress, Warn
from seatrial.runner.decoder import decode_log
from seatrial.watching.watch_set import bounded_watch

__all__ = ["dns_question", "pause_image", "wait_for_network"]

_NAMESPACE: Final = "seatrial-network-check"
_PAUSE_IMAGE: Final = "registry.k8s.io/pause:3.10"
_PAUSE_SECONDS: Final = 0.1
_HINT: Final = "seatrial doctor reports too few inotify instances, a known cause; else check the pods of kube-system"

# Runs on a node. The other pod's network refuses a connection to a closed port, which proves that the route works.
# Uses /dev/udp and /dev/tcp of Bash and ctr of containerd, as node images contain few other tools.
_PROBE: Final = r"""
set -u
quiet() {{ ctr --namespace k8s.io "$@" 2>/dev/null; }}
inside() {{ nsenter --target "$pid" --net timeout 2 bash -c "$1" 2>&1; }}
enters() {{
  pid=""
  id=$(quiet containers ls --quiet 'labels."io.kubernetes.pod.namespace"=={namespace}' | head -n 1)
  while read -r task its_pid _; do [ "$task" = "$id" ] && pid=$its_pid; done < <(quiet tasks ls)
  [ -n "$pid" ]
}}
resolves() {{
  ask="exec 3<>/dev/udp/{dns}/53; printf '{question}' >&3; head -c 12 <&3 | od -An -v -tu1"
  set -- $(inside "$ask")
  [ $# -eq 12 ] && [ $(($4 % 16)) -eq 0 ] && [ $(($7 + $8)) -gt 0 ]
}}
reaches() {{ case $(inside "exec 3<>/dev/tcp/$1/9") in *refused*) return 0 ;; *) return 1 ;; esac; }}
while :; do
  what=""
  if ! enters; then what="the pod's network cannot be entered"
  elif ! resolves; then what="names of Services do not resolve"
  else for peer in {peers}; do reaches "$peer" || what="pod $peer on another node cannot be reached"; done
  fi
  [ -z "$what" ] && exit 0
  [ $SECONDS -ge {seconds} ] && break
  sleep 0.2
done
echo "$what"
exit 1
"""

_NAME: Final = "kube-dns.kube-system.svc.cluster.local"
"""A Service that every cluster has. No label of its name has ten letters: Bash would send the question in two parts, as
the length ten is encoded as a line feed."""

_STORAGE: Final = 10.0
"""Seconds to wait for the first StorageClass."""

_NETWORK_SECONDS: Final = 60.0
"""Seconds after which the network counts as broken."""


def wait_for_network(kube: Kube, nodes: Nodes, *, deadline: Deadline, progress: Progress, warn: Warn) -> None:
    """Wait until pods on all nodes resolve names and connect to each other, and a StorageClass exists.

    Args:
        kube: the cluster's API.
        nodes: the cluster's nodes.
        deadline: ends the wait.
        progress: takes what the check waits for.
        warn: takes a warning if there is no StorageClass after 10 s.

    Raises:
        EnvironmentFailed: a node starts no pod, or the network does not work in time.
    """
    progress("waiting for a pod on each node")
    names = [node["metadata"]["name"] for node in kube.objects("v1/Node")]
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
    image = pause_image(kube.objects("v1/Node"))
    for name in names:
        _create_pod(kube, _pod(name, image), deadline)
    addresses = _addresses(kube, set(names), deadline)
    progress("waiting for DNS and routes between nodes")
    service = kube.get("v1/Service", "kube-dns", "kube-system") or {}
    dns = str(service.get("spec", {}).get("clusterIP", "10.96.0.10"))

    def probe(name: str) -> str:
        script = _PROBE.format(
            namespace=_NAMESPACE,
            dns=dns,
            question=dns_question(_NAME),
            peers=" ".join(address for node, address in addresses.items() if node != name),
            seconds=int(deadline.child(_NETWORK_SECONDS).left),
        )
        done = nodes.run(name, ["bash", "-c", script], deadline=deadline, check=False)
        return "" if done.code == 0 else f"{name}: {decode_log(done.stdout).strip()}"

    with ThreadPoolExecutor(len(names)) as pool:
        failures = [failure for failure in pool.map(probe, names) if failure]
    if failures:
        raise EnvironmentFailed("pods of the new cluster cannot connect to each other", reason=failures[0], hint=_HINT)
    if not _has_storage(kube, deadline):
        warn(f"the cluster has no StorageClass after {_STORAGE:.0f} s: claims without a class will stay pending")
    kube.delete("v1/Namespace", _NAMESPACE)


def dns_question(name: str) -> str:
    r"""Return a DNS question for the IPv4 address of a name, as an argument of printf: `\x00\x03…` (RFC 1035, 4.1)."""
    header = bytes((0, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return "".join(f"\\x{byte:02x}" for byte in header + labels + bytes((0, 0, 1, 0, 1)))


def pause_image(nodes: list[Object]) -> str:
    """Return the pause image, which every node has for the sandboxes of pods."""
    for node in nodes:
        for image in (node.get("status") or {}).get("images") or ():
            for name in image.get("names") or ():
                if re.search(r"/pause:[\w.]+$", name):
                    return str(name)
    return _PAUSE_IMAGE


def _pod(node: str, image: str) -> Object:
    limits = {"cpu": "50m", "memory": "32Mi"}
    spec: dict[str, Any] = {
        # Without the scheduler, which would wait until the node is Ready and would skip tainted nodes.
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "pause", "image": image, "resources": {"limits": limits}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node, "namespace": _NAMESPACE}, "spec": spec}


def _create_pod(kube: Kube, pod: Object, deadline: Deadline) -> None:
    """Create a pod once its namespace has the ServiceAccount that every pod needs."""
    while True:
        try:
            kube.apply(pod)
        except EnvironmentFailed as refused:
            if "serviceaccount" not in refused.reason or deadline.passed:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _addresses(kube: Kube, nodes: set[str], deadline: Deadline) -> dict[str, str]:
    """Return the pods' addresses by node once all pods run."""
    found: dict[str, str] = {}
    with bounded_watch(kube.watch("v1/Pod", _NAMESPACE), deadline) as watch:
        for change in watch:
            for pod in change.objects:
                status = pod.get("status") or {}
                if status.get("phase") == "Running" and status.get("podIP"):
                    found[pod["spec"]["nodeName"]] = status["podIP"]
            if nodes <= found.keys():
                return found
    missing = ", ".join(sorted(nodes - found.keys()))
    raise EnvironmentFailed(f"no pod starts on {missing}", hint="check the pods of kube-system")


def _has_storage(kube: Kube, deadline: Deadline) -> bool:
    """Wait for a StorageClass, which kind creates last, and return whether there is one.

    A node image without a provisioner is no error: a project may have no PersistentVolumeClaim.
    """
    limit = deadline.child(_STORAGE)
    while not kube.objects("storage.k8s.io/v1/StorageClass"):
        if limit.passed:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
