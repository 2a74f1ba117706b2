"""Which of several problems are blamed, and in which order: from incidents to causes."""

from __future__ import annotations

import pytest
from seatrial.diagnose.blame import blame_test, concerns_of
from seatrial.diagnose.incidents.incident import Incident
from seatrial.diagnose.service_map import KnownService, ServiceMap
from seatrial.model.finding import Finding, ObjectRef

from diagnose.timeline_values import at, failed, healthy, services

MAP = services(healthy("web", "db", "mail"))
REFUSED = {"error": "Connection refused", "addresses": ("http://web/",)}
ANSWERED_500 = {"error": "500 Internal Server Error", "answers": ((500, "http://web/"),)}
OF_WEB = {"services": frozenset((("shop", "web"),))}
OF_DB = {"services": frozenset((("shop", "db"),))}


def incident(cause="Crash", begin=10.0, end=None, *, name="pod-1", brief="exited", **more):
    finding = Finding(cause=cause, subject=ObjectRef(kind="Pod", name=name), message="m", brief=brief)
    return Incident(finding=finding, begin=at(begin), end=None if end is None else at(end), **more)


def blame(test, *incidents, known=MAP):
    return blame_test(test, incidents, known)


def words(test, *incidents):
    """Return word and cause of each cause."""
    return [(each.word, each.finding.cause) for each in blame(test, *incidents).causes]


def order(test, *incidents):
    return [cause for _, cause in words(test, *incidents)]


class TestInterval:
    @pytest.mark.parametrize(("end", "blamed"), [(15.0, True), (14.5, False)])
    def test_problem_that_was_over_shortly_before_the_test_is_blamed(self, end, blamed):
        test = failed(begin=20, end=22, **REFUSED)

        assert bool(blame(test, incident(begin=1, end=end, **OF_WEB)).causes) is blamed

    @pytest.mark.parametrize(("begin", "seconds"), [(9.76, 2.2), (12.5, 0.0)])
    def test_seconds_between_problem_and_failure_are_rounded_and_never_negative(self, begin, seconds):
        (cause,) = blame(failed(**REFUSED), incident(begin=begin, **OF_WEB)).causes

        assert cause.seconds == seconds


class TestOrder:
    """`Evicted` has a lower rank than `Crash`: without another reason it comes first."""

    def test_lower_rank_is_first(self):
        assert order(failed(**REFUSED), incident(**OF_WEB), incident("Evicted", **OF_WEB)) == ["Evicted", "Crash"]

    def test_proven_cause_is_before_a_coincidence_of_a_lower_rank(self):
        test = failed(services=("mail",), **REFUSED)
        elsewhere = incident("Evicted", services=frozenset((("shop", "mail"),)))
        found = blame(test, elsewhere, incident(**OF_WEB))

        assert [(each.word, each.finding.cause) for each in found.causes] == [
            ("caused by", "Crash"), ("coincided with", "Evicted"),
        ]  # fmt: skip
        assert found.fault == "service"

    def test_fault_is_that_of_the_first_cause(self):
        assert blame(failed(**REFUSED), incident(**OF_WEB), incident("Evicted", **OF_WEB)).fault == "platform"

    @pytest.mark.parametrize(("end", "first"), [(9.0, "Evicted"), (8.5, "Crash")])
    def test_problem_that_was_over_before_the_failure_is_later(self, end, first):
        test = failed(begin=5, **REFUSED)

        assert order(test, incident(**OF_WEB), incident("Evicted", 6, end, **OF_WEB))[0] == first

    @pytest.mark.parametrize(("begin", "first"), [(12.3, "Evicted"), (12.5, "Crash")])
    def test_problem_that_was_seen_after_the_failure_is_later(self, begin, first):
        assert order(failed(**REFUSED), incident(**OF_WEB), incident("Evicted", begin, **OF_WEB))[0] == first

    @pytest.mark.parametrize(("begin", "first"), [(12.0, "Crash"), (12.5, "Evicted")])
    def test_problem_of_a_used_service_is_before_that_of_its_user(self, begin, first):
        test = failed(begin=9, end=14, **REFUSED)

        assert order(test, incident("Evicted", 10, **OF_WEB), incident("Crash", begin, **OF_DB))[0] == first

    def test_problem_of_a_user_is_not_before_that_of_the_service_that_it_uses(self):
        test = failed(begin=9, end=14, **REFUSED)

        assert order(test, incident("Crash", 10, **OF_WEB), incident("Evicted", 10, **OF_DB)) == ["Evicted", "Crash"]

    def test_coincidence_of_a_used_service_does_not_change_the_order_of_proven_causes(self):
        test = failed(error="Connection refused", addresses=("http://web/", "http://mail/"))
        of_mail = incident(services=frozenset((("shop", "mail"),)))
        used = incident("WrongCredentials", **OF_DB)

        assert words(test, incident("Evicted", **OF_WEB), of_mail, used) == [
            ("caused by", "Evicted"), ("caused by", "Crash"), ("coincided with", "WrongCredentials"),
        ]  # fmt: skip

    def test_proven_cause_does_not_change_the_order_of_coincidences(self):
        test = failed(error="Connection refused", addresses=("http://web/", "http://mail/"))
        of_mail = incident("CPUThrottled", services=frozenset((("shop", "mail"),)))

        assert words(test, incident("WrongCredentials", **OF_WEB), of_mail, incident(**OF_DB)) == [
            ("caused by", "Crash"), ("coincided with", "WrongCredentials"), ("coincided with", "CPUThrottled"),
        ]  # fmt: skip

    def test_coincidence_elsewhere_does_not_hide_that_one_problem_leads_to_another(self):
        test = failed(services=("mail",), **REFUSED)
        elsewhere = incident("ImagePull", services=frozenset((("shop", "mail"),)))

        assert order(test, incident("Evicted", **OF_WEB), incident(**OF_DB), elsewhere) == [
            "Crash", "Evicted", "ImagePull",
        ]  # fmt: skip

    def test_problem_of_all_addresses_is_ordered_by_its_rank(self):
        everywhere = incident("NetworkPolicy", everywhere=True)

        assert order(failed(**REFUSED), everywhere, incident(**OF_WEB)) == ["Crash", "NetworkPolicy"]

    def test_five_causes_are_recorded(self):
        many = [incident(name=f"pod-{number}", **OF_WEB) for number in range(6)]

        assert len(blame(failed(**REFUSED), *many).causes) == 5

    def test_problem_of_one_object_is_recorded_once(self):
        assert order(failed(**REFUSED), incident(**OF_WEB), incident(begin=11, **OF_WEB)) == ["Crash"]


class TestNewTemplate:
    @pytest.mark.parametrize(("one", "other"), [("web", "mail"), ("mail", "web")])
    def test_rollout_of_another_workload_does_not_make_a_problem_one_of_the_service(self, one, other):
        test = failed(**{**REFUSED, "addresses": ("http://web/", "http://mail/")})
        pull = incident("ImagePull", controller=("Deployment", one), services=frozenset((("shop", one),)))
        rollout = incident("Rollout", controller=("Deployment", other), services=frozenset((("shop", other),)))
        faults = {each.finding.cause: str(each.fault) for each in blame(test, pull, rollout).causes}

        assert faults == {"ImagePull": "platform", "Rollout": "service"}

    def test_another_problem_of_the_same_workload_changes_no_fault(self):
        both = {"controller": ("Deployment", "web"), **OF_WEB}
        found = blame(failed(**REFUSED), incident("ImagePull", **both), incident("ScaledDown", **both))
        faults = {each.finding.cause: str(each.fault) for each in found.causes}

        assert faults == {"ImagePull": "platform", "ScaledDown": "service"}


class TestWithoutService:
    @pytest.mark.parametrize(
        ("name", "controller", "brief", "error", "blamed"),
        [
            ("orders", "", "", "pods is forbidden: orders", True),
            ("x", "orders", "", "pods is forbidden: orders", True),
            ("x", "", "was refused by orders", "pods is forbidden: orders", True),
            ("x", "", "orders was refused", "pods is forbidden: orders", False),
            ("x", "", "was orders refused", "pods is forbidden: orders", False),
            ("abcd", "", "", "pods is forbidden: abcd", True),
            ("api", "", "", "pods is forbidden: api", False),
            ("orders", "", "", "pods is forbidden: other", False),
            ("orders", "", "", "assert 'orders' == 1", False),
            ("orders", "", "", "timed out: orders", False),
        ],
    )
    def test_error_of_the_api_names_the_object(self, name, controller, brief, error, blamed):
        problem = incident(name=name, controller=("ReplicaSet", controller), brief=brief)
        found = blame(failed(error), problem)

        assert [(each.word, each.links[0]) for each in found.causes] == (
            [("caused by", "the error names it")] if blamed else []
        )

    @pytest.mark.parametrize(
        ("error", "word"),
        [
            ("assert 1 == 2", "coincided with"),
            ("assert 'orders' == 1", "caused by"),
            ("Connection refused", "caused by"),
        ],
    )
    def test_problem_in_the_namespace_of_the_test_concerns_it(self, error, word):
        problem = incident(name="orders", namespace="test-1")
        (cause,) = blame(failed(error, namespaces=("test-1",)), problem).causes

        assert (cause.word, cause.links[0]) == (word, "it happened in the test's own namespace")
        assert blame(failed("assert 1 == 2", namespaces=("test-2",)), problem).causes == ()

    @pytest.mark.parametrize(
        ("cause", "error", "word", "link"),
        [
            ("NetworkPolicy", "timed out", "caused by", "it concerns the runner pod"),
            ("NetworkPolicy", "Name or service not known", "caused by", "it concerns the runner pod"),
            ("CPUThrottled", "timed out", "caused by", "it concerns the runner pod"),
            ("DnsUnavailable", "Name or service not known", "caused by", "it concerns all names"),
            ("DnsUnavailable", "service db is not ready: x", "coincided with", "it concerns all names"),
        ],
    )
    def test_problem_of_all_names_and_addresses_concerns_every_test(self, cause, error, word, link):
        (found,) = blame(failed(error), incident(cause, everywhere=True)).causes

        assert (found.word, found.links[0], found.service) == (word, link, "")

    def test_problem_of_all_addresses_does_not_concern_an_assertion(self):
        assert blame(failed("assert 1 == 2"), incident("NetworkPolicy", everywhere=True)).causes == ()


class TestServices:
    @pytest.mark.parametrize(
        ("cause", "error", "word"),
        [
            ("WrongTargetPort", "500 Internal Server Error", "caused by"),
            ("WrongTargetPort", "Connection reset", "coincided with"),
            ("WrongCredentials", "timed out", "coincided with"),
        ],
    )
    def test_problem_of_a_used_service_explains_an_error_of_its_user(self, cause, error, word):
        assert words(failed(error, addresses=("http://web/",)), incident(cause, **OF_DB)) == [(word, cause)]

    def test_pods_of_a_problem_count_before_its_workload(self):
        problem = incident(pods=frozenset(("web-1",)), controller=("Deployment", "mail"), namespace="shop")

        assert words(failed(**REFUSED), problem) == [("caused by", "Crash")]
        assert blame(failed("Connection refused", addresses=("http://mail/",)), problem).causes == ()

    def test_workload_of_a_problem_counts_if_its_pods_are_unknown(self):
        problem = incident(controller=("Deployment", "web"), namespace="shop")

        assert words(failed(**REFUSED), problem) == [("caused by", "Crash")]
        assert blame(failed("Connection refused", addresses=("http://mail/",)), problem).causes == ()

    @pytest.mark.parametrize("cause", ["Crash", "Evicted"])
    def test_problem_of_an_unrelated_service_is_not_one_of_looking_up_names(self, cause):
        elsewhere = incident(cause, services=frozenset((("shop", "mail"),)))

        assert blame(failed("timed out", addresses=("http://web/",)), elsewhere).causes == ()

    def test_unknown_service_that_a_test_asked_for_concerns_nothing(self):
        assert concerns_of(failed(services=("nonesuch",)), MAP) == []

    def test_service_that_is_asked_for_and_named_is_listed_once(self):
        found = concerns_of(failed(services=("store",), **REFUSED), MAP)

        assert [(each.service.name, each.named, each.link) for each in found] == [
            ("web", True, "the error names web"),
            ("db", True, "the error names web; store uses db (DATABASE_URL)"),
        ]

    def test_used_services_are_listed_by_distance_once_and_if_they_are_known(self):
        def known(name, **uses):
            return KnownService(namespace="n", name=name, uses={("n", key): text for key, text in uses.items()})

        every = [known("a", gone="G", b="B", c="C"), known("b", d="D", a="A"), known("c", d="E"), known("d")]
        shop = ServiceMap(namespace="n", services={each.key: each for each in every})

        assert [each.link for each in concerns_of(failed(addresses=("http://a/",)), shop)] == [
            "the error names a",
            "the error names a; a uses b (B)",
            "the error names a; a uses c (C)",
            "the error names a; a uses b (B); b uses d (D)",
        ]


class TestServerError:
    def answered(self, *answers, error="503 Service Unavailable", **more):
        return blame(failed(error, answers=answers, **more))

    def test_answer_is_the_finding(self):
        found = self.answered((404, "http://web/x"), (503, "http://web/y"))
        (cause,) = found.causes

        assert (cause.word, str(cause.fault), cause.service) == ("caused by", "service", "store")
        assert (cause.finding.message, cause.finding.brief) == ("it answered 503 to http://web/y", "answered 503")
        assert cause.links == ("the error names web", "the test failed by: server error")

    @pytest.mark.parametrize("url", ["http://web/", "http://web.shop.svc.cluster.local/", "http://10.96.0.3:80/"])
    def test_service_is_found_by_name_and_address(self, url):
        assert self.answered((503, url)).causes[0].service == "store"

    @pytest.mark.parametrize(("other", "asked", "service"), [("mail", "web", "store"), ("web", "mail", "mail")])
    def test_service_that_answered_is_blamed_and_no_other(self, other, asked, service):
        found = self.answered((503, f"http://{asked}/"), addresses=(f"http://{other}/",))

        assert [each.service for each in found.causes] == [service]

    def test_host_outside_of_the_cluster_is_no_service_that_another_one_uses(self):
        assert self.answered((503, "http://db.elsewhere/"), services=("store",)).causes == ()

    def test_status_below_500_is_no_server_error(self):
        found = self.answered((499, "http://web/"), error="500 Internal Server Error")

        assert found.causes == ()

    @pytest.mark.parametrize("error", ["timed out", "Connection refused", "assert 1 == 2"])
    def test_failure_of_another_kind_is_not_blamed_on_an_answer(self, error):
        assert self.answered((503, "http://web/"), error=error).causes == ()

    def test_coincidence_is_listed_after_the_answer(self):
        assert words(failed(**ANSWERED_500), incident("WrongTargetPort", **OF_WEB)) == [
            ("caused by", "ServerError"), ("coincided with", "WrongTargetPort"),
        ]  # fmt: skip

    def test_answer_is_not_blamed_beside_a_proven_cause(self):
        assert words(failed(**ANSWERED_500), incident(**OF_WEB)) == [("caused by", "Crash")]
