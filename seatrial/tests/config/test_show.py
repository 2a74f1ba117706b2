from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.show import as_text, flatten
from seatrial.model.names import checkout_id

TEXT = """\
[[release]]
name = "app"
chart = "chart"
set = { "a.b" = "1" }

[service.api]
port = 80
ready = { http = "/x", status = [200, 401] }

[runner]
image = "example.org/t:1"
env = { QUOTED = 'a "b"' }
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    (tmp_path / "chart").mkdir()
    (tmp_path / "seatrial.toml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return flatten(load(settings=[("timeouts.run=9", "--set")], environ={"SEATRIAL_RUNNER_POD": "p"}))


def test_settings_have_value_and_source_of_every_key(settings, tmp_path):
    lines = as_text(settings, tmp_path).splitlines()
    said = {key.strip(): source for key, _, source in (line.rpartition("  # ") for line in lines)}

    assert said['release[0].chart = "chart"'] == "seatrial.toml:3"
    assert said['release[0].set."a.b" = "***"'] == "seatrial.toml:4"
    assert said["service.api.ready.status = [200, 401]"] == "seatrial.toml:8"
    assert said["service.api.ready.tcp = false"] == "default"
    assert said['runner.env.QUOTED = "***"'] == "seatrial.toml:12"
    assert said['runner.pod = "p"'] == "SEATRIAL_RUNNER_POD"
    assert said["timeouts.run = 9"] == "--set"
    assert said["image = []"] == "default"
    assert said[f'project = "{checkout_id(tmp_path)}"'] == "default", "the id that is in use"
    assert said["runner.env-from = {}"] == "default"


def test_text_leaves_out_unset_keys_and_json_has_them(settings):
    assert {item.key: item.value for item in settings}["cluster.config"] is None
    assert "cluster.config" not in as_text(settings, Path("/nowhere"))
