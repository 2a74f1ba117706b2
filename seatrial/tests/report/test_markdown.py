from __future__ import annotations

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from seatrial.model.errors import ExitCode
from seatrial.model.result import Problem
from seatrial.report.markdown import render_markdown
from seatrial.report.page import Page

from .hostile import hostile_run
from .run_directories import Case, blamed, suite

Pages = Callable[..., Page]


def test_markdown_has_verdict_failures_diff_and_stages(page: Pages) -> None:
    lines = render_markdown(page(tests=[Case("tests/a.py::test_total", "failed")])).splitlines()

    assert lines[0] == "### ❌ tests failed: 1 failed, in 42.2 s"
    assert (
        "| `tests/a.py::test_total` | `tests/a.py:17` | AssertionError: assert {'id': 1, 'total': 20}"
        " == {'id': 1, 'total': 30} |"
    ) in lines
    assert "-     'total': 30," in lines
    assert "+     'total': 20," in lines
    assert "`seatrial test tests/a.py::test_total`" in lines
    assert "| cluster | done | 24.7 s | name orders-test, kubernetes v1.34.4 |" in lines


def test_markdown_says_whose_fault_it_is(page: Pages) -> None:
    text = render_markdown(page(tests=[Case("a.py::t", "failed")], blames=(blamed("a.py::t"),)))

    assert "1 failed: 1 service (orders-api OOMKilled at 64Mi, 3 s before)\n" in text
    assert "caused by service: pod/orders-api-7886694586-nw5h2 container api: OOMKilled" in text


def test_markdown_of_a_green_run(page: Pages) -> None:
    text = render_markdown(page(tests=[Case("a.py::t")], exit=ExitCode.PASSED, verdict="all tests passed"))

    assert text.startswith("### ✅ all tests passed: 1 passed, in 42.2 s\n")
    assert "failed" not in text


def test_markdown_of_a_failed_environment_has_reason_and_hint(page: Pages) -> None:
    problem = Problem(message="db is not ready", reason="image not found", hint="check the tag")
    text = render_markdown(page(exit=ExitCode.ENVIRONMENT, verdict="db is not ready", problem=problem))

    assert text.startswith("### ⛔ db is not ready, in ")
    assert "Reason: image not found" in text
    assert "Hint: check the tag" in text


def test_markdown_has_60_lines_at_most(page: Pages) -> None:
    text = render_markdown(page(tests=suite(200, failing=40), warnings=[f"warning {number}" for number in range(30)]))

    assert len(text.splitlines()) <= 60
    assert "| and 30 more | | |" in text
    # Every block that is opened is closed.
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0


def test_hostile_texts_are_no_markup(page: Pages) -> None:
    run = hostile_run()
    text = render_markdown(page(**{name: getattr(run, name) for name in run.__dataclass_fields__}))
    html = MarkdownIt("commonmark").enable("table").render(text)

    tags = set(re.findall(r"<(/?[a-z0-9]+)", html))
    assert tags <= {
        f"{end}{tag}" for end in ("", "/")
        for tag in ("h3", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "pre",
                    "details", "summary", "br")
    }  # fmt: skip
    assert "\u202e" not in text
    assert len(text.splitlines()) <= 60


def test_text_cannot_close_a_code_block(page: Pages) -> None:
    lines = ["E   ```", "E   ````` <b>", "E   end"]
    text = render_markdown(page(tests=[Case("a.py::t", "failed", lines=lines)]))

    assert "``````diff\n```\n````` <b>\nend\n``````\n" in text
