"""Test the progress display."""

from __future__ import annotations

import io

import pytest

from foundry import progress


@pytest.mark.parametrize(("seconds", "shown"), [(0.42, "0.4 s"), (12.4, "12 s"), (187, "3:07"), (3600, "60:00")])
def test_duration_format(seconds, shown):
    assert progress.duration(seconds) == shown


def test_progress_log_has_start_and_end_of_each_step():
    stream = io.StringIO()
    with progress.Progress({"a": 1, "b": 1}, stream) as steps:
        steps.start("a", "building 1")
        steps.end("a", "built")

    lines = stream.getvalue().splitlines()
    assert lines[0] == "  a: building 1"
    assert lines[1].startswith("  a: built (")
    assert lines[1].endswith("[1/2]")


def test_progress_terminal_line_is_rewritten_and_erased():
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    with progress.Progress({"a": 1}, stream) as steps:
        steps.start("a")
        steps.end("a", "built")

    assert stream.getvalue().endswith("\r\033[K")
    assert stream.getvalue().count("\n") == 1


def test_line_names_pending_steps_and_time_left():
    steps = progress.Progress({"a": 60, "b": 200, "c": 100}, io.StringIO())
    steps.start("a")

    assert steps.line().startswith("a 0.0 s · about 6 min left · then 2 more: b, c")
