"""Write the JUnit file with pytest's writer and the settings of the pod's pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import LogXML

__all__ = ["Junit"]


class _Writer(LogXML):
    """pytest's writer, which prints the path that the user asked for, if any."""

    line = ""

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

    def attribute(self, nodeid: str, name: str, value: str) -> None:
        """Add an attribute of `record_xml_attribute`."""
        self.writer.node_reporter(nodeid).add_attribute(name, value)
