from __future__ import annotations

import json
from pathlib import Path

MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


def test_config_show_prints_values_with_sources(seatrial):
    Path("seatrial.toml").write_text(MINIMAL)
    said = seatrial("--set", "timeouts.run=9", "config", "show")

    assert said.code == 0
    lines = {line.partition("  # ")[0].rstrip(): line.partition("  # ")[2] for line in said.out.splitlines()}
    assert lines['runner.image = "example.org/tests:1"'] == "seatrial.toml:2"
    assert lines["timeouts.run = 9"] == "--set"
    document = json.loads(seatrial("config", "show", "--json").out)
    assert {"key": "runner.pod", "value": "test-runner", "source": "default", "where": ""} in document["settings"]


def test_config_show_prints_all_problems(seatrial):
    Path("seatrial.toml").write_text("[runner]\nimag = 1\n[timeouts]\nrun = 'x'\n")
    said = seatrial("config", "show")

    assert said.code == 4
    assert said.out == ""
    assert said.err.splitlines()[1:] == [
        "seatrial.toml:2: runner.imag: unknown key; did you mean 'image'?",
        'seatrial.toml:4: timeouts.run: is "x", should be a number',
        "seatrial: 3 problems in the configuration",
    ]


def test_config_lint_prints_warnings(seatrial):
    Path("seatrial.toml").write_text(MINIMAL)
    assert seatrial("config", "lint").out == "seatrial.toml: no warnings\n"

    Path("seatrial.toml").write_text(MINIMAL.replace(":1", ""))
    said = seatrial("config", "lint")
    assert said.code == 0
    assert "may refer to another image later" in said.out
    assert seatrial("config", "lint", "--strict").code == 4
    assert json.loads(seatrial("config", "lint", "--json").out)["warnings"][0]["where"] == "seatrial.toml:2"


def test_config_schema_is_json(seatrial):
    assert json.loads(seatrial("config", "schema").out)["title"] == "seatrial.toml"
