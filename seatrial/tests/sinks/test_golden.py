"""Renderers write the golden text of recorded runs. `SEATRIAL_GOLDEN=write pytest …` writes the golden files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from seatrial.sinks.console import Console
from seatrial.sinks.github import GitHub
from seatrial.sinks.plain import Plain

RUNS = ("green", "up", "failed", "image_missing", "build_failed", "interrupted")

GOLDEN = Path(__file__).with_name("golden")

RENDERERS: dict[str, Any] = {
    "console": lambda to: Console(to, color=False, live=False, width=80),
    "console-color": lambda to: Console(to, color=True, live=False, width=80),
    "console-verbose": lambda to: Console(to, color=False, live=False, width=80, verbose=2),
    "plain": Plain,
    "plain-quiet": lambda to: Plain(to, quiet=True),
    "plain-verbose": lambda to: Plain(to, verbose=2),
    "github": GitHub,
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", RENDERERS)
def test_renderer_writes_the_golden_text_of_a_recorded_run(recorded, name, run):
    stream = io.StringIO()
    sink = RENDERERS[name](stream)
    for event in recorded(run):
        sink(event)
    sink.close()
    golden = GOLDEN / f"{run}.{name}.txt"
    if os.environ.get("SEATRIAL_GOLDEN") == "write":
        golden.write_text(stream.getvalue())

    assert stream.getvalue() == golden.read_text()


@pytest.mark.parametrize("run", RUNS)
def test_renderers_without_color_write_no_escape_sequence_and_end_with_the_verdict(recorded, run):
    """NO_COLOR and TERM=dumb end here: no escape sequence, and the last line is the verdict with the files."""
    for name in set(RENDERERS) - {"console-color"}:
        stream = io.StringIO()
        sink = RENDERERS[name](stream)
        for event in recorded(run):
            sink(event)
        sink.close()

        assert "\x1b" not in stream.getvalue(), name
        assert "; files in .seatrial/runs/" in stream.getvalue().splitlines()[-1], name


def test_console_without_unicode_writes_ascii(recorded):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    sink = Console(stream, color=False, live=False, width=60)
    for event in recorded("image_missing"):
        sink(event)
    sink.close()
    stream.flush()

    text = raw.getvalue().decode("ascii")
    assert "+ install" in text
    assert "X ready" in text
