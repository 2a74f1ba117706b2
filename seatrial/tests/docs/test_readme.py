"""The first screen of the README shows a configuration that is valid and a test that exists."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from seatrial.config import load
from seatrial.config.lint import lint

SEATRIAL = Path(__file__).parents[2]
EXAMPLE = SEATRIAL / "examples" / "orders-api"
README = (SEATRIAL / "README.md").read_text()


def block(language: str) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return found[0]


def test_configuration_of_the_readme_is_valid_for_the_example(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "orders-api")
    (tmp_path / "orders-api" / "seatrial.toml").write_text(block("toml"))

    assert lint(load(str(tmp_path / "orders-api"), environ={})) == []
    assert len(block("toml").splitlines()) <= 10


def test_test_of_the_readme_is_one_of_the_example():
    assert block("python") in (EXAMPLE / "tests" / "test_orders.py").read_text()
