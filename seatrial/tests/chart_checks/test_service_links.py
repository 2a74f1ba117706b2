from __future__ import annotations

from seatrial.chart_checks.service_links import service_link_collisions


def service(name="my-app", namespace="shop"):
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}}


def deployment(*names, **spec):
    env = [{"name": name, "value": "x"} for name in names]
    template = {"containers": [{"name": "api", "env": env}], **spec}
    meta = {"name": "app", "namespace": "shop"}
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": template}}}


def test_settings_with_the_prefix_of_a_service_are_found():
    (finding,) = service_link_collisions([service(), deployment("MY_APP_LOG_LEVEL")])

    assert (finding.cause, finding.fatal) == ("ServiceLinkCollision", False)
    assert "MY_APP_PORT=tcp://…" in finding.message
    assert "begin with MY_APP_, too: MY_APP_LOG_LEVEL" in finding.message


def test_container_that_sets_the_port_itself_is_fine():
    assert list(service_link_collisions([service(), deployment("MY_APP_LOG_LEVEL", "MY_APP_PORT")])) == []


def test_pod_without_service_links_is_fine():
    pod = deployment("MY_APP_LOG_LEVEL", enableServiceLinks=False)
    assert list(service_link_collisions([service(), pod])) == []


def test_service_of_another_namespace_or_name_is_fine():
    others = [service(namespace="other"), service("app2")]
    assert list(service_link_collisions([*others, deployment("MY_APP_LOG_LEVEL", "APP_NAME")])) == []
