from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from seatrial.model.blame import Blame
from seatrial.report.html import clock, render_html
from seatrial.report.page import Page
from seatrial.report.run_files import PARTS

from .elements import Elements
from .hostile import ATTACKS, MARKER, hostile_run
from .run_directories import Case, blamed, suite

Pages = Callable[..., Page]


def test_page_has_every_test_failure_and_stage(page: Pages) -> None:
    made = page(tests=suite(40))
    elements = Elements(render_html(made).page)

    assert elements.wrong == []
    assert elements.open == []
    rows = [each for each in elements.all("tr") if each.get("data-test")]
    assert len(rows) == 40
    assert len(elements.all("article")) == 2
    text = "".join(elements.text)
    for expected in ("tests failed", "cluster", "v1.34.4", "order 3 created", "seatrial test tests/test_orders_0.py"):
        assert expected in text


def test_page_says_whose_fault_it_is(page: Pages) -> None:
    tests = [Case("a.py::t", "failed"), Case("a.py::u", "failed", start=1)]
    text = "".join(
        Elements(render_html(page(tests=tests, blames=(blamed("a.py::t"), Blame(nodeid="a.py::u")))).page).text
    )

    assert "2 failed: 1 test, 1 service (orders-api OOMKilled at 64Mi, 3 s before)" in text
    assert "caused by service" in text
    assert "the error names orders-api:80" in text
    assert "No problem in the cluster concerns this test." in text


def test_page_loads_nothing_and_runs_only_its_own_script(page: Pages) -> None:
    html = render_html(page(tests=suite(10))).page
    elements = Elements(html)

    assert [each for each in elements.tags if each[0] in ("link", "img", "object", "embed", "base")] == []
    assert [attributes for attributes in elements.all("script") if attributes] == []
    policy = next(str(each["content"]) for each in elements.all("meta") if each.get("http-equiv"))
    script = html[html.index("<script>") + len("<script>") : html.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html)


def test_hostile_texts_add_no_element_and_no_attribute(page: Pages, tmp_path: object) -> None:
    run = hostile_run()
    html = render_html(page(**{name: getattr(run, name) for name in run.__dataclass_fields__})).page
    elements = Elements(html)

    assert elements.wrong == []
    assert elements.open == []
    assert len(elements.all("script")) == 1
    assert len(elements.all("style")) == 1
    assert elements.all("img") == []
    handlers = [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert handlers == []
    links = [str(each["href"]) for each in elements.all("a")]
    assert all(link.startswith(("#", "./")) for link in links)
    # The texts are there, to be read.
    assert ATTACKS[0] in "".join(elements.text)
    assert MARKER in html


def test_control_and_bidirectional_characters_are_escaped(page: Pages) -> None:
    run = hostile_run()
    html = render_html(page(**{name: getattr(run, name) for name in run.__dataclass_fields__})).page

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f]", html)
    assert r"\u202egnp.exe\u2066" in html


def test_identifiers_are_unique_and_links_lead_to_them(page: Pages) -> None:
    elements = Elements(render_html(page(tests=suite(40))).page)
    identifiers = [str(attributes["id"]) for _, attributes in elements.tags if "id" in attributes]
    anchors = {str(each["href"])[1:] for each in elements.all("a") if str(each["href"]).startswith("#")}

    assert len(identifiers) == len(set(identifiers))
    assert anchors <= set(identifiers)


def test_details_that_do_not_fit_are_in_files_beside_the_page(page: Pages) -> None:
    big = [
        Case(f"a.py::t{number}", "failed", sections=[("Captured stdout call", "x" * 90_000)]) for number in range(40)
    ]
    rendered = render_html(page(tests=big))

    assert len(rendered.page) < 3_000_000
    assert 0 < len(rendered.parts) < 40
    name, part = next(iter(rendered.parts.items()))
    assert re.fullmatch(rf"{PARTS}/t\d+\.html", name)
    assert f'src="{name}"' in rendered.page
    assert "x" * 90_000 in part
    assert Elements(part).wrong == []
    assert Elements(part).all("script") == []


def test_page_of_500_tests_stays_under_3_mb(page: Pages) -> None:
    cases = suite(500, failing=60)
    for case in cases:
        case.sections = [("Captured stdout call", "an order was created\n" * 500)]

    assert len(render_html(page(tests=cases)).page.encode()) < 3_000_000


def test_page_without_tests_has_no_filter(page: Pages) -> None:
    elements = Elements(render_html(page()).page)

    assert elements.wrong == []
    assert elements.all("form") == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.000 s"), (59.9994, "59.999 s"), (125.3, "2:05.300")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
