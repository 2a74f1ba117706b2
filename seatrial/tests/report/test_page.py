from __future__ import annotations

from seatrial.report.page import Failure, Lane, Page, SuspectedCause, Timeline, Verdict
from seatrial.report.page import Test as PageTest

CAUSE = SuspectedCause(relation="caused by", fault="service", text="db was deleted", service="db")
UNKNOWN = SuspectedCause(relation="coincided with", fault="platform", text="node is not ready")


def made(outcome: str = "passed", **fields: object) -> PageTest:
    return PageTest(id="t0", nodeid="a.py::t", outcome=outcome, start=1, seconds=1, **fields)  # type: ignore[arg-type]


def test_test_is_concerned_by_services_that_it_asked_for_and_by_those_of_its_causes() -> None:
    failure = Failure(causes=(CAUSE, UNKNOWN, CAUSE))

    assert made("failed", services=("web", "db"), failure=failure).concerned == ("web", "db")
    assert made("failed", services=("web",), failure=failure).concerned == ("web", "db")
    assert made(services=("web",)).concerned == ("web",)


def test_page_explains_failed_unfinished_and_erroneous_tests() -> None:
    tests = tuple(made(outcome) for outcome in ("passed", "failed", "skipped", "error", "xfailed", "unfinished"))
    page = Page(run="r", command="", started="", seconds=0, verdict=Verdict(tone="failed", text=""), tests=tests)

    assert [test.outcome for test in page.failures] == ["failed", "error", "unfinished"]


def test_services_of_a_page_are_those_of_tests_and_of_shown_containers() -> None:
    lanes = (Lane(name="api", group="containers", bars=(), service="api"), Lane(name="test", group="stages", bars=()))
    page = Page(
        run="r", command="", started="", seconds=0, verdict=Verdict(tone="failed", text=""),
        tests=(made("failed", services=("web",), failure=Failure(causes=(CAUSE,))),),
        timeline=Timeline(seconds=1, lanes=lanes),
    )  # fmt: skip

    assert page.services == ("api", "db", "web")
