"""Pods as the rules read them."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.objects import (
    container_spec,
    event_time,
    memory_limit,
    pod_ref,
    probe_text,
    selects,
    short,
)

POD = {
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {
        "initContainers": [{"name": "first"}],
        "containers": [{"name": "web", "resources": {"limits": {"memory": "1Gi"}}}],
    },
}


def test_container_is_found_by_its_name():
    assert container_spec(POD, "first") == {"name": "first"}
    assert container_spec(POD, "none") == {}
    assert (memory_limit(POD, "web"), memory_limit(POD, "first")) == ("1Gi", "")
    assert str(pod_ref(POD, "web")) == "pod/web-1 container web"


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ({"httpGet": {"port": 80}}, "GET http://:80/"),
        ({"httpGet": {"port": 80, "path": "/x", "scheme": "HTTPS", "host": "h"}}, "GET https://h:80/x"),
        ({"tcpSocket": {"port": "sql"}}, "connect :sql"),
        ({"grpc": {"port": 9}}, "gRPC :9"),
        ({"exec": {"command": ["test", "-e", "/x"]}}, "exec test -e /x"),
    ],
)
def test_probe_is_described(probe, text):
    assert probe_text(probe) == text


def test_time_of_an_event_is_its_last_occurrence():
    meta = {"metadata": {"creationTimestamp": "c"}}

    assert [event_time({**meta, **each}) for each in ({"lastTimestamp": "l"}, {"eventTime": "e"}, {})] == [
        "l",
        "e",
        "c",
    ]


def test_selector_without_conditions_matches_all():
    assert selects({}, {}.items())
    assert not selects({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}.items())


def test_message_is_cut_to_one_line():
    assert short("a\nb") == "a"
    assert len(short("x" * 500)) == 160
