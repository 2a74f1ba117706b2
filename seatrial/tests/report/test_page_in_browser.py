"""The page in a real browser, loaded from a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from seatrial.model import timeline as t
from seatrial.report.writer import page_of, write_page

from .browsers import find_browser, opened_browser
from .hostile import MARKER, hostile_run
from .run_directories import Case, RunDirectory, at, suite

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser; install one: scripts/browser.sh")


@dataclass
class Opened:
    """A page in the browser, and what it printed and requested."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert BROWSER is not None
    with opened_browser(BROWSER) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Write a run, and open its report in a new window."""
    contexts = []

    def opened(run: RunDirectory, *, scheme: str = "light", width: int = 1280, target: str = "") -> Opened:
        path = write_page(run.write(tmp_path), page_of(tmp_path))
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        contexts.append(context)
        made = Opened(context.new_page())
        made.page.on("console", lambda message: made.console.append(message.text))
        made.page.on("pageerror", lambda error: made.console.append(str(error)))
        made.page.on("request", lambda request: made.requests.append(request.url))
        made.page.goto(f"{path.as_uri()}{target}")
        return made

    yield opened
    for context in contexts:
        context.close()


def failing() -> RunDirectory:
    """Return a run with failures, containers and logs."""
    tests = suite(60, failing=3)
    tests[10].outcome, tests[10].services = "error", ("postgresql",)
    states = {"seen": "modified", "namespace": "default", "pod": "orders-api-7886694586-nw5h2", "uid": "u",
              "container": "api"}  # fmt: skip
    records: list[t.Record] = [
        t.ContainerRecord(at=at(26), state="waiting", reason="ContainerCreating", **states),  # type: ignore[arg-type]
        t.ContainerRecord(at=at(30), state="running", ready=True, **states),  # type: ignore[arg-type]
        t.ContainerRecord(at=at(45), state="terminated", reason="OOMKilled", exit_code=137, **states),  # type: ignore[arg-type]
        t.ContainerRecord(at=at(47), state="running", ready=True, restarts=1, **states),  # type: ignore[arg-type]
    ]
    log = "\n".join(f"{at(39 + number / 10).isoformat()} GET /orders/{number} 200" for number in range(200))
    return RunDirectory(tests=tests, records=records, logs={"default/orders-api-7886694586-nw5h2/api.log": log})


def rows(page: Page) -> int:
    return page.locator("#tests tbody tr:visible").count()


def test_page_opens_without_an_error_and_loads_nothing(opened: Callable[..., Opened]) -> None:
    made = opened(failing())

    expect(made.page.get_by_role("heading", level=1)).to_have_text("tests failed")
    assert made.console == []
    assert len(made.requests) == 1
    assert made.requests[0].startswith("file://")


def test_click_on_a_failed_bar_leads_to_diff_output_and_logs(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    page.locator(".bar.failed").first.click()
    failure = page.locator("article:target")

    expect(failure).to_be_in_viewport()
    expect(failure.locator("h3")).to_have_text("tests/test_orders_0.py::test_order_3")
    expect(failure.locator(".trace .removed").first).to_contain_text("'total': 30")
    expect(failure.get_by_text("order 3 created")).to_be_visible()
    expect(failure.locator(".log time").first).to_have_text("40.800 s")
    expect(failure.locator(".trace").nth(1)).to_be_hidden()
    failure.get_by_text("Traceback").click()
    expect(failure.locator(".trace").nth(1)).to_be_visible()
    failure.get_by_role("link", name="The whole log").click()
    expect(page).to_have_url(re.compile(r"/logs/pods/default/orders-api-7886694586-nw5h2/api\.log$"))


def test_filter_by_text_outcome_and_service(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    assert rows(page) == 60
    page.get_by_role("searchbox").fill("price order_3")
    assert rows(page) == 1
    assert page.locator("article:visible").count() == 1
    expect(page.get_by_role("status")).to_have_text("1 of 60 tests")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("status")).to_have_text("60 tests")

    page.get_by_role("checkbox", name="passed").uncheck()
    page.get_by_role("checkbox", name="skipped").uncheck()
    assert rows(page) == 4
    page.get_by_role("combobox", name="Service").select_option("postgresql")
    assert rows(page) == 1
    assert page.locator("article:visible h3").inner_text() == "tests/test_orders_0.py::test_order_10"
    assert page.locator(".bar.dim").count() == 59
    page.get_by_role("searchbox").fill("nothing like this")
    expect(page.get_by_text("No test matches the filter.")).to_be_visible()


def test_link_to_a_filtered_test_shows_it(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    page.get_by_role("searchbox").fill("order_10")
    page.locator(".bar.failed").first.click()

    expect(page.locator("article:target")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_table_is_sorted_by_time(opened: Callable[..., Opened]) -> None:
    run = failing()
    run.tests[20].seconds = 3.0
    page = opened(run).page
    page.get_by_role("button", name="Time", exact=True).click()

    assert page.locator("#tests tbody tr .name").first.inner_text().endswith("test_order_20")
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Time")


def test_page_is_usable_with_the_keyboard(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").blur()
    page.keyboard.press("n")
    expect(page.locator("article").first).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("article").nth(1)).to_be_focused()
    page.keyboard.press("p")
    expect(page.locator("article").first).to_be_focused()


def test_arrow_keys_move_in_the_timeline_and_enter_follows_a_bar(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    focused = page.locator("#chart :focus")
    page.locator("#chart [tabindex='0']").focus()
    assert "preflight: done" in str(focused.get_attribute("aria-label"))
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert "test_order_" in str(focused.get_attribute("aria-label"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert str(focused.get_attribute("aria-label")).startswith("tests/test_orders_0.py::test_order_1: passed")
    expect(page.get_by_role("tooltip")).to_contain_text("test_order_1: passed, 40.250 s to 40.450 s")
    page.keyboard.press("Enter")
    expect(page.locator("tr:target")).to_be_focused()


def test_zoom_widens_the_chart_and_keeps_its_place(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    chart, ticks = page.locator("#chart"), page.locator("#ticks text")

    def width() -> float:
        box = chart.bounding_box()
        assert box is not None
        return box["width"]

    before, labels = width(), ticks.count()
    page.get_by_role("button", name="Tests", exact=True).click()
    assert width() > 2 * before
    assert ticks.count() > labels
    expect(page.locator(".bar[data-test=t0]")).to_be_in_viewport()
    expect(page.locator(".bar[data-test=t59]")).to_be_in_viewport()
    page.get_by_role("button", name="Zoom out").click()
    page.get_by_role("button", name="Whole run").click()
    assert width() == pytest.approx(before)


def test_tooltip_tells_state_and_time_of_a_container(opened: Callable[..., Opened]) -> None:
    page = opened(failing()).page
    page.locator(".bar.broken").hover()
    expect(page.get_by_role("tooltip")).to_contain_text(
        "api: terminated, OOMKilled, exit code 137, 45.000 s to 47.000 s"
    )
    page.locator(".bar.broken").click()

    expect(page.locator("details:target")).to_have_attribute("open", "")
    expect(page.locator("details:target")).to_contain_text("api restarted")


def test_details_beside_the_page_are_shown_in_it(opened: Callable[..., Opened]) -> None:
    output = [("Captured stdout call", "x" * 90_000)]
    made = opened(RunDirectory(tests=[Case(f"a.py::t{number}", "failed", sections=output) for number in range(40)]))
    article = made.page.locator("article", has=made.page.locator("iframe")).last
    article.locator("summary").click()

    expect(article.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("a.py::t39")
    article.get_by_role("link", name="Details in a file of their own").click()
    expect(made.page.get_by_role("heading", level=1)).to_have_text("a.py::t39")
    assert made.console == []


def test_hostile_texts_run_no_script_and_stay_text(opened: Callable[..., Opened]) -> None:
    made = opened(hostile_run())

    assert made.page.evaluate(f"typeof window.{MARKER}") == "undefined"
    assert made.console == []
    assert made.page.locator("img").count() == 0
    for bar in made.page.locator(".bar").all()[:8]:
        bar.hover(force=True)
    made.page.get_by_role("searchbox").fill("<script>")
    assert rows(made.page) > 0
    assert made.page.evaluate(f"typeof window.{MARKER}") == "undefined"


def test_page_with_a_script_of_a_test_would_not_run_it(opened: Callable[..., Opened], tmp_path: Path) -> None:
    """The content security policy holds even if a template forgot to escape a text."""
    opened(failing())
    page = tmp_path / "report.html"
    page.write_text(page.read_text().replace("<footer>", f"<footer><script>window.{MARKER}=1</script>"))
    browser_page = opened_page(opened, page)

    assert browser_page.evaluate(f"typeof window.{MARKER}") == "undefined"


def opened_page(opened: Callable[..., Opened], path: Path) -> Page:
    text = path.read_text()
    made = opened(RunDirectory())
    path.write_text(text)
    made.page.goto(path.as_uri())
    return made.page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_page_has_no_violation_of_accessibility_rules(opened: Callable[..., Opened], scheme: str, width: int) -> None:
    run = failing()
    run.warnings = ["low disk"]
    page = opened(run, scheme=scheme, width=width).page
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})

    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [1280, 400])
def test_page_does_not_scroll_sideways(opened: Callable[..., Opened], width: int) -> None:
    page = opened(hostile_run(), width=width).page

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_page_of_500_tests_opens_within_seconds(opened: Callable[..., Opened]) -> None:
    page = opened(RunDirectory(tests=suite(500, failing=30))).page
    page.set_default_timeout(10_000)

    assert rows(page) == 500
    page.get_by_role("searchbox").fill("test_order_499")
    expect(page.get_by_role("status")).to_have_text("1 of 500 tests")
