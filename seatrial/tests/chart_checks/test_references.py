from __future__ import annotations

import pytest
from seatrial.chart_checks.references import Reference, missing_references
from seatrial.model.finding import ObjectRef


def secret(name="db", namespace="shop", kind="Secret", **more):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}


def workload(**spec):
    meta = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": spec}}}


def container(**more):
    return workload(containers=[{"name": "api", **more}])


def variable(kind="secretKeyRef", **more):
    source = {"name": "db", "key": "uri", **more}
    return container(env=[{"name": "DATABASE_URI", "valueFrom": {kind: source}}])


REFERENCES = [
    variable(),
    container(envFrom=[{"secretRef": {"name": "db"}}]),
    workload(initContainers=[{"name": "wait", "envFrom": [{"secretRef": {"name": "db"}}]}]),
    workload(volumes=[{"name": "tls", "secret": {"secretName": "db"}}]),
    workload(volumes=[{"name": "all", "projected": {"sources": [{"secret": {"name": "db"}}]}}]),
]


@pytest.mark.parametrize("user", REFERENCES)
def test_reference_to_a_missing_secret_is_found(user):
    (finding,) = missing_references([user, secret("other")])

    assert (finding.cause, finding.fatal, finding.subject.name) == ("MissingSecret", True, "web")
    assert "refers to Secret db, which nothing creates; namespace shop gets: other" in finding.message


@pytest.mark.parametrize("user", REFERENCES)
def test_reference_to_an_object_of_the_charts_is_fine(user):
    assert list(missing_references([user, secret(data={"uri": "eA=="})])) == []


def test_object_in_another_namespace_does_not_count():
    (finding,) = missing_references([variable(), secret(namespace="other", stringData={"uri": "x"})])
    assert finding.cause == "MissingSecret"


def test_config_maps_are_checked_like_secrets():
    (finding,) = missing_references([workload(volumes=[{"name": "conf", "configMap": {"name": "web"}}])])

    assert finding.cause == "MissingConfigMap"
    assert finding.message == "volume conf refers to ConfigMap web, which nothing creates"


def test_missing_key_is_found_with_the_keys_that_exist():
    (finding,) = missing_references([variable(), secret(data={"user": "eA=="}, stringData={"password": "x"})])

    assert finding.cause == "MissingKey"
    assert str(finding.subject) == "deployment/web container api"
    assert "key 'uri' of Secret db, which has: password, user" in finding.message


@pytest.mark.parametrize(
    "filled",
    [
        secret(type="kubernetes.io/service-account-token"),
        {**secret(), "metadata": {"name": "db", "namespace": "shop", "annotations": {"helm.sh/hook": "pre-install"}}},
    ],
)
def test_keys_that_are_filled_in_the_cluster_are_not_checked(filled):
    assert list(missing_references([variable(), filled])) == []


def test_optional_references_and_the_cluster_certificate_may_be_missing():
    root = workload(volumes=[{"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}])
    assert list(missing_references([variable(optional=True), root])) == []


def role(resources, verbs, kind="Role"):
    rules = [{"apiGroups": [""], "resources": resources, "verbs": verbs}]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "r"}, "rules": rules}


@pytest.mark.parametrize(
    "creator",
    [
        {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "web"}},
        role(["secrets"], ["get", "create"]),
        role(["*"], ["*"], "ClusterRole"),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        },
    ],
)
def test_nothing_is_said_if_something_in_the_cluster_could_create_the_secret(creator):
    assert list(missing_references([variable(), creator])) == []


def test_role_that_only_reads_secrets_creates_none():
    (finding,) = missing_references([variable(), role(["secrets"], ["get", "list"]), role(["pods"], ["create"])])
    assert finding.cause == "MissingSecret"


def test_reference_from_elsewhere_is_checked_once():
    subject = ObjectRef(kind="Pod", name="tests", namespace="shop")
    field = "runner.env-from.TOKEN"
    given = Reference(subject=subject, kind="Secret", name="db", namespace="shop", key="token", field=field)
    (finding,) = missing_references([], [given, given])

    assert finding.message == "runner.env-from.TOKEN refers to Secret db, which nothing creates"
