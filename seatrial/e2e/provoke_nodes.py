"""Provoke problems of nodes and of the cluster's DNS, which concern every namespace, and repair them."""

from __future__ import annotations

import subprocess
import time
from typing import Any, Final

from provocation import PORT, SERVE, Place, Provocation, deployment, script, service

__all__ = ["NODES", "repair"]

_CONFIG: Final = "/var/lib/kubelet/config.yaml"


def _on_node(node: str, command: str) -> None:
    subprocess.run(["docker", "exec", node, "sh", "-c", command], check=True, capture_output=True, timeout=60)


def _deploy(place: Place) -> None:
    place.apply(deployment(**script(SERVE)), service())
    place.wait_ready("api")


def _pressure(signal: str, threshold: str) -> Any:
    """Return an action that raises an eviction threshold of a kubelet above what its node has."""

    def act(place: Place) -> None:
        _deploy(place)
        edit = f"cp {_CONFIG} {_CONFIG}.before; "
        edit += f"sed -i 's/^evictionHard:/evictionHard:\\n  {signal}: \"{threshold}\"/' {_CONFIG}"
        if signal == "nodefs.available":
            edit += f"; sed -i '/nodefs.available: 0%/d' {_CONFIG}"
        _on_node(place.nodes[1], f"{edit}; systemctl restart kubelet")

    return act


def _stop_kubelet(place: Place) -> None:
    _deploy(place)
    _on_node(place.nodes[1], "systemctl stop kubelet")


def _stop_dns(place: Place) -> None:
    place.apply(deployment(**script(SERVE), readinessProbe={"tcpSocket": {"port": PORT}}), service())
    place.wait_ready("api")
    place.kubectl("-n", "kube-system", "scale", "deployment/coredns", "--replicas=0")
    time.sleep(8)


NODES: Final = (
    Provocation("dns-unavailable", '"availableReplicas": 1', act=_stop_dns, connects=True, system=True),
    Provocation("node-not-ready", '"reason": "NodeNotReady"', act=_stop_kubelet, nodes="own"),
    Provocation("disk-pressure", '"reason": "Evicted"', act=_pressure("nodefs.available", "99%"), nodes="own"),
    Provocation("memory-pressure", '"reason": "Evicted"', act=_pressure("memory.available", "900Gi"), nodes="own"),
)


def repair(place: Place) -> None:
    """Undo what the provocations changed outside their namespaces."""
    place.kubectl("-n", "kube-system", "scale", "deployment/coredns", "--replicas=2")
    undo = f"if [ -e {_CONFIG}.before ]; then mv {_CONFIG}.before {_CONFIG}; systemctl restart kubelet; fi"
    _on_node(place.nodes[1], f"{undo}; systemctl start kubelet")
    node = f"node/{place.nodes[1]}"
    for condition in ("Ready=True", "MemoryPressure=False", "DiskPressure=False"):
        place.kubectl("wait", f"--for=condition={condition}", node, "--timeout=80s")
