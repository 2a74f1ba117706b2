"""Keys: they change with whatever changes the result, and with nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from foundry import artefacts, keys
from foundry.artefacts import Artefact, Catalogue

BASE = Artefact(name="base", kind="image", version="1", recipe="base")
APP = Artefact(name="app", kind="image", version="1", recipe="app", inputs=("base",))


def catalogue(folder: Path, *found: Artefact) -> Catalogue:
    for artefact in found:
        (folder / f"{artefact.recipe}.py").touch()
    return Catalogue(folder / "artefacts.toml", {a.name: a for a in found}, (folder,))


def made(folder: Path, *found: Artefact, arch: str = "amd64", ca_digest: str = "") -> dict[str, str]:
    return keys.keys(catalogue(folder, *found), arch=arch, ca_digest=ca_digest)


def test_the_same_facts_give_the_same_keys(tmp_path):
    assert made(tmp_path, BASE, APP) == made(tmp_path, APP, BASE)


@pytest.mark.parametrize(
    "change",
    [{"version": "2"}, {"options": {"suite": "trixie"}}, {"kind": "files"}],
    ids=["version", "options", "kind"],
)
def test_a_change_of_an_input_changes_what_is_made_from_it(tmp_path, change):
    before = made(tmp_path, BASE, APP)
    after = made(tmp_path, dataclasses.replace(BASE, **change), APP)

    assert after["base"] != before["base"]
    assert after["app"] != before["app"]


@pytest.mark.parametrize(
    "change",
    [{"upstream": "base:1"}, {"setup": True}, {"values": ("a.b",)}, {"seconds": 9}],
    ids=["upstream", "setup", "values", "seconds"],
)
def test_where_it_comes_from_and_who_wants_it_do_not_count(tmp_path, change):
    assert made(tmp_path, dataclasses.replace(BASE, **change)) == made(tmp_path, BASE)


def test_only_the_artefacts_own_recipe_counts(tmp_path):
    before = made(tmp_path, BASE, APP)
    (tmp_path / "app.py").write_text("# changed")
    after = made(tmp_path, BASE, APP)

    assert after["base"] == before["base"]
    assert after["app"] != before["app"]


def test_files_beside_the_recipe_count_with_their_mode(tmp_path):
    (tmp_path / "app").mkdir()
    script = tmp_path / "app" / "entrypoint.sh"
    script.write_text("#!/bin/sh\n")
    before = made(tmp_path, BASE, APP)["app"]
    script.chmod(0o755)
    executable = made(tmp_path, BASE, APP)["app"]
    script.write_text("#!/bin/sh\nexit\n")

    assert len({before, executable, made(tmp_path, BASE, APP)["app"]}) == 3


def test_compiled_python_beside_the_recipe_does_not_count(tmp_path):
    before = made(tmp_path, BASE)
    (tmp_path / "base" / "__pycache__").mkdir(parents=True)
    (tmp_path / "base" / "__pycache__" / "x.pyc").write_bytes(b"x")

    assert made(tmp_path, BASE) == before


def test_the_machines_ca_files_count_where_an_image_holds_them_and_above(tmp_path):
    holder = dataclasses.replace(BASE, machine_ca=True)
    other = Artefact(name="other", kind="files", version="1", recipe="other")
    here = made(tmp_path, holder, APP, other, ca_digest="a")
    there = made(tmp_path, holder, APP, other, ca_digest="b")

    assert [name for name in here if here[name] != there[name]] == ["base", "app"]


def test_architectures_have_keys_of_their_own(tmp_path):
    assert made(tmp_path, BASE, arch="amd64") != made(tmp_path, BASE, arch="arm64")


def test_the_projects_own_keys_all_differ():
    found = keys.keys(artefacts.load(Path(__file__).parents[1] / "artefacts.toml"), arch="amd64", ca_digest="")

    assert len(set(found.values())) == len(found)
