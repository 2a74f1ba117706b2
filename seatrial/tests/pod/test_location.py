from __future__ import annotations

import pytest
from seatrial.pod.fixtures.location import Location, location

API = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


@pytest.fixture
def namespace_file(tmp_path):
    file = tmp_path / "namespace"
    file.write_text("default")
    return file


def test_what_is_said_outright_wins(namespace_file):
    assert location({"SEATRIAL_LOCATION": "host", **API}, namespace_file=namespace_file).where == "host"
    assert location({"SEATRIAL_LOCATION": "pod"}) == Location("pod", "SEATRIAL_LOCATION says so")


def test_neither_the_address_nor_the_account_alone_proves_a_pod(namespace_file, tmp_path):
    assert location(API, namespace_file=namespace_file).where == "pod"
    assert location({}, namespace_file=namespace_file).where == "host"
    assert location(API, namespace_file=tmp_path / "none").where == "host"


def test_anything_else_is_refused():
    with pytest.raises(ValueError, match="SEATRIAL_LOCATION is 'moon', should be pod, compose or host"):
        location({"SEATRIAL_LOCATION": "moon"})


def test_an_option_wins_over_everything(namespace_file):
    assert location({"SEATRIAL_LOCATION": "pod"}, said="compose").where == "compose"
    assert location(API, said="host", namespace_file=namespace_file) == Location("host", "--seatrial-location says so")


def test_a_container_of_compose(tmp_path):
    docker, resolver = tmp_path / "dockerenv", tmp_path / "resolv.conf"
    files = {"docker_file": docker, "resolver_file": resolver, "namespace_file": tmp_path / "none"}
    resolver.write_text("nameserver 127.0.0.11\noptions ndots:0\n")
    assert location({}, **files).where == "host"
    docker.touch()
    assert location({}, **files).where == "compose"
    resolver.write_text("nameserver 192.0.2.1\n")
    assert location({}, **files).where == "host"
