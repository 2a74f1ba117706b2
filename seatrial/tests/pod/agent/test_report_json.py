"""Reports as JSON, and the status that plugins give them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config import get_config
from _pytest.reports import CollectReport
from seatrial.pod.agent.report_json import Statuses, report_json


class Shown:
    """A representation that pytest cannot serialize, such as that of a plugin."""

    def toterminal(self, writer: Any) -> None:
        writer.line(f"as wide as {writer.fullwidth}", red=True)

    def __str__(self) -> str:
        return "plain"


@pytest.fixture
def config() -> pytest.Config:
    """A configuration with pytest's own plugins, except one that requires a session."""
    config = get_config([])
    config.parse(["-p", "no:terminal", "-p", "no:subtests", "-p", "no:seatrial"])
    return config


def report(longrepr: Any = None, **more: Any) -> Any:
    made = pytest.TestReport("a.py::a", ("a.py", 1, "a"), {}, "failed" if longrepr else "passed", longrepr, "call")
    made.__dict__.update(more)
    return made


def test_report_is_serialized_as_pytest_does(config: pytest.Config) -> None:
    data = report_json(config, report())

    assert (data["nodeid"], data["when"], data["outcome"], data["$report_type"]) == (
        "a.py::a", "call", "passed", "TestReport",
    )  # fmt: skip
    assert "$shown" not in data


@pytest.mark.parametrize(("markup", "shown"), [(True, "\x1b[31mas wide as 33\x1b[0m\n"), (False, "as wide as 33\n")])
def test_unknown_representation_is_rendered_for_the_terminal(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch, markup: bool, shown: str
) -> None:
    terminal = SimpleNamespace(hasmarkup=markup, _tw=SimpleNamespace(fullwidth=33))
    config.pluginmanager.register(terminal, "terminalreporter")

    data = report_json(config, report(Shown()))

    assert (data["longrepr"], data["$shown"]) == ("plain", shown)


def test_text_representation_has_no_second_form(config: pytest.Config) -> None:
    assert "$shown" not in report_json(config, report("text"))


def test_report_of_a_worker_has_its_name(config: pytest.Config) -> None:
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw1"))

    assert report_json(config, report(node=node))["node"] == "gw1"


def test_collect_report_is_serialized(config: pytest.Config) -> None:
    data = report_json(config, CollectReport("a.py", "failed", "error", []))

    assert data["$report_type"] == "CollectReport"


class Plugin:
    """Gives passed reports a status of its own."""

    @pytest.hookimpl
    def pytest_report_teststatus(self, report: Any) -> Any:
        return ("special", "S", "SPECIAL") if report.outcome == "passed" else None


def test_statuses_are_quiet_without_a_plugin(config: pytest.Config) -> None:
    statuses = Statuses(config)

    assert statuses.of(report()) is None
    assert statuses.quiet

    statuses.pytest_plugin_registered()
    assert not statuses.quiet


def test_status_of_a_plugin_belongs_to_the_report_that_was_shown(config: pytest.Config) -> None:
    config.pluginmanager.register(Plugin())
    statuses = Statuses(config)
    first, second = report(), report()

    assert statuses.of(first) == ("special", "S", "SPECIAL")
    config.hook.pytest_report_teststatus(report=second, config=config)
    assert statuses.of(second) == ("special", "S", "SPECIAL")
    assert statuses.of(first) is None
    assert not statuses.quiet
