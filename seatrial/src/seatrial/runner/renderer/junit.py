"""Write the JUnit file with pytest's writer and the settings of the pod's pytest."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import LogXML, bin_xml_escape

from seatrial.model.blame import Blame, blame_lines

__all__ = ["Junit"]


class _Writer(LogXML):
    """pytest's writer, which prints the path that the user asked for, if any."""

    line = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.finished: dict[str, Any] = {}

    def finalize(self, report: Any) -> None:
        """Keep the finished element of a test: pytest does not find it by its name afterwards."""
        before = dict(self.node_reporters)
        super().finalize(report)
        for key in before.keys() - self.node_reporters.keys():
            self.finished[report.nodeid] = before[key]

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config | None = None) -> None:
        """Print the path of the JUnit file, as pytest does."""
        del config
        if self.line and terminalreporter.verbosity >= 0:
            terminalreporter.write_sep("-", f"generated xml file: {self.line}")


class Junit:
    """The JUnit file, with properties and attributes that fixtures in the pod recorded.

    Attributes:
        writer: the plugin to register.
    """

    def __init__(self, session: dict[str, Any], path: str, line: str) -> None:
        ini = session["ini"]
        self.writer = _Writer(
            str(Path(path).absolute()),
            session["options"].get("junitprefix"),
            ini.get("junit_suite_name", "pytest"),
            ini.get("junit_logging", "no"),
            ini.get("junit_duration_report", "total"),
            ini.get("junit_family", "xunit2"),
            ini.get("junit_log_passing_tests", True),
        )
        self.writer.line = line

    def property(self, name: str, value: str) -> None:
        """Add a property of `record_testsuite_property`."""
        self.writer.add_global_property(name, value)

    def blame(self, blame: Blame) -> None:
        """Add properties with the fault of a failed test, its cause and the evidence."""
        reporter = self.writer.finished.get(blame.nodeid)
        if reporter is None:
            return
        element = reporter.to_xml()
        properties = element.find("properties")
        if properties is None:
            properties = ET.Element("properties")
            element.insert(0, properties)
        lines = dict(zip(("seatrial.cause", "seatrial.evidence"), blame_lines(blame), strict=False))
        for name, value in {"seatrial.fault": str(blame.fault), **lines}.items():
            properties.append(ET.Element("property", name=name, value=bin_xml_escape(value)))

    def attribute(self, nodeid: str, name: str, value: str) -> None:
        """Add an attribute of `record_xml_attribute`."""
        self.writer.node_reporter(nodeid).add_attribute(name, value)
