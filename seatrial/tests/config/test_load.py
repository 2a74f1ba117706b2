from __future__ import annotations

from pathlib import Path

from seatrial.config import load
from seatrial.config.source import DEFAULT, Origin, Source

from .configurations import FULL, MINIMAL


def test_load_records_the_source_of_each_value(root):
    Path("seatrial.toml").write_text(FULL)

    loaded = load(settings=[("runner.namespace=other", "--namespace")], environ={"SEATRIAL_TIMEOUTS_TEST": "5"})

    assert loaded.sources["cluster", "name"] == Source(Origin.FILE, "seatrial.toml:2")
    assert loaded.sources["release", 0, "values", 0] == Source(Origin.FILE, "seatrial.toml:14")
    assert loaded.sources["timeouts", "test"] == Source(Origin.ENVIRONMENT, "SEATRIAL_TIMEOUTS_TEST")
    assert loaded.sources["runner", "namespace"] == Source(Origin.COMMAND_LINE, "--namespace")
    assert ("timeouts", "run") not in loaded.sources
    assert str(DEFAULT) == "default"
    assert loaded.project.timeouts.test == 5
    assert loaded.project.runner.namespace == "other"
    assert loaded.where(("runner", "rules")) == "seatrial.toml:32"


def test_projects_in_directories_of_the_same_name_have_different_ids(root):
    found = []
    for parent in ("one", "two"):
        root = root / parent / "app"
        root.mkdir(parents=True)
        (root / "seatrial.toml").write_text(MINIMAL)
        found.append(load(str(root), environ={}).project.identity)

    assert found[0] != found[1]
    assert {each.rpartition("-")[0] for each in found} == {"app"}


def test_checkouts_of_one_file_share_the_configured_id(root):
    found = set()
    for parent in ("builds/1/app", "builds/2/other"):
        root = root / parent
        root.mkdir(parents=True)
        (root / "seatrial.toml").write_text('project = "shop-3f2a9c1b"\n' + MINIMAL)
        found.add(load(str(root), environ={}).project.identity)

    assert found == {"shop-3f2a9c1b"}
