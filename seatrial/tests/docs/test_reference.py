"""The pages of the reference are what the code says, and links between pages lead somewhere."""

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


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "exit-codes.md", "events.md", "result.md"])
def test_the_reference_is_what_the_code_says(generated, name):
    assert (DOCS / "reference" / name).read_text() == generated[name], "run: python seatrial/docs/generate_reference.py"


def test_no_page_is_forgotten(generated):
    assert set(generated) == {"cli.md", "configuration.md", "exit-codes.md", "events.md", "result.md"}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    anchors = {
        re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)
    }
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        if path and not (page.parent / path).exists():
            broken.append(target)
        if not path and anchor not in anchors:
            broken.append(target)

    assert broken == []
