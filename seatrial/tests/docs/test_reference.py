"""Generated pages of the reference are up to date, and links between pages lead to existing places."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


GENERATED = (
    "cli.md",
    "comparison.md",
    "comparison.schema.json",
    "configuration.md",
    "events.md",
    "exit-codes.md",
    "facts.md",
    "result.md",
    "timeline.md",
    "causes.md",
)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_up_to_date(generated, name):
    assert (DOCS / "reference" / name).read_text() == generated[name], "run: python seatrial/docs/generate_reference.py"


def test_every_generated_page_is_tested(generated):
    assert set(generated) == set(GENERATED)


PAGES = (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md")))


def prose(page: Path) -> str:
    """Return the text of a page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_links_lead_to_files_and_headings_that_exist(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []
