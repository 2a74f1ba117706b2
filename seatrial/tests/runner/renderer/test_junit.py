from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from seatrial.runner.renderer.junit import Junit


def junit(path: Path, *, ini: dict[str, Any] | None = None, line: str = "", **options: Any) -> Junit:
    return Junit({"ini": ini or {}, "options": options}, str(path), line)


def written(path: Path, junit: Junit) -> ET.Element:
    """Return the suite of a session in which one test passed."""
    junit.writer.pytest_sessionstart()
    for when in ("setup", "call", "teardown"):
        report = pytest.TestReport("t/test_a.py::test_a", ("t/test_a.py", 0, "test_a"), {}, "passed", None, when)
        junit.writer.pytest_runtest_logreport(report)
    junit.writer.pytest_sessionfinish()
    return ET.parse(path).getroot()[0]


def test_file_is_written_with_the_names_that_pytest_gives(tmp_path: Path) -> None:
    suite = written(tmp_path / "deep" / "j.xml", junit(tmp_path / "deep" / "j.xml"))

    assert suite.attrib["name"] == "pytest"
    assert suite[0].attrib["classname"] == "t.test_a"


def test_settings_of_the_pytest_in_the_pod_are_used(tmp_path: Path) -> None:
    ini = {"junit_suite_name": "shop", "junit_family": "xunit1"}

    suite = written(tmp_path / "j.xml", junit(tmp_path / "j.xml", ini=ini, junitprefix="pod"))

    assert suite.attrib["name"] == "shop"
    assert suite[0].attrib["classname"] == "pod.t.test_a"
    assert suite[0].attrib["file"] == "t/test_a.py"


def test_properties_that_fixtures_recorded_in_the_pod_are_written(tmp_path: Path) -> None:
    made = junit(tmp_path / "j.xml", ini={"junit_family": "xunit1"})
    made.property("version", "1.2")
    made.attribute("t/test_a.py::test_a", "assertions", "3")

    suite = written(tmp_path / "j.xml", made)

    assert [each.attrib for each in suite.iter("property")] == [{"name": "version", "value": "1.2"}]
    assert suite.find("testcase").attrib["assertions"] == "3"


class Terminal:
    """A terminal reporter that keeps its lines."""

    def __init__(self, verbosity: int = 0) -> None:
        self.verbosity = verbosity
        self.lines: list[str] = []

    def write_sep(self, char: str, title: str) -> None:
        self.lines.append(f"{char} {title}")


@pytest.mark.parametrize(
    ("line", "verbosity", "lines"),
    [("out/j.xml", 0, ["- generated xml file: out/j.xml"]), ("", 0, []), ("out/j.xml", -1, [])],
    ids=["asked", "not-asked", "quiet"],
)
def test_path_is_printed_only_if_the_user_asked_for_the_file(
    tmp_path: Path, line: str, verbosity: int, lines: list[str]
) -> None:
    terminal = Terminal(verbosity)

    junit(tmp_path / "j.xml", line=line).writer.pytest_terminal_summary(terminal)

    assert terminal.lines == lines
