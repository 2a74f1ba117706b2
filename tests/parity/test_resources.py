"""ResourceQuota and LimitRange of floe's namespace. Dry runs: the API server decides and makes nothing."""

import json

import pytest
from cluster_api import core
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.service("kubernetes")


@pytest.fixture
def ask(endpoints):
    """`ask(resources)`: the pod with one such container as the API server would make it."""

    def dry_run(resources=None):
        container = {"name": "it", "image": "never-pulled", "resources": resources or {}}
        pod = {"metadata": {"generateName": "dry-run-"}, "spec": {"containers": [container]}}
        return core().create_namespaced_pod(endpoints.namespace, pod, dry_run="All")

    return dry_run


def refusal(caught):
    assert caught.value.status == 403
    return json.loads(caught.value.body)["message"]


def test_a_container_that_says_nothing_gets_the_defaults(ask):
    (container,) = ask().spec.containers

    assert container.resources.requests == {"cpu": "50m", "memory": "64Mi"}
    assert container.resources.limits == {"memory": "256Mi"}


def test_a_container_that_asks_for_too_much_is_refused_with_the_reason(ask):
    with pytest.raises(ApiException) as caught:
        ask({"requests": {"memory": "1Gi"}, "limits": {"memory": "5Gi"}})

    assert "maximum memory usage per Container is 4Gi, but limit is 5Gi" in refusal(caught)


def test_what_exceeds_the_quota_is_refused_with_the_reason(ask):
    with pytest.raises(ApiException) as caught:
        ask({"requests": {"cpu": "100", "memory": "64Mi"}, "limits": {"memory": "64Mi"}})

    assert "exceeded quota: floe, requested: requests.cpu=100" in refusal(caught)
