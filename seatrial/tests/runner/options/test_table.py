from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from seatrial.pod.agent.wire import GLOB_MARK
from seatrial.runner.options import OPTIONS
from seatrial.runner.options.table import by_name, render

COMMAND = ("uv", "run", "pytest", "tests/", "packages/*/tests/", "--cov", "-v")
MARKED = ("uv", "run", "pytest", "tests/", f"{GLOB_MARK}packages/*/tests/", "--cov", "-v")
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "pytest-options.md"


def test_reference_page_is_up_to_date() -> None:
    """`python -m seatrial.runner.options > docs/reference/pytest-options.md` when this fails."""
    assert PAGE.read_text() == render()


def test_table_has_every_option_of_pytest(tmp_path: Path) -> None:
    """Also those of pytest-cov and pytest-xdist, and whether they take a value."""
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_cov.plugin", "-p", "xdist.plugin"]
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--help", *plugins], cwd=tmp_path, capture_output=True, check=True, text=True,
        env={"COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    ).stdout  # fmt: skip
    listed = set()
    for line in shown.split("[pytest] configuration options")[0].splitlines():
        if match := re.match(r"  (-.*?)(?:  |$)", line):
            for part in match[1].split(", "):
                found = re.match(r"-[\w-]+", part)
                listed.add((found[0] if found else part, bool(re.search(r"[= ]\S", part[2:]))))
    unknown = {name for name, _ in listed if by_name(name) is None}
    assert unknown == set()
    for name, value in listed:
        option = by_name(name)
        if option and name == option.names[0]:
            assert value == (option.value != "none"), name


def test_table_has_each_name_once() -> None:
    names = [name for option in OPTIONS for name in option.names]

    assert len(names) == len(set(names))
