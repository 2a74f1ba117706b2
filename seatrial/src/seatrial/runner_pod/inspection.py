"""Connect to Services from the runner pod, and read the CPU statistics of containers, for the rules of `diagnose`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from seatrial.diagnose.rules.services import Network
from seatrial.model.connection import Connection
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import RunnerSpec
from seatrial.ports import Kube, Object, StreamBroken

__all__ = ["CONNECT", "CPU_STATISTICS", "connection_targets", "cpu_statistics", "inspect_network"]

CONNECT: Final = """
import concurrent.futures, json, socket, sys
def result(host, port):
    try:
        place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        return "found no address", str(error)
    try:
        with socket.socket(place[0], place[1]) as connection:
            connection.settimeout(3)
            connection.connect(place[4])
    except TimeoutError:
        return "timed out", ""
    except ConnectionRefusedError:
        return "was refused", ""
    except OSError as error:
        return "found no route", str(error)
    return "was accepted", ""
targets = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    results = pool.map(lambda target: result(target["host"], target["port"]), targets)
    print(json.dumps([{**target, "outcome": word, "text": text} for target, (word, text) in zip(targets, results)]))
"""
"""Program of the runner pod: prints the targets of its argument, each with the result of a TCP connection."""

CPU_STATISTICS: Final = ("sh", "-c", "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null; true")
"""Command that prints the CPU statistics of its container, under cgroup v2 and v1."""


_SECONDS: Final = 20.0
"""Time for all connections, or for a command in one container."""

_SLICES: Final = "discovery.k8s.io/v1/EndpointSlice"
_POLICIES: Final = "networking.k8s.io/v1/NetworkPolicy"
_WORKLOADS: Final = ("apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet")


def inspect_network(kube: Kube, runner: RunnerSpec, namespaces: Sequence[str]) -> Network:
    """Return what decides whether Services answer: their objects, and connections from the runner pod if it runs.

    Args:
        kube: the cluster's API.
        runner: the runner.
        namespaces: namespaces of the Services.
    """

    def listed(*kinds: str) -> list[Object]:
        return [obj for place in namespaces for kind in kinds for obj in kube.objects(kind, place)]

    services, slices = listed("v1/Service"), listed(_SLICES)
    pod = kube.get("v1/Pod", runner.pod, runner.namespace)
    targets = connection_targets([*services, *slices])
    places = dict.fromkeys((*namespaces, runner.namespace))
    spaces = {place: kube.get("v1/Namespace", place) or {"metadata": {}} for place in places}
    return Network(
        services=services,
        slices=slices,
        pods=listed("v1/Pod"),
        workloads=listed(*_WORKLOADS),
        policies=[obj for place in places for obj in kube.objects(_POLICIES, place)],
        connections=_connections(kube, runner, targets) if pod is not None and targets else (),
        runner=pod,
        namespace_labels={place: space["metadata"].get("labels") or {} for place, space in spaces.items()},
    )


def _connections(kube: Kube, runner: RunnerSpec, targets: Sequence[dict[str, Any]]) -> list[Connection]:
    """Return the results of connections from the runner pod; none if it does not run them."""
    argv = ["python3", "-c", CONNECT, json.dumps(targets)]
    try:
        done = kube.exec(runner.pod, runner.namespace).run(argv, container="tests", timeout=_SECONDS)
        return msgspec.json.decode(done.stdout, type=list[Connection])
    except (SeatrialError, StreamBroken, msgspec.DecodeError):
        return []


def cpu_statistics(kube: Kube, pod: Object, container: str) -> str:
    """Return the CPU statistics of a container; empty if it has no shell."""
    meta = pod["metadata"]
    try:
        done = kube.exec(meta["name"], meta["namespace"]).run(CPU_STATISTICS, container=container, timeout=_SECONDS)
    except (SeatrialError, StreamBroken):
        return ""
    return done.stdout.decode(errors="replace")


def connection_targets(objects: Iterable[Object]) -> list[dict[str, Any]]:
    """Return the connections that show what keeps a Service from answering: by name, by address, and to each pod. Pure.

    Args:
        objects: Services and EndpointSlices.
    """
    listed = list(objects)
    found: list[dict[str, Any]] = []
    for service in (each for each in listed if each["kind"] == "Service"):
        meta, spec = service["metadata"], service["spec"]
        if not spec.get("selector"):
            continue
        about = {"namespace": meta["namespace"], "service": meta["name"]}
        for port in (each for each in spec.get("ports") or () if each.get("protocol", "TCP") == "TCP"):
            host = f"{meta['name']}.{meta['namespace']}.svc"
            found.append({**about, "to": "name", "host": host, "port": port["port"]})
            if spec.get("clusterIP") not in (None, "None"):
                found.append({**about, "to": "address", "host": spec["clusterIP"], "port": port["port"]})
        found += [{**about, "to": "pod", **target} for target in _pods(listed, meta["namespace"], meta["name"])]
    return found


def _pods(objects: Sequence[Object], namespace: str, service: str) -> list[dict[str, Any]]:
    """Return address and port of the ready pods behind a Service."""
    found = []
    for part in (each for each in objects if each["kind"] == "EndpointSlice"):
        meta = part["metadata"]
        if meta["namespace"] != namespace or (meta.get("labels") or {}).get("kubernetes.io/service-name") != service:
            continue
        for endpoint in part.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found += [
                    {"host": endpoint["addresses"][0], "port": port["port"]}
                    for port in part.get("ports") or ()
                    if port.get("port") and port.get("protocol", "TCP") == "TCP"
                ]
    return found
