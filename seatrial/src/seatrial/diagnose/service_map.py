"""The Services of a cluster as tests name them, and which others the pods behind each of them use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.diagnose.incidents.incident import ServiceName
from seatrial.diagnose.settings import named_services, settings_of
from seatrial.model.timeline import EndpointsRecord, PodRecord
from seatrial.model.timeline_index import TimelineIndex
from seatrial.ports import Object

__all__ = ["KnownService", "ServiceMap", "service_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownService:
    """A Service of Kubernetes.

    Attributes:
        configured: its names in the configuration of the project.
        addresses: its cluster IPs.
        ports: its ports.
        selector: labels of its pods.
        target_ports: port to target port, number or name.
        uses: Services whose names the pods behind it have in their settings, with the setting.
    """

    namespace: str
    name: str
    configured: tuple[str, ...] = ()
    addresses: frozenset[str] = frozenset()
    ports: tuple[int, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    target_ports: Mapping[int, int | str] = field(default_factory=dict)
    uses: Mapping[ServiceName, str] = field(default_factory=dict)

    @property
    def key(self) -> ServiceName:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def shown(self) -> str:
        """The name that people know it by."""
        return self.configured[0] if self.configured else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMap:
    """All known Services.

    Attributes:
        namespace: namespace of the runner pod, in which short names resolve.
        pods: uid of a pod to the Services that it is or was behind.
        pod_addresses: IP address of a pod to these Services.
        workloads: namespace, kind and name of a workload to the Services in front of it.
        nodes: node to the Services that have a pod on it.
    """

    namespace: str
    services: Mapping[ServiceName, KnownService] = field(default_factory=dict)
    pods: Mapping[str, frozenset[ServiceName]] = field(default_factory=dict)
    pod_addresses: Mapping[str, frozenset[ServiceName]] = field(default_factory=dict)
    workloads: Mapping[tuple[str, str, str], frozenset[ServiceName]] = field(default_factory=dict)
    nodes: Mapping[str, frozenset[ServiceName]] = field(default_factory=dict)

    def of_workload(self, namespace: str, kind: str, name: str) -> frozenset[ServiceName]:
        """Return the Services in front of a workload."""
        return self.workloads.get((namespace, kind, name), frozenset())

    def on_node(self, node: str) -> frozenset[ServiceName]:
        """Return the Services that have a pod on a node."""
        return self.nodes.get(node, frozenset())

    def configured(self, name: str) -> KnownService | None:
        """Return the Service of a name in the configuration, else the Service of that name beside the runner."""
        for each in self.services.values():
            if name in each.configured:
                return each
        return self.services.get((self.namespace, name))

    def at(self, host: str) -> list[KnownService]:
        """Return the Services that a host name or IP address means for the runner pod."""
        lower = host.lower()
        by_address = [each for each in self.services.values() if lower in each.addresses]
        if by_address:
            return by_address
        if lower in self.pod_addresses:
            return [self.services[key] for key in self.pod_addresses[lower] if key in self.services]
        name, _, rest = lower.partition(".")
        namespace = rest.split(".")[0] if rest else self.namespace
        found = self.services.get((namespace, name))
        if found is None and rest.count("."):
            # The name of a pod of a StatefulSet comes first: db-0.db.shop.svc
            parts = lower.split(".")
            found = self.services.get((parts[2], parts[1])) or self.services.get((self.namespace, parts[1]))
        elif found is None and rest:
            found = self.services.get((self.namespace, rest))
        return [found] if found is not None else []


def service_map(
    index: TimelineIndex,
    *,
    namespace: str,
    configured: Mapping[str, Mapping[str, Any]],
    services: Iterable[Object],
    workloads: Iterable[Object] = (),
    config_maps: Iterable[Object] = (),
) -> ServiceMap:
    """Return the map of a cluster's Services.

    Args:
        index: the recorded EndpointSlices and pods.
        namespace: namespace of the runner pod.
        configured: name in the configuration to its settings: `service`, `namespace`, `port`.
        services: the Service objects.
        workloads: Deployments, StatefulSets, DaemonSets and pods without a controller.
        config_maps: the ConfigMaps that they may refer to.
    """
    names: dict[ServiceName, list[str]] = {}
    for name, settings in configured.items():
        names.setdefault((settings["namespace"], settings["service"]), []).append(name)
    objects = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in services}
    # A Service may have been deleted since.
    recorded = [(each.namespace, each.service) for each in index.of(EndpointsRecord) if each.service]
    known = {
        key: _known(key, objects.get(key, {}), tuple(names.get(key, ())))
        for key in dict.fromkeys((*objects, *names, *recorded))
    }
    data = {(each["metadata"]["namespace"], each["metadata"]["name"]): each.get("data") or {} for each in config_maps}
    uses: dict[ServiceName, dict[ServiceName, str]] = {}
    fronts: dict[tuple[str, str, str], set[ServiceName]] = {}
    for workload in workloads:
        template = workload["spec"].get("template", workload)
        labels = (template.get("metadata") or {}).get("labels") or {}
        place = workload["metadata"]["namespace"]
        behind = [each.key for each in known.values() if each.namespace == place and _selects(each.selector, labels)]
        fronts.setdefault((place, workload["kind"], workload["metadata"]["name"]), set()).update(behind)
        for setting, value in settings_of(template["spec"], place, data) if behind else ():
            for target in named_services(setting, value, place, known):
                for key in behind:
                    if target != key:
                        uses.setdefault(key, {}).setdefault(target, setting)
    complete = {key: _with_uses(each, uses.get(key, {})) for key, each in known.items()}
    return _with_pods(index, namespace, complete, fronts)


def _known(key: ServiceName, obj: Object, configured: tuple[str, ...]) -> KnownService:
    spec = obj.get("spec") or {}
    ports = spec.get("ports") or ()
    return KnownService(
        namespace=key[0],
        name=key[1],
        configured=configured,
        addresses=frozenset(ip for ip in spec.get("clusterIPs") or () if ip != "None"),
        ports=tuple(int(port["port"]) for port in ports),
        selector=dict(spec.get("selector") or {}),
        target_ports={int(port["port"]): port.get("targetPort", port["port"]) for port in ports},
    )


def _with_uses(of: KnownService, uses: Mapping[ServiceName, str]) -> KnownService:
    return KnownService(
        namespace=of.namespace, name=of.name, configured=of.configured, addresses=of.addresses, ports=of.ports,
        selector=of.selector, target_ports=of.target_ports, uses=uses,
    )  # fmt: skip


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def _with_pods(
    index: TimelineIndex,
    namespace: str,
    known: Mapping[ServiceName, KnownService],
    fronts: dict[tuple[str, str, str], set[ServiceName]],
) -> ServiceMap:
    """Return the map with the Services of each recorded pod, of its address, its workload and its node."""
    pods: dict[str, set[ServiceName]] = {}
    addresses: dict[str, set[ServiceName]] = {}
    nodes: dict[str, set[ServiceName]] = {}
    for slice_ in index.of(EndpointsRecord):
        for endpoint in (*slice_.ready, *slice_.not_ready):
            if slice_.service and endpoint.uid:
                pods.setdefault(endpoint.uid, set()).add((slice_.namespace, slice_.service))
    for pod in index.of(PodRecord):
        its = pods.setdefault(pod.uid, set())
        its |= {
            each.key
            for each in known.values()
            if each.namespace == pod.namespace and _selects(each.selector, pod.labels)
        }
        for address in pod.addresses:
            addresses.setdefault(address, set()).update(its)
        if pod.node:
            nodes.setdefault(pod.node, set()).update(its)
        if pod.controller is not None:
            fronts.setdefault((pod.namespace, pod.controller.kind, pod.controller.name), set()).update(its)
    return ServiceMap(
        namespace=namespace,
        services=known,
        pods={key: frozenset(names) for key, names in pods.items()},
        pod_addresses={key: frozenset(names) for key, names in addresses.items()},
        workloads={key: frozenset(names) for key, names in fronts.items()},
        nodes={key: frozenset(names) for key, names in nodes.items()},
    )
