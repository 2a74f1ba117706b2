"""Differences of environment facts, and those that belong to the nature of an environment."""

from __future__ import annotations

import pytest
from seatrial.comparison.facts import compare_facts, pairs
from seatrial.model.environment_facts import Limits, Mount, NameAnswer, PolicyFacts, PortAnswer, Trait, Variable

from comparison.recorded_sides import container, facts, runner

WEB_ENV = {"MODE": Variable(fingerprint="11112222")}


def found(left, right):
    return [(each.kind, each.subject, each.left, each.right, each.counts) for each in compare_facts(left, right)]


def test_equal_facts_have_no_difference():
    assert compare_facts(facts(), facts()) == ()


def test_facts_of_one_side_only_are_not_compared():
    assert compare_facts(facts(), None) == ()


@pytest.mark.parametrize(
    ("kind", "change", "left", "right"),
    [
        ("image", {"digest": "sha256:bbbb"}, "web:1 sha256:aaaa", "web:1 sha256:bbbb"),
        ("variable", {"variables": {}}, "value 11112222", "not set"),
        ("variable", {"variables": {"MODE": Variable(fingerprint="33")}}, "value 11112222", "value 33"),
        ("restarts", {"restarts": 2}, "0", "2"),
        ("exit", {"last_exit": "OOMKilled 137"}, "running", "OOMKilled 137"),
        ("command", {"command": ("serve",)}, "of the image", "serve"),
        ("user", {"user": "1000"}, "of the image", "1000"),
        ("limits", {"limits": Limits(memory=64 << 20, cpu=0.5)}, "no memory limit, no CPU limit", "64 MiB, 0.5 CPU"),
        ("probes", {"probes": ()}, "readiness", "none"),
        ("start-order", {"waits_for": ("init container wait",)}, "nothing", "init container wait"),
        ("mounts", {"mounts": (Mount(path="/data", kind="emptyDir"),)}, "none", "/data emptyDir"),
        ("read-only-root", {"read_only_root": True}, "no", "yes"),
        ("service-links", {"service_links": True}, "no", "yes"),
        ("port", {"ports": (8080,)}, "none", "8080"),
        ("slower-start", {"seconds_to_ready": 30.0}, "ready after 2 s", "ready after 30 s"),
    ],
)
def test_changed_fact_of_a_container_is_a_difference(kind, change, left, right):
    subject = "web MODE" if kind == "variable" else "web"

    assert found(facts(), facts(container(**change))) == [(kind, subject, left, right, True)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("user", {"user": "5"}),
        ("probes", {"probes": ("healthcheck",)}),
        ("mounts", {"mounts": (Mount(path="/d", kind="bind"),)}),
    ],
)
def test_fact_that_differs_by_nature_does_not_count_between_kinds(kind, change):
    difference = compare_facts(facts(container(**change), kind="compose"), facts())[0]

    assert (difference.kind, difference.counts) == (kind, False)


@pytest.mark.parametrize("change", [{"digest": "sha256:b"}, {"variables": {}}, {"restarts": 1}])
def test_image_variables_and_restarts_count_between_kinds_too(change):
    assert compare_facts(facts(kind="compose"), facts(container(**change)))[0].counts


def test_images_without_a_common_kind_of_identity_are_not_compared():
    local = container(digest="", image_id="sha256:local")

    assert compare_facts(facts(local, kind="compose"), facts()) == ()


def test_images_of_the_engine_are_compared_by_their_id():
    left, right = container(digest="", image_id="sha256:x"), container(digest="sha256:m", image_id="sha256:y")

    assert found(facts(left), facts(right)) == [("image", "web", "web:1 sha256:x", "web:1 sha256:y", True)]


@pytest.mark.parametrize("seconds", [5.0, 11.0])
def test_slightly_slower_start_is_no_difference(seconds):
    assert compare_facts(facts(), facts(container(seconds_to_ready=seconds))) == ()


class TestVariables:
    def test_values_of_different_keys_are_not_compared(self):
        other = container(variables={"MODE": Variable(fingerprint="other")})

        assert compare_facts(facts(key="a"), facts(other, key="b")) == ()

    def test_unknown_value_is_not_compared(self):
        assert compare_facts(facts(), facts(container(variables={"MODE": Variable()}))) == ()

    def test_variables_that_the_environment_sets_are_left_out(self):
        names = ("HOSTNAME", "KUBERNETES_PORT", "WEB_SERVICE_HOST", "WEB_PORT_80_TCP_ADDR", "SEATRIAL_LOCATION")
        there = container(variables={**WEB_ENV, **{name: Variable(fingerprint="1") for name in names}})

        assert compare_facts(facts(), facts(there)) == ()

    def test_traits_are_shown_in_place_of_the_value(self):
        value = Variable(fingerprint="33", traits=(Trait.LOOPBACK,))

        assert found(facts(), facts(container(variables={"MODE": value})))[0][3] == "value 33 (loopback)"


class TestContainers:
    def test_container_of_another_name_is_found_by_its_host_names(self):
        other = container(name="release-web", names=("web", "web-headless"))

        assert compare_facts(facts(kind="compose"), facts(other)) == ()

    def test_same_names_win_over_common_host_names(self):
        left, right = (container(name="a", names=("x",)),), (container(name="b", names=("x",)), container(name="a"))

        assert [(one and one.name, other and other.name) for one, other in pairs(left, right)] == [
            ("a", "a"),
            (None, "b"),
        ]

    def test_missing_service_is_a_difference(self):
        two = facts(container(), container(name="db", names=()))

        assert found(two, facts()) == [("service", "db", "present", "absent", True)]

    def test_one_off_step_has_no_counterpart_in_another_kind(self):
        two = facts(container(), container(name="migrate", names=(), once=True), kind="compose")

        assert found(two, facts()) == [("service", "migrate", "present", "absent", False)]

    def test_more_services_and_variables_than_the_reference_do_not_count_between_kinds(self):
        more = facts(
            container(variables={**WEB_ENV, "X": Variable(fingerprint="1")}), container(name="proxy", names=())
        )

        assert [each.counts for each in compare_facts(facts(kind="compose"), more)] == [False, False]
        assert [each.counts for each in compare_facts(facts(), more)] == [True, True]


class TestRunner:
    def test_name_that_one_side_does_not_resolve_is_a_difference(self):
        unknown = runner(names=(NameAnswer(name="web", error="unknown"),))

        assert found(facts(), facts(runner=unknown)) == [("dns-name", "web", "resolved", "unknown", True)]

    def test_port_that_one_side_does_not_reach_is_a_difference(self):
        closed = runner(ports=(PortAnswer(service="web", host="web", port=80, error="refused"),))

        assert found(facts(), facts(runner=closed)) == [("port", "web", "port 80 open", "port 80 refused", True)]

    def test_other_port_counts_within_one_kind(self):
        other = runner(ports=(PortAnswer(service="web", host="web", port=8080),))

        assert found(facts(), facts(runner=other)) == [("port", "web", "port 80 open", "port 8080 open", True)]
        assert found(facts(kind="compose"), facts(runner=other)) == [
            ("port", "web", "port 80 open", "port 8080 open", False)
        ]

    @pytest.mark.parametrize("change", [{"hostname": "x"}, {"search": ("a",)}])
    def test_hostname_and_resolver_never_count(self, change):
        assert [each.counts for each in compare_facts(facts(), facts(runner=runner(**change)))] == [False]

    def test_other_user_counts_within_one_kind(self):
        assert [each.counts for each in compare_facts(facts(), facts(runner=runner(user=5)))] == [True]

    def test_runner_that_could_not_be_asked_is_not_compared(self):
        assert compare_facts(facts(), facts(runner=None)) == ()


@pytest.mark.parametrize(
    ("policies", "right"), [((), "absent"), ((PolicyFacts(name="deny", digest="22"),), "rules 22")]
)
def test_network_policy_that_is_missing_or_differs_is_a_difference(policies, right):
    left = facts(policies=(PolicyFacts(name="deny", digest="11"),))

    difference = found(left, facts(policies=policies))[0]
    assert difference[:2] == ("network-policy", "deny")
    assert difference[3] == right
