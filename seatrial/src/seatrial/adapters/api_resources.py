"""Map Kubernetes kinds to API paths: common kinds from a table, all others by API discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from seatrial.model.errors import EnvironmentFailed

__all__ = ["ApiResources"]

_PLURALS: Final = {
    "v1": (
        (
            "configmaps endpoints events limitranges persistentvolumeclaims pods replicationcontrollers resourcequotas"
            " secrets serviceaccounts services"
        ),
        "namespaces nodes persistentvolumes",
    ),
    "admissionregistration.k8s.io/v1": ("", "validatingadmissionpolicies validatingadmissionpolicybindings"),
    "apps/v1": ("daemonsets deployments replicasets statefulsets", ""),
    "batch/v1": ("cronjobs jobs", ""),
    "coordination.k8s.io/v1": ("leases", ""),
    "discovery.k8s.io/v1": ("endpointslices", ""),
    "networking.k8s.io/v1": ("networkpolicies ingresses", "ingressclasses"),
    "policy/v1": ("poddisruptionbudgets", ""),
    "rbac.authorization.k8s.io/v1": ("roles rolebindings", "clusterroles clusterrolebindings"),
    "storage.k8s.io/v1": ("", "storageclasses"),
}
"""apiVersion to plurals of namespaced and of cluster-scoped resources. Saves one request for each API group."""


class ApiResources:
    """Paths of the resources of one API server.

    Args:
        discover: returns the APIResourceList of a path such as `/apis/apps/v1`; None if the server has no such group.
    """

    def __init__(self, discover: Callable[[str], dict[str, Any] | None]) -> None:
        self._discover = discover
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}

    def path(self, kind: str, namespace: str = "", name: str = "") -> str:
        """Return the path of a kind, of its objects in a namespace, or of one object.

        Raises:
            EnvironmentFailed: the API server does not know the kind.
        """
        api, _, bare = kind.rpartition("/")
        plural, namespaced = self._resource(api, bare)
        root = _root(api)
        scope = f"/namespaces/{quote(namespace)}" if namespaced and namespace else ""
        return f"{root}{scope}/{plural}" + (f"/{quote(name)}" if name else "")

    def namespaced(self, kind: str) -> bool:
        """Whether a kind is namespaced."""
        api, _, bare = kind.rpartition("/")
        return self._resource(api, bare)[1]

    def _resource(self, api: str, bare: str) -> tuple[str, bool]:
        for plurals, namespaced in zip(_PLURALS.get(api, ()), (True, False), strict=False):
            for plural in plurals.split():
                if bare.lower() in (plural, plural.removesuffix("s"), plural.removesuffix("es"), f"{plural[:-3]}y"):
                    return plural, namespaced
        # An unknown kind is discovered again: its CustomResourceDefinition may be new.
        if bare not in self._known.get(api, {}):
            found = self._discover(_root(api)) or {}
            self._known[api] = {
                entry["kind"]: (entry["name"], bool(entry["namespaced"]))
                for entry in found.get("resources") or ()
                if "/" not in entry["name"]
            }
        if bare not in self._known[api]:
            group = api.rpartition("/")[0]
            raise EnvironmentFailed(
                f"kind {bare} in {api} not found in the cluster",
                reason="its CustomResourceDefinition is not installed",
                hint=f"install it before the release; kubectl api-resources --api-group={group}",
            )
        return self._known[api][bare]


def _root(api: str) -> str:
    return f"/apis/{api}" if "/" in api else f"/api/{api}"
