from __future__ import annotations

import pytest
from seatrial.compose.project_file import digest_of, escaped, project_file
from seatrial.model.errors import UsageError

LABELS = {"seatrial.dev/session": "aa"}
RUNNER = {"services": {"tests": {"image": "t:1", "labels": {"d": "1"}}}, "volumes": {"state": {}}}


def built(services, *, images=None, host_ports=False, **config):
    return project_file(
        {"name": "x", "services": services, **config},
        RUNNER,
        name="shop-aa",
        labels=LABELS,
        images=images or {},
        host_ports=host_ports,
    )


def test_services_get_labels_and_no_fixed_name_or_host_port():
    web = {"image": "web:1", "container_name": "web", "ports": [{"published": "80"}], "labels": {"own": "x"}}
    found = built({"web": web})["services"]["web"]

    assert found == {"image": "web:1", "labels": {"own": "x", **LABELS}}


def test_host_ports_are_published_if_configured():
    assert built({"web": {"ports": [{"published": "80"}]}}, host_ports=True)["services"]["web"]["ports"]


def test_names_of_networks_and_volumes_carry_the_name_of_the_project():
    found = built({}, networks={"back": {"name": "fixed"}}, volumes={"data": {"name": "fixed", "driver": "local"}})

    assert found["networks"]["back"] == {"name": "shop-aa_back", "labels": LABELS}
    assert found["volumes"] == {
        "data": {"name": "shop-aa_data", "driver": "local", "labels": LABELS},
        "state": {"labels": LABELS},
    }


def test_external_network_is_left_alone():
    outside = {"name": "company", "external": True}

    assert built({}, networks={"company": outside})["networks"]["company"] == outside


def test_configs_and_secrets_carry_the_name_of_the_project():
    found = built({}, configs={"c": {"name": "x_c", "content": "1"}})

    assert found["configs"] == {"c": {"name": "shop-aa_c", "content": "1"}}


def test_runner_joins_the_networks_of_all_services():
    services = {"web": {"networks": {"front": None}}, "db": {"networks": {"back": {"aliases": ["d"]}}}}
    found = built(services, networks={"front": {}, "back": {}})

    assert found["services"]["tests"] == {
        "image": "t:1",
        "networks": {"front": None, "back": None},
        "labels": {"d": "1", **LABELS},
    }


def test_runner_without_other_services_gets_the_default_network():
    found = built({})

    assert found["services"]["tests"]["networks"] == {"default": None}
    assert found["networks"]["default"] == {"name": "shop-aa_default", "labels": LABELS}


def test_image_of_the_project_replaces_a_build():
    found = built({"web": {"build": {"context": "."}, "image": "web"}}, images={"web": "web:4f1c"})["services"]["web"]

    assert found == {"image": "web:4f1c", "pull_policy": "missing", "labels": LABELS}


def test_image_that_compose_builds_gets_labels():
    build = built({"web": {"build": {"context": "."}}})["services"]["web"]["build"]

    assert build == {"context": ".", "labels": LABELS}


def test_optional_dependency_on_a_disabled_service_is_dropped():
    depends = {"schema": {"required": False}, "db": {"required": True}, "away": {"required": True}}
    found = built({"web": {"depends_on": depends}, "db": {}})["services"]["web"]["depends_on"]

    assert found == {"db": {"required": True}, "away": {"required": True}}


def test_service_with_the_name_of_the_runner_is_an_error():
    with pytest.raises(UsageError, match="'tests', which is the name of the runner"):
        built({"tests": {}})


def test_image_for_an_unknown_service_is_an_error():
    with pytest.raises(UsageError, match="'wep'") as caught:
        built({"web": {}}, images={"wep": "web:1"})
    assert caught.value.hint == "one of: web"


def test_digest_differs_for_other_files_only():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 2})


def test_dollar_of_a_value_is_no_variable():
    assert escaped("a$HOME") == "a$$HOME"
