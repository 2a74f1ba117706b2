"""Test the order of hooks, quota, limits and network policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from chart_rendering import EVERYTHING, FOUNDRY_IMAGES, ROOT, TEST, find, key_of, merge, pods, render

LABEL = {"app.kubernetes.io/part-of": "floe"}


def policies(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {m["metadata"]["name"]: m["spec"] for m in render(values) if m["kind"] == "NetworkPolicy"}


def allowed(values: Mapping[str, Any], direction: str) -> set[tuple[str, str, int]]:
    """Return (from, to, port) for every connection between pods of the chart that the rules of one direction allow."""
    found = set()
    for spec in policies(values).values():
        if spec["podSelector"]["matchLabels"] == LABEL:
            continue
        mine = spec["podSelector"]["matchLabels"]["app"]
        for rule in spec.get(direction.lower(), []):
            for peer in rule.get("from" if direction == "Ingress" else "to", []):
                other = peer.get("podSelector", {}).get("matchLabels", {}).get("app")
                ends = (other, mine) if direction == "Ingress" else (mine, other)
                found |= {(*ends, port["port"]) for port in rule["ports"]}
    return found


class TestHooks:
    def test_migrations_precede_seed_data(self):
        jobs = {m["metadata"]["name"]: m["metadata"].get("annotations", {}) for m in render() if m["kind"] == "Job"}

        weights = {name: int(hook["helm.sh/hook-weight"]) for name, hook in jobs.items() if hook}
        assert weights["migrations"] < weights["seed-data"]
        assert {hook["helm.sh/hook"] for hook in jobs.values() if hook} == {"post-install,post-upgrade"}

    def test_hooks_wait_for_database(self):
        for name in ("migrations", "seed-data"):
            spec = find(render(), f"Job/{name}")["spec"]
            (wait,) = spec["template"]["spec"]["initContainers"]
            assert wait["command"][1:] == ["/scripts/wait_for_port.py", "postgresql", "5432"]
            assert spec["backoffLimit"] == 0

    def test_migrations_are_numbered_without_gaps(self):
        names = sorted(path.name for path in (ROOT / "charts/floe-infrastructure/files/migrations").iterdir())

        assert [int(name.partition("_")[0]) for name in names] == list(range(1, len(names) + 1))

    def test_hooks_use_password_of_configured_database(self):
        (container,) = find(render(EVERYTHING), "Job/migrations")["spec"]["template"]["spec"]["containers"]

        sources = {variable["valueFrom"]["secretKeyRef"]["name"] for variable in container["env"]}
        assert sources == {"postgresql-extra-one"}


class TestNetworkPolicies:
    def test_disabled_by_default(self):
        assert policies({}) == {}

    def test_default_deny_covers_all_pods(self):
        deny = policies(TEST)["default-deny"]

        assert deny == {"podSelector": {"matchLabels": LABEL}, "policyTypes": ["Ingress", "Egress"]}
        for key, pod in pods(render(TEST)):
            assert LABEL.items() <= pod["metadata"]["labels"].items(), key

    def test_all_pods_may_use_dns(self):
        dns = policies(TEST)["dns"]

        assert dns["podSelector"] == {"matchLabels": LABEL}
        assert {(port["port"], port["protocol"]) for port in dns["egress"][0]["ports"]} == {(53, "UDP"), (53, "TCP")}

    @pytest.mark.parametrize("values", [TEST, EVERYTHING, merge(TEST, FOUNDRY_IMAGES)])
    def test_ingress_and_egress_rules_are_symmetric(self, values):
        """A connection requires a rule on both ends."""
        ours = {pod["metadata"]["labels"]["app"] for _, pod in pods(render(values))} | {"hostports"}

        incoming = {pair for pair in allowed(values, "Ingress") if pair[0] in ours}
        assert incoming == allowed(values, "Egress")
        assert ("polaris", "postgresql", 5432) in incoming
        assert ("polaris", "localstack", 4566) in incoming
        assert ("migrations", "postgresql", 5432) in incoming

    def test_every_service_port_has_a_rule(self):
        offered = {
            (m["metadata"]["name"], port["port"])
            for m in render(TEST)
            if m["kind"] == "Service"
            for port in m["spec"]["ports"]
        }

        assert {(to, port) for _, to, port in allowed(TEST, "Ingress")} == offered

    def test_only_its_users_reach_the_database(self):
        users = {
            source
            for source, to, _ in allowed(merge(TEST, {"networkPolicies": {"clients": []}}), "Ingress")
            if to == "postgresql"
        }

        assert users == {"polaris", "polaris-schema", "migrations", "seed-data", "test-services"}

    def test_clients_may_use_every_service(self):
        for service in ("postgresql", "localstack", "polaris", "jaeger"):
            for rule in policies(TEST)[f"to-{service}"]["ingress"]:
                assert all(client in rule["from"] for client in TEST["networkPolicies"]["clients"])


class TestQuota:
    def test_disabled_by_default(self):
        assert not [key_of(m) for m in render() if m["kind"] in ("ResourceQuota", "LimitRange")]

    def test_quota_allows_a_rollout(self):
        """A rollout has old and new pods at the same time."""
        hard = find(render(TEST), "ResourceQuota/floe")["spec"]["hard"]

        asked = list(_asked(render(merge(TEST, FOUNDRY_IMAGES))))
        assert 2 * len(asked) <= int(hard["pods"])
        assert 2 * sum(cpu for cpu, _, _ in asked) <= float(hard["requests.cpu"])
        assert 2 * sum(memory for _, memory, _ in asked) <= _gib(hard["requests.memory"])
        assert 2 * sum(limit for _, _, limit in asked) <= _gib(hard["limits.memory"])

    def test_containers_are_below_the_limit_range(self):
        (item,) = find(render(TEST), "LimitRange/floe")["spec"]["limits"]

        assert item["type"] == "Container"
        assert all(limit <= _gib(item["max"]["memory"]) for _, _, limit in _asked(render(TEST)))


def _asked(manifests: list[Mapping[str, Any]]) -> Iterator[tuple[float, float, float]]:
    """Yield requested cores, and requested and limited memory (GiB) of each pod's containers."""
    for _, pod in pods(manifests):
        resources = [container["resources"] for container in pod["spec"]["containers"]]
        yield (
            sum(_cores(each["requests"]["cpu"]) for each in resources),
            sum(_gib(each["requests"]["memory"]) for each in resources),
            sum(_gib(each["limits"]["memory"]) for each in resources),
        )


def _cores(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)


def _gib(quantity: str) -> float:
    return float(quantity[:-2]) / (1 if quantity.endswith("Gi") else 1024)
