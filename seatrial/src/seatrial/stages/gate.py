"""When a new cluster is of use: a pod on each node resolves a Service and reaches a pod on every other node.

Nodes that say Ready are not enough: routes between them and the Service network come up a little later, and tests that
start in between fail by the platform's fault.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.result import Stage
from seatrial.ports import Kube, Object
from seatrial.runner.decoder import decode_log
from seatrial.stages.context import Ctx
from seatrial.watching.watch_set import bounded_watch

__all__ = ["dns_question", "pause_image", "wait"]

_NAMESPACE: Final = "seatrial-gate"
_PAUSE: Final = "registry.k8s.io/pause:3.10"
_RETRY: Final = 0.1
_HINT: Final = "seatrial doctor: too few inotify instances do that; else look at the pods of kube-system"

# Runs on a node. A port that nobody listens on refuses: that answer came from the other pod's network, which is the
# proof. Bash's own /dev/udp and /dev/tcp and containerd's own ctr, because node images have little else.
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
"""A Service that every cluster has. None of its labels has ten letters: that length is written as a line feed, at which
bash would send half a question."""

_STORAGE: Final = 10.0
"""Seconds after which a cluster without a storage class is taken for one that has none."""

_ENOUGH: Final = 60.0
"""Seconds after which a network that does not work is broken, not late."""


def wait(ctx: Ctx, deadline: Deadline) -> float:
    """Wait until the cluster is of use, and return how many seconds that took.

    Raises:
        EnvironmentFailed: it will not be.
    """
    started = time.monotonic()
    nodes = ctx.env.nodes
    if nodes is None:
        return 0.0
    kube = ctx.kube
    tell = ctx.progress(Stage.CLUSTER)
    tell("waiting for a pod on each node")
    names = [node["metadata"]["name"] for node in kube.objects("v1/Node")]
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
    image = pause_image(kube.objects("v1/Node"))
    for name in names:
        _make(kube, _pod(name, image), deadline)
    addresses = _addresses(kube, set(names), deadline)
    tell("waiting for names and routes between nodes")
    service = kube.get("v1/Service", "kube-dns", "kube-system") or {}
    dns = str(service.get("spec", {}).get("clusterIP", "10.96.0.10"))

    def probe(name: str) -> str:
        script = _PROBE.format(
            namespace=_NAMESPACE,
            dns=dns,
            question=dns_question(_NAME),
            peers=" ".join(address for node, address in addresses.items() if node != name),
            seconds=int(deadline.child(_ENOUGH).left),
        )
        done = nodes.run(name, ["bash", "-c", script], deadline=deadline, check=False)
        return "" if done.code == 0 else f"{name}: {decode_log(done.stdout).strip()}"

    with ThreadPoolExecutor(len(names)) as pool:
        failures = [said for said in pool.map(probe, names) if said]
    if failures:
        raise EnvironmentFailed("pods of the new cluster do not reach each other", reason=failures[0], hint=_HINT)
    if not _has_storage(kube, deadline):
        ctx.warn(f"the cluster has no StorageClass after {_STORAGE:.0f} s: claims that name none will stay pending")
    kube.delete("v1/Namespace", _NAMESPACE)
    return time.monotonic() - started


def dns_question(name: str) -> str:
    r"""Return a DNS question for the IPv4 address of a name, written for printf: `\x00\x03…` (RFC 1035, 4.1)."""
    header = bytes((0, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return "".join(f"\\x{byte:02x}" for byte in header + labels + bytes((0, 0, 1, 0, 1)))


def pause_image(nodes: list[Object]) -> str:
    """Return the image of a container that does nothing, which every node has for its pods' sandboxes."""
    for node in nodes:
        for image in (node.get("status") or {}).get("images") or ():
            for name in image.get("names") or ():
                if re.search(r"/pause:[\w.]+$", name):
                    return str(name)
    return _PAUSE


def _pod(node: str, image: str) -> Object:
    limits = {"cpu": "50m", "memory": "32Mi"}
    spec: dict[str, Any] = {
        # Bound by hand: the scheduler would wait for the node to be Ready, and leave tainted ones out.
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "pause", "image": image, "resources": {"limits": limits}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node, "namespace": _NAMESPACE}, "spec": spec}


def _make(kube: Kube, pod: Object, deadline: Deadline) -> None:
    """Make a pod as soon as its namespace has the ServiceAccount that every pod needs."""
    while True:
        try:
            kube.apply(pod)
        except EnvironmentFailed as refused:
            if "serviceaccount" not in refused.reason or deadline.passed:
                raise
            time.sleep(_RETRY)
        else:
            return


def _addresses(kube: Kube, nodes: set[str], deadline: Deadline) -> dict[str, str]:
    """Return the addresses of the pods by node, once all have one and run."""
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
    raise EnvironmentFailed(f"no pod starts on {missing}", hint="look at the pods of kube-system")


def _has_storage(kube: Kube, deadline: Deadline) -> bool:
    """Wait for a storage class, which kind makes last and the claims of a chart need; say whether there is one.

    A node image without a provisioner is no error: not every project has claims.
    """
    limit = deadline.child(_STORAGE)
    while not kube.objects("storage.k8s.io/v1/StorageClass"):
        if limit.passed:
            return False
        time.sleep(_RETRY)
    return True
