"""The JUnit file, by pytest's own writer, with the settings of the pod's pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import LogXML

__all__ = ["Junit"]


class _Writer(LogXML):
    """Says where the file is for the user, and only if the user asked for one."""

    line = ""

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config | None = None) -> None:
        """Print the line that pytest prints."""
        del config
        if self.line and terminalreporter.verbosity >= 0:
            terminalreporter.write_sep("-", f"generated xml file: {self.line}")


class Junit:
    """Writes the file and takes what the pod's fixtures recorded.

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
        """Take `record_testsuite_property`."""
        self.writer.add_global_property(name, value)

    def attribute(self, nodeid: str, name: str, value: str) -> None:
        """Take `record_xml_attribute`."""
        self.writer.node_reporter(nodeid).add_attribute(name, value)
