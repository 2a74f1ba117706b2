"""Output that the documentation shows was printed by the product: `e2e/record_runs.py` recorded it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SEATRIAL = Path(__file__).resolve().parents[2]
PAGES = (SEATRIAL / "README.md", *sorted((SEATRIAL / "docs").rglob("*.md")))
RECORDED = SEATRIAL / "docs" / "recorded"
SHOWN = re.compile(
    r"(?:<!-- recorded: (?P<name>[\w-]+) -->\n)?```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SEATRIAL)))
def test_console_blocks_show_recorded_output(page: Path) -> None:
    for match in SHOWN.finditer(page.read_text()):
        assert match["name"], f"not recorded: {match['text'].splitlines()[0]}"
        assert match["text"] == (RECORDED / f"{match['name']}.txt").read_text()
