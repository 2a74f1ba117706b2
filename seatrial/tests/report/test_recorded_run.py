"""The report of a red run of `examples/orders-api` that e2e/record_report.py recorded on a real cluster.

One test failed by itself. During the other one, the pod of the database was deleted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from seatrial.report.brief import render_brief
from seatrial.report.markdown import render_markdown
from seatrial.report.writer import page_of, write_page

from .elements import Elements

RECORDED = Path(__file__).parent / "recorded"
RECEIPT = "tests/test_receipts.py::test_receipt_lists_the_items"
ORDERS = "tests/test_receipts.py::test_orders_stay_available"
FAULT = "2 failed: 1 test, 1 service (postgresql had no ready pod, less than 1 s before)"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a copy of the run directory."""
    return Path(shutil.copytree(RECORDED, tmp_path / "run"))


def test_report_html_shows_verdict_failures_and_the_logs_of_their_interval(directory: Path) -> None:
    elements = Elements(write_page(directory, page_of(directory)).read_text())
    text = " ".join("".join(elements.text).split())

    assert (elements.wrong, elements.open) == ([], [])
    assert len([each for each in elements.all("tr") if each.get("data-test")]) == 10
    head, _, failures = text.partition("shows the whole run.")
    assert "tests failed" in head
    assert FAULT in head
    receipt, _, orders = failures.partition(f"caused by service {ORDERS}")
    assert RECEIPT in receipt
    assert "No problem in the cluster concerns this test." in receipt
    assert "{'total': 700} != {'total': 720}" in receipt
    assert "received fast shutdown request" not in receipt
    assert "service/postgresql: NoEndpoints: it has no ready pod" in orders
    assert "order 9: 500" in orders
    assert "pod/postgresql-0 is being deleted" in orders
    assert "LOG: received fast shutdown request" in orders
    assert "psycopg.OperationalError: connection failed" in orders
    assert f"seatrial test {ORDERS}" in orders


def test_brief_has_both_causes_and_the_lines_of_the_logs_that_tell_them(directory: Path) -> None:
    lines = render_brief(page_of(directory)).splitlines()

    assert lines[:2] == ["verdict: tests failed (exit code 1): 2 failed, 7 passed, 1 skipped", f"fault: {FAULT}"]
    receipt, orders = lines.index(f"FAILED {RECEIPT}"), lines.index(f"FAILED {ORDERS}")
    assert lines[receipt + 1].startswith("  at tests/test_receipts.py:16 in call: AssertionError: assert {'item': 'tea")
    assert lines[orders + 1].startswith("  caused by service: service/postgresql: NoEndpoints: it has no ready pod")
    assert (
        lines[orders + 2]
        == "  at tests/test_receipts.py:28 in call: AssertionError: assert 500 == <codes.CREATED: 201>"
    )
    assert "  cluster at 4.0 s: pod/postgresql-0 is being deleted" in lines
    logs = lines[lines.index("log lines that matter:") + 1 : -2]
    assert len(logs) == 10
    assert logs[0].endswith("LOG:  received fast shutdown request")
    assert any("psycopg.OperationalError: connection failed" in line for line in logs)
    assert lines[-2] == f"reproduce: seatrial test {RECEIPT}"


def test_markdown_has_a_row_and_the_difference_of_each_failure(directory: Path) -> None:
    lines = render_markdown(page_of(directory)).splitlines()

    assert lines[0] == "### ❌ tests failed: 2 failed, 7 passed, 1 skipped, in 6.6 s"
    assert FAULT in lines
    assert len(lines) <= 60
    rows = [line for line in lines if line.startswith("| `tests/")]
    assert rows[0].startswith(f"| `{RECEIPT}` | `tests/test_receipts.py:16` | AssertionError: assert")
    assert rows[1].startswith(f"| `{ORDERS}` | `tests/test_receipts.py:28` | caused by service: service/postgresql")
    assert "  {'total': 700} != {'total': 720}" in lines
    assert f"`seatrial test {ORDERS}`" in lines
