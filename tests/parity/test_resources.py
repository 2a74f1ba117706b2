"""Test ResourceQuota and LimitRange of floe's namespace, in an isolated namespace with the same ones.

Dry runs are sufficient, because the API server decides and creates nothing. The tests do not use floe's namespace,
because permission to create pods there includes access to its Secrets.
"""

import json
import time
from http import HTTPStatus

import pytest
from cluster_api import core
from kubernetes.client.exceptions import ApiException

pytestmark = [pytest.mark.service("kubernetes"), pytest.mark.isolated_namespace(quota={}, limits={})]


def eventually_allowed(call, *args, **more):
    """Return the result of a call, retried until new permissions and objects are effective."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return call(*args, **more)
        except ApiException as refused:
            early = ("cannot", "error looking up service account", "status unknown for quota")
            said = json.loads(refused.body)["message"]
            if refused.status != HTTPStatus.FORBIDDEN or not any(word in said for word in early):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def ask(endpoints, isolated_namespace):
    """`ask(resources)`: the pod with such a container, as the API server would create it."""
    api = core()
    for listed, create in (
        (api.list_namespaced_limit_range, api.create_namespaced_limit_range),
        (api.list_namespaced_resource_quota, api.create_namespaced_resource_quota),
    ):
        for obj in listed(endpoints.namespace).items:
            copy = {"metadata": {"name": obj.metadata.name}, "spec": obj.spec}
            eventually_allowed(create, isolated_namespace, copy)

    def dry_run(resources=None):
        container = {"name": "it", "image": "never-pulled", "resources": resources or {}}
        pod = {"metadata": {"generateName": "dry-run-"}, "spec": {"containers": [container]}}
        return eventually_allowed(api.create_namespaced_pod, isolated_namespace, pod, dry_run="All")

    return dry_run


@pytest.fixture
def refusal(ask, eventually):
    """`refusal(resources)`: the API server's reason to refuse such a container, retried until limits are effective."""

    def refused(resources):
        try:
            ask(resources)
        except ApiException as caught:
            return json.loads(caught.body)["message"]
        return None

    return lambda resources: eventually(lambda: refused(resources))


def test_limit_range_sets_defaults(ask, eventually):
    def limited():
        (container,) = ask().spec.containers
        return container.resources if container.resources.limits else None

    resources = eventually(limited)

    assert resources.requests == {"cpu": "50m", "memory": "64Mi"}
    assert resources.limits == {"memory": "256Mi"}


def test_limit_range_refuses_container_above_maximum(refusal):
    said = refusal({"requests": {"memory": "1Gi"}, "limits": {"memory": "5Gi"}})

    assert "maximum memory usage per Container is 4Gi, but limit is 5Gi" in said


def test_resource_quota_refuses_pod_above_quota(refusal):
    said = refusal({"requests": {"cpu": "100", "memory": "64Mi"}, "limits": {"memory": "64Mi"}})

    assert "exceeded quota: floe, requested: requests.cpu=100" in said
