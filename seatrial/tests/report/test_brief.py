from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Problem
from seatrial.model.selection import Selection
from seatrial.report.brief import render_brief
from seatrial.report.page import Page

from .hostile import hostile_run
from .run_directories import FIRST_TEST, START, Case, blamed, suite

Pages = Callable[..., Page]


def test_brief_has_verdict_place_cause_and_command(page: Pages) -> None:
    lines = render_brief(page(tests=[Case("tests/a.py::test_total", "failed"), Case("b.py::t", start=1)])).splitlines()

    assert lines[0] == "verdict: tests failed (exit code 1): 1 failed, 1 passed"
    assert lines[1] == "FAILED tests/a.py::test_total"
    assert lines[2].startswith("  at tests/a.py:17 in call: AssertionError: assert {'id': 1, 'total': 20}")
    assert "      -     'total': 30," in lines
    assert "reproduce: seatrial test tests/a.py::test_total" in lines


def test_brief_has_a_long_command_in_full(page: Pages) -> None:
    selection = Selection(settings=tuple(f"release.r{number}.namespace=pr-42" for number in range(12)))
    lines = render_brief(page(tests=[Case("a.py::t", "failed")], selection=selection)).splitlines()

    assert len(lines[-2]) > 300
    assert lines[-2].endswith(" --set release.r11.namespace=pr-42 test a.py::t")


def test_brief_has_the_ten_log_lines_that_matter(page: Pages) -> None:
    def line(after: float, text: str) -> str:
        return f"{(START + timedelta(seconds=FIRST_TEST + after)).isoformat()} {text}"

    noise = [line(0.01 + number / 1000, f"GET /orders/{number} 200") for number in range(50)]
    logs = {
        "default/orders-api-7886694586-nw5h2/api.log": "\n".join([*noise, line(0.15, "ERROR asked")]),
        "default/db-0/db.log": "\n".join([*noise, line(0.1, "FATAL not asked")]),
    }
    text = render_brief(page(tests=[Case("a.py::t", "failed")], logs=logs))
    shown = text.partition("log lines that matter:\n")[2].splitlines()[:10]

    assert len([each for each in shown if "GET" in each]) == 8
    assert all("orders-api" in each for each in shown if "GET" in each)
    assert [each for each in shown if "GET" not in each] == [
        f"  40.100 s default/db-0/db: {line(0.1, 'FATAL not asked')}",
        f"  40.150 s default/orders-api-7886694586-nw5h2/api: {line(0.15, 'ERROR asked')}",
    ]
    assert "reproduce:" in text.splitlines()[-2]


def test_brief_says_whose_fault_it_is(page: Pages) -> None:
    lines = render_brief(page(tests=[Case("a.py::t", "failed")], blames=(blamed("a.py::t"),))).splitlines()

    assert lines[1] == "fault: 1 failed: 1 service (orders-api OOMKilled at 64Mi, 3 s before)"
    assert lines[3].startswith("  caused by service: pod/orders-api-7886694586-nw5h2 container api: OOMKilled")


def test_brief_of_a_failed_environment(page: Pages) -> None:
    finding = Finding(
        cause="OOMKilled",
        subject=ObjectRef(kind="Pod", name="db-0"),
        message="out of memory",
        evidence=("a", "b", "c", "d"),
    )
    problem = Problem(message="db is not ready", reason="out of memory", hint="raise the limit", log="logs/x.log")
    text = render_brief(
        page(exit=ExitCode.ENVIRONMENT, verdict="db is not ready", problem=problem, findings=(finding,))
    )

    assert text.splitlines()[:9] == [
        "verdict: db is not ready (exit code 10)",
        "reason: out of memory",
        "hint: raise the limit",
        "log: logs/x.log",
        "finding: pod/db-0: OOMKilled: out of memory",
        "  | b",
        "  | c",
        "  | d",
        "run: 20260131-154501-3f2a, 42.0 s; its directory has report.html, junit.xml and logs/",
    ]


def test_brief_of_many_failures_stays_short_and_says_how_many_are_left_out(page: Pages) -> None:
    made = page(tests=suite(500, failing=100))
    text = render_brief(made)

    assert len(text.encode()) <= 6000
    told = text.count("\nFAILED ")
    assert told > 5
    assert f"and {100 - told} more failed tests" in text


def test_hostile_texts_are_printed_as_text(page: Pages) -> None:
    run = hostile_run()
    text = render_brief(page(**{name: getattr(run, name) for name in run.__dataclass_fields__}))

    assert "\u202e" not in text
    assert "\x1b" not in text
    assert len(text.encode()) <= 6000
