from __future__ import annotations

import json
from pathlib import Path

import pytest
from seatrial.app.chart_warnings import chart_warnings
from seatrial.app.wiring import machine
from seatrial.config.load import load
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.errors import UsageError

CONFIG = """\
[runner]
image = "example.org/tests:1"
namespace = "shop"

[[release]]
name = "shop"
chart = "chart"
namespace = "shop"
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "gone"}}]}]},
}


@pytest.fixture
def warnings(tmp_path, monkeypatch):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("name: shop\n")
    monkeypatch.setenv("SEATRIAL_STATE_DIR", str(tmp_path / "state"))

    def found(config=CONFIG, answers=None):
        Path(tmp_path, "seatrial.toml").write_text(config)
        processes = FakeProcesses({"helm template": Answer(stdout=json.dumps(POD))} if answers is None else answers)
        this = machine()
        object.__setattr__(this, "processes", processes)
        return [str(each) for each in chart_warnings(load(tmp_path), this)]

    return found


def test_mistake_in_a_chart_is_found_at_its_release(warnings):
    (warning,) = warnings()

    assert warning.startswith("seatrial.toml:5: release[0]: pod/web container c: envFrom refers to Secret gone,")
    assert warning.endswith("; add Secret gone to the chart or to manifests, or correct the name")


def test_missing_secret_is_not_reported_if_a_chart_is_not_rendered(warnings):
    remote = '\n[[release]]\nname = "db"\nchart = "oci://example.org/db"\nversion = "1"\nnamespace = "db"\n'
    assert warnings(CONFIG + remote) == []


def test_chart_that_does_not_render_is_an_error(warnings):
    with pytest.raises(UsageError, match="the chart of release shop does not render"):
        warnings(answers={"helm template": Answer(code=1, stderr="Error: parse error")})


def test_nothing_is_checked_without_helm(warnings):
    assert warnings(answers={"docker": Answer()}) == []
