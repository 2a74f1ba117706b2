"""Renderers write the golden text of recorded runs. `SEATRIAL_GOLDEN=write pytest …` writes the golden files."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from seatrial.sinks.choose import renderer


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "quiet", "kind"),
    [
        (_Terminal(), {"TERM": "xterm"}, False, "Console"),
        (_Terminal(), {"TERM": "xterm"}, True, "Plain"),
        (_Terminal(), {"TERM": "dumb"}, False, "Plain"),
        (_Terminal(), {"TERM": "xterm", "CI": "true"}, False, "Plain"),
        (io.StringIO(), {}, False, "Plain"),
        (io.StringIO(), {"GITHUB_ACTIONS": "true"}, False, "GitHub"),
        (io.StringIO(), {"GITHUB_ACTIONS": "true"}, True, "Plain"),
    ],
)
def test_renderer_is_chosen_by_terminal_and_environment(stream, environ, quiet, kind):
    assert type(renderer(stream, environ=environ, color=False, quiet=quiet)).__name__ == kind


def test_plain_renderer_does_not_import_rich():
    code = "import sys, seatrial.sinks.choose, seatrial.sinks.jsonl; sys.exit('rich' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
