"""Evaluate admission policies as an API server does, with a real CEL evaluator."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cel

CLUSTER_WIDE = ("namespaces",)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that was authorized.

    Attributes:
        resource: with its subresource: `pods/ephemeralcontainers`.
        namespace_labels: of the namespace that the object lives in.
    """

    user: str
    operation: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str = ""
    obj: dict[str, Any] | None = None
    old: dict[str, Any] | None = None
    namespace_labels: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, Any]:
        bare, _, sub = self.resource.partition("/")
        lives_in = {"metadata": {"name": self.namespace, "labels": self.namespace_labels}}
        return {
            "object": self.obj,
            "oldObject": self.old,
            "namespaceObject": None if bare in CLUSTER_WIDE else lives_in,
            "request": {
                "name": self.name,
                "namespace": self.namespace,
                "operation": self.operation,
                "resource": {"group": self.group, "version": "v1", "resource": bare},
                "subResource": sub,
                "userInfo": {"username": self.user},
            },
        }


def refusals(objects: list[dict[str, Any]], request: Request) -> list[str]:
    """Return the messages with which policies among the objects refuse a request; empty if they admit it."""
    policies = {obj["metadata"]["name"]: obj["spec"] for obj in objects if obj["kind"] == "ValidatingAdmissionPolicy"}
    found = []
    for binding in objects:
        if binding["kind"] != "ValidatingAdmissionPolicyBinding" or "Deny" not in binding["spec"]["validationActions"]:
            continue
        assert binding["spec"].keys() == {"policyName", "validationActions"}, "a binding may narrow what it binds"
        found += _refused(policies[binding["spec"]["policyName"]], request)
    return found


def _refused(policy: dict[str, Any], request: Request) -> list[str]:
    if not _matches(policy["matchConstraints"], request):
        return []
    variables = request.variables
    try:
        if not all(_evaluate(each["expression"], variables) for each in policy.get("matchConditions", ())):
            return []
        its: dict[str, Any] = {}
        for each in policy.get("variables", ()):
            its[each["name"]] = _evaluate(each["expression"], {**variables, "variables": its})
        variables["variables"] = its
        said = [each for each in policy["validations"] if not _evaluate(each["expression"], variables)]
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        return [f"error: {error}"] if policy.get("failurePolicy", "Fail") == "Fail" else []
    return [each["message"] for each in said]


def _evaluate(expression: str, variables: dict[str, Any]) -> Any:
    return _compiled(expression).execute(variables)


@cache
def _compiled(expression: str) -> Any:
    # `dyn` concerns only the type checker of the API server.
    return cel.compile(expression.replace("dyn(", "("))


def _matches(constraints: dict[str, Any], request: Request) -> bool:
    selector = constraints.get("namespaceSelector", {}).get("matchLabels", {})
    if not selector.items() <= request.namespace_labels.items():
        return False
    return any(
        request.group in rule["apiGroups"]
        and any(_names(pattern, request.resource) for pattern in rule["resources"])
        and request.operation in rule["operations"]
        and rule["apiVersions"] == ["*"]
        for rule in constraints["resourceRules"]
    )


def _names(pattern: str, resource: str) -> bool:
    return pattern == resource or (pattern.endswith("/*") and resource.startswith(pattern[:-1]))
