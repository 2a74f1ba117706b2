"""Test properties of every pod, and references between objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from chart_rendering import CASES, FOUNDRY_IMAGES, ROOT, TEST, containers, find, key_of, leaves, merge, pods, render

EACH_CASE = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
SERVICES = ("postgresql", "localstack", "polaris", "jaeger")
UNITS = {"": 1, "m": 0.001, "Mi": 2**20, "Gi": 2**30}


def amount(quantity: str) -> float:
    """Return a quantity as a number: cores or bytes."""
    number, unit = re.fullmatch(r"([0-9.]+)(\D*)", quantity).groups()
    return float(number) * UNITS[unit]


@EACH_CASE
def test_each_service_has_three_probes(values):
    manifests = render(values)

    seen = set()
    for key, pod in pods(manifests):
        if key.startswith(("Deployment/", "StatefulSet/")):
            for container in pod["spec"]["containers"]:
                probes = {name for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container}
                assert probes == {"startupProbe", "readinessProbe", "livenessProbe"}, key
                assert not [name for name in probes if "tcpSocket" in container[name]], (
                    f"{key}: an open port does not prove readiness"
                )
                seen.add(key.partition("/")[2])
    assert seen >= set(SERVICES)


@EACH_CASE
def test_probes_use_named_container_ports(values):
    for name, container in containers(render(values)):
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "httpGet" in container.get(probe, {}):
                assert container[probe]["httpGet"]["port"] in ports, f"{name} {probe}"


@EACH_CASE
def test_each_container_has_requests_and_limits(values):
    found = list(containers(render(values)))

    assert found
    for name, container in found:
        resources = container["resources"]
        for what in ("cpu", "memory"):
            assert 0 < amount(resources["requests"][what]) <= amount(resources["limits"][what]), name


def test_test_values_leave_resources_for_the_runner():
    """The seed's machine has 2 cores and 4 GB; Kubernetes itself requests 950m and 290Mi of them on two nodes."""
    requests = [
        container["resources"]["requests"]
        for name, container in containers(render(merge(TEST, FOUNDRY_IMAGES)))
        if name.startswith(("Deployment", "StatefulSet"))
    ]

    assert sum(amount(request["cpu"]) for request in requests) <= 1.0
    assert sum(amount(request["memory"]) for request in requests) <= 1.5 * 2**30


def test_catalog_resources_equal_seed():
    (container,) = find(render(TEST), "Deployment/polaris")["spec"]["template"]["spec"]["containers"]

    assert container["resources"] == {
        "requests": {"memory": "512Mi", "cpu": "500m"},
        "limits": {"memory": "1Gi", "cpu": "1000m"},
    }


@EACH_CASE
def test_pods_have_no_service_links_or_token(values):
    for key, pod in pods(render(values)):
        assert pod["spec"]["enableServiceLinks"] is False, key
        assert pod["spec"]["automountServiceAccountToken"] is False, key


@EACH_CASE
def test_containers_cannot_escalate_privileges(values):
    root = set()
    for name, container in containers(render(values)):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        if not (context.get("runAsNonRoot") and context.get("runAsUser")):
            root.add(name)
    # Upstream's image runs as root.
    assert root == {"Deployment/localstack localstack"}


@EACH_CASE
def test_environment_values_are_strings(values):
    """In YAML 1.1 an unquoted y, on or 1 is not a string, and Kubernetes would refuse the object."""
    for name, container in containers(render(values)):
        for variable in container.get("env", []):
            assert "valueFrom" in variable or isinstance(variable["value"], str), f"{name} {variable['name']}"


@EACH_CASE
def test_image_pull_policy_is_if_not_present(values):
    assert {container["imagePullPolicy"] for _, container in containers(render(values))} == {"IfNotPresent"}


@EACH_CASE
def test_selectors_match_one_workload_each(values):
    manifests = render(values)
    labels = {key: pod["metadata"]["labels"] for key, pod in pods(manifests)}

    for manifest in manifests:
        if manifest["kind"] == "Service":
            selector = manifest["spec"]["selector"]
            found = [key for key, has in labels.items() if selector.items() <= has.items()]
            assert [key.partition("/")[2] for key in found] == [manifest["metadata"]["name"]]
        elif manifest["kind"] in ("Deployment", "StatefulSet"):
            selector = manifest["spec"]["selector"]["matchLabels"]
            assert selector.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()


@EACH_CASE
def test_seed_selector_matches_only_the_service(values):
    """`kubectl wait --for=condition=ready pod -l app=polaris` would wait forever for a Job's pod."""
    for service in SERVICES:
        found = [key for key, pod in pods(render(values)) if pod["metadata"]["labels"]["app"] == service]
        assert [key.partition("/")[2] for key in found] == [service]


@EACH_CASE
def test_service_ports_exist_in_pods(values):
    manifests = render(values)
    ports = {
        pod["metadata"]["labels"]["app"]: {
            p["name"]: p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", [])
        }
        for _, pod in pods(manifests)
    }

    offered = {}
    for manifest in manifests:
        if manifest["kind"] == "Service":
            name = manifest["metadata"]["name"]
            for port in manifest["spec"]["ports"]:
                assert ports[name][port["targetPort"]] == port["port"]
            offered[name] = sorted(port["port"] for port in manifest["spec"]["ports"])
    assert offered == {
        "jaeger": [4317, 4318, 16686],
        "localstack": [4566],
        "polaris": [8181, 8182],
        "postgresql": [5432],
    }


def references(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the object and key (empty: any) of each ConfigMap and Secret that a pod requires."""
    for volume in pod["spec"].get("volumes", []):
        sources = volume["projected"]["sources"] if "projected" in volume else [volume]
        for source in sources:
            if "configMap" in source:
                yield f"ConfigMap/{source['configMap']['name']}", ""
            if "secret" in source:
                name = source["secret"].get("secretName") or source["secret"]["name"]
                yield from ((f"Secret/{name}", item["key"]) for item in source["secret"].get("items", [{"key": ""}]))
            if "persistentVolumeClaim" in source:
                yield f"PersistentVolumeClaim/{source['persistentVolumeClaim']['claimName']}", ""
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        for variable in container.get("env", []):
            if key := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield f"Secret/{key['name']}", key["key"]


@EACH_CASE
def test_references_of_pods_exist(values):
    manifests = {key_of(manifest): manifest for manifest in render(values)}
    elsewhere = values.get("secrets") == {"create": False}

    asked = {reference for _, pod in pods(list(manifests.values())) for reference in references(pod)}
    assert len(asked) > 10
    for key, item in asked:
        if elsewhere and key.startswith("Secret/"):
            assert key not in manifests
            continue
        assert key in manifests
        assert not item or item in manifests[key]["data"]


@EACH_CASE
def test_mounts_have_volumes(values):
    for key, pod in pods(render(values)):
        claimed = {"data"} if key == "StatefulSet/postgresql" else set()
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        mounts = {
            m["name"]
            for c in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
            for m in c.get("volumeMounts", [])
        }
        assert volumes <= mounts <= volumes | claimed, key


class TestSecrets:
    def test_client_secrets_have_documented_keys(self):
        manifests = render()

        for database in ("dagster", "polaris"):
            data = find(manifests, f"Secret/postgresql-{database}")["data"]
            assert set(data) == {"username", "password", "host", "port", "database", "uri"}
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"} <= set(
            find(manifests, "Secret/localstack-client")["data"]
        )

    def test_secrets_are_kept_if_volume_is_kept(self):
        def kept(values):
            return {
                key_of(manifest)
                for manifest in render(values)
                if manifest["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
            }

        assert kept({}) == {
            "Secret/postgresql-admin",
            "Secret/postgresql-dagster",
            "Secret/postgresql-polaris",
            "Secret/polaris-client",
            "Secret/polaris-token-broker",
        }
        assert kept(TEST) == set()

    def test_no_manifest_has_plain_password(self):
        manifests = render()
        secrets = {
            value for m in manifests if m["kind"] == "Secret" for key, value in m["data"].items() if "assword" in key
        }

        assert len(secrets) == 3
        others = [leaf for m in manifests if m["kind"] != "Secret" for leaf in leaves(m)]
        assert not [path for path, value in others if value in secrets]


class TestPersistence:
    def test_persistence_by_default(self):
        manifests = render()

        (claim,) = find(manifests, "StatefulSet/postgresql")["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"]["storage"] == "8Gi"
        assert "storageClassName" not in claim["spec"], "the cluster's default"
        assert find(manifests, "PersistentVolumeClaim/localstack")["spec"]["resources"]["requests"]["storage"] == "1Gi"

    def test_no_persistence_with_test_values(self):
        manifests = render(TEST)

        assert "volumeClaimTemplates" not in find(manifests, "StatefulSet/postgresql")["spec"]
        assert not [manifest for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim"]

    def test_storage_class_is_rendered(self):
        manifests = render({"postgresql": {"primary": {"persistence": {"storageClass": "fast"}}}})

        (claim,) = find(manifests, "StatefulSet/postgresql")["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["storageClassName"] == "fast"


class TestStandIn:
    """Only the bootstrap differs between Polaris and the stand-in; all other settings are the same."""

    def test_stand_in_differs_only_in_bootstrap(self):
        def flat(stands_in: bool) -> dict[str, Any]:
            manifests = render(merge(TEST, {"polaris": {"standIn": stands_in}}))
            found = {
                f"{key_of(m)} {path}": value for m in manifests if m["kind"] != "Secret" for path, value in leaves(m)
            }
            return {path: value for path, value in found.items() if "initContainers" not in path}

        real, other = flat(stands_in=False), flat(stands_in=True)
        different = {path for path in real.keys() | other.keys() if real.get(path) != other.get(path)}
        schema = {path for path in different if path.split()[0] in {"Job/polaris-schema-1", "ConfigMap/polaris-schema"}}
        # The servers' wait script, and its volumes.
        volumes = {
            path for path in different if re.match(r"Deployment/polaris spec\.template\.spec\.volumes\[[34]\]", path)
        }
        job = {
            path
            for path in different
            if path.startswith("Job/polaris-bootstrap-1 spec.template.spec.containers[0].env[")
        }
        # The clients of the database.
        policies = {
            path
            for path in different
            if path.startswith(("NetworkPolicy/to-postgresql ", "NetworkPolicy/from-polaris-schema "))
        }
        assert different == schema | volumes | job | policies
        assert {real[path] for path in job} >= {"CATALOG"}
        assert not schema & other.keys()

    def test_polaris_servers_wait_for_schema_job(self):
        pod = find(render(), "Deployment/polaris")["spec"]["template"]["spec"]

        assert [container["name"] for container in pod["initContainers"]] == ["wait-for-postgresql", "wait-for-schema"]
        stand_in = find(render(FOUNDRY_IMAGES), "Deployment/polaris")["spec"]["template"]["spec"]
        assert [container["name"] for container in stand_in["initContainers"]] == ["wait-for-postgresql"]

    def test_admin_tool_runs_with_lock_and_deadline(self):
        manifests = render({"polaris": {"replicaCount": 3, "bootstrap": {"timeoutSeconds": 77}}})
        job = find(manifests, "Job/polaris-schema-1")["spec"]
        pod = job["template"]["spec"]

        initial = [each["name"] for _, spec in pods(manifests) for each in spec["spec"].get("initContainers", [])]
        assert initial.count("admin-tool") == 1
        assert job["activeDeadlineSeconds"] == 77
        assert job.get("parallelism", 1) == 1
        assert [container["name"] for container in pod["initContainers"]] == ["lock", "admin-tool"]
        assert pod["initContainers"][0]["restartPolicy"] == "Always", "the sidecar holds the lock while the tool runs"

    def test_schema_record_names_tool_of_servers(self):
        manifests = render()
        (record,) = find(manifests, "Job/polaris-schema-1")["spec"]["template"]["spec"]["containers"]
        (_, wait) = find(manifests, "Deployment/polaris")["spec"]["template"]["spec"]["initContainers"]

        def tool(container: dict[str, Any]) -> str:
            return next(str(each["value"]) for each in container["env"] if each["name"] == "ADMIN_TOOL")

        assert tool(record) == tool(wait) == "apache/polaris-admin-tool:1.8.0"

    def test_admin_tool_arguments_have_no_secrets(self):
        (_, tool) = find(render(), "Job/polaris-schema-1")["spec"]["template"]["spec"]["initContainers"]

        assert tool["args"] == ["bootstrap", "--credentials-file", "/run/polaris/root/credentials.json"]


class TestHostPorts:
    def test_host_ports_are_off_by_default(self):
        assert not [
            container
            for _, container in containers(render())
            for port in container.get("ports", [])
            if "hostPort" in port
        ]

    def test_host_ports_equal_kind_port_maps(self):
        config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())
        (container,) = find(render(TEST), "Deployment/hostports")["spec"]["template"]["spec"]["containers"]

        (first, _) = config["nodes"]
        mapped = {port["containerPort"] for port in first["extraPortMappings"]}
        taken = {port["hostPort"] for port in container["ports"] if "hostPort" in port}
        assert mapped == taken == {8181, 4566, 16686}
        assert container["command"][2:] == ["8181=polaris:8181", "4566=localstack:4566", "16686=jaeger:16686"]

    def test_host_ports_use_node_with_port_maps(self):
        config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())
        pod = find(render(TEST), "Deployment/hostports")["spec"]["template"]["spec"]

        assert pod["nodeSelector"] == config["nodes"][0]["labels"] == {"ingress-ready": "true"}
        assert pod["tolerations"]


class TestKindConfig:
    def test_kind_config_has_two_nodes_and_loopback_ports(self):
        config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())

        assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker"]
        ports = config["nodes"][0]["extraPortMappings"]
        assert [(port["containerPort"], port["hostPort"]) for port in ports] == [
            (8181, 8181),
            (4566, 4566),
            (16686, 16686),
        ]
        assert {port["listenAddress"] for port in ports} == {"127.0.0.1"}

    def test_kind_config_has_label_of_seed(self):
        config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())

        (patch,) = config["nodes"][0]["kubeadmConfigPatches"]
        assert yaml.safe_load(patch)["nodeRegistration"]["kubeletExtraArgs"] == {"node-labels": "ingress-ready=true"}


def test_localstack_creates_warehouse_bucket_last():
    """The readiness probe checks this bucket."""
    pod = find(render({"localstack": {"buckets": ["warehouse", "raw"]}}), "Deployment/localstack")["spec"]["template"][
        "spec"
    ]

    (container,) = pod["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environment["FLOE_BUCKETS"] == "raw,warehouse"
    assert container["readinessProbe"]["httpGet"]["path"].startswith("/warehouse?")


def test_postgresql_requires_password_from_everyone():
    manifests = render(TEST)
    pod = find(manifests, "StatefulSet/postgresql")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    access = volumes[mounts["/etc/postgresql"]]["configMap"]["name"]
    lines = find(manifests, f"ConfigMap/{access}")["data"]["pg_hba.conf"].splitlines()

    assert {line.split()[0] for line in lines} == {"local", "host"}
    assert {line.split()[-1] for line in lines} == {"scram-sha-256"}


def test_postgresql_settings_are_arguments():
    (container,) = find(render(TEST), "StatefulSet/postgresql")["spec"]["template"]["spec"]["containers"]

    assert container["args"] == [
        "postgres",
        "-c",
        "hba_file=/etc/postgresql/pg_hba.conf",
        "-c",
        "fsync=off",
        "-c",
        "full_page_writes=off",
        "-c",
        "synchronous_commit=off",
    ]


def test_each_revision_has_its_own_job():
    """A Job cannot be changed, so Helm would fail to upgrade it. Helm recreates the Jobs of hooks itself."""
    jobs = [manifest for manifest in render() if manifest["kind"] == "Job"]

    own = {key_of(job) for job in jobs if "annotations" not in job["metadata"]}
    assert own == {"Job/polaris-schema-1", "Job/polaris-bootstrap-1"}
    for job in jobs:
        if hook := job["metadata"].get("annotations"):
            assert hook["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
