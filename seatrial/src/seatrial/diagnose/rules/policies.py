"""Decide whether NetworkPolicies allow a connection. Pure.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seatrial.diagnose.rules.objects import containers_of, selects
from seatrial.ports import Object

__all__ = ["Peer", "blocking_policies"]

_EGRESS, _INGRESS = "Egress", "Ingress"
_SIDES: Final = {_INGRESS: ("ingress", "from"), _EGRESS: ("egress", "to")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A pod at one end of a connection, and the labels of its namespace."""

    pod: Object
    namespace_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The namespace of the pod."""
        return str(self.pod["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the pod."""
        return self.pod["metadata"].get("labels") or {}


def blocking_policies(policies: Iterable[Object], source: Peer, target: Peer, port: int) -> list[tuple[Object, str]]:
    """Return the policies that keep a pod from connecting to another one, each with `Ingress` or `Egress`.

    Args:
        policies: all NetworkPolicies.
        source: the pod that connects.
        target: the pod that listens.
        port: TCP port of the target pod.
    """
    every = list(policies)
    found = []
    for side, own, other in ((_INGRESS, target, source), (_EGRESS, source, target)):
        chosen = [each for each in every if _applies(each, own, side)]
        if chosen and not any(_allows(each, side, other, (target.pod, port)) for each in chosen):
            found += [(each, side) for each in chosen]
    return found


def _applies(policy: Object, pod: Peer, side: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or (_INGRESS, *((_EGRESS,) if "egress" in spec else ()))
    same = policy["metadata"].get("namespace") == pod.namespace
    return same and side in types and selects(spec.get("podSelector") or {}, pod.labels.items())


def _allows(policy: Object, side: str, other: Peer, listener: tuple[Object, int]) -> bool:
    rules, peers = _SIDES[side]
    namespace = policy["metadata"].get("namespace", "")
    for rule in policy["spec"].get(rules) or ():
        near = not rule.get(peers) or any(_is_peer(each, other, namespace) for each in rule[peers])
        if near and (not rule.get("ports") or any(_is_port(each, *listener) for each in rule["ports"])):
            return True
    return False


def _is_peer(peer: Object, pod: Peer, namespace: str) -> bool:
    if block := peer.get("ipBlock"):
        address = str((pod.pod.get("status") or {}).get("podIP") or "")
        return (
            bool(address)
            and _within(address, block["cidr"])
            and not any(_within(address, each) for each in block.get("except") or ())
        )
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"] or {}, pod.namespace_labels.items()):
            return False
    elif pod.namespace != namespace:
        return False
    return selects(peer.get("podSelector") or {}, pod.labels.items())


def _within(address: str, cidr: str) -> bool:
    one, net = ipaddress.ip_address(address), ipaddress.ip_network(cidr, strict=False)
    return one.version == net.version and one in net


def _is_port(rule: Object, pod: Object, port: int) -> bool:
    if rule.get("protocol", "TCP") != "TCP":
        return False
    wanted = rule.get("port")
    if isinstance(wanted, str):
        named = (each for one in containers_of(pod["spec"]) for each in one.get("ports") or ())
        return any(each.get("name") == wanted and each.get("containerPort") == port for each in named)
    return wanted is None or int(wanted) <= port <= int(rule.get("endPort") or wanted)
