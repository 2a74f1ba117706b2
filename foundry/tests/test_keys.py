"""Test that keys change with every input that determines a result, and with nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from foundry import artifacts, keys
from foundry.artifacts import Artifact, Catalog

BASE = Artifact(name="base", kind="image", version="1", recipe="base")
APP = Artifact(name="app", kind="image", version="1", recipe="app", inputs=("base",))


def catalog(folder: Path, *found: Artifact) -> Catalog:
    for artifact in found:
        (folder / f"{artifact.recipe}.py").touch()
    return Catalog(folder / "artifacts.toml", {a.name: a for a in found}, (folder,))


def made(folder: Path, *found: Artifact, arch: str = "amd64", ca_digest: str = "") -> dict[str, str]:
    return keys.keys(catalog(folder, *found), arch=arch, ca_digest=ca_digest)


def test_keys_same_inputs_give_same_keys(tmp_path):
    assert made(tmp_path, BASE, APP) == made(tmp_path, APP, BASE)


@pytest.mark.parametrize(
    "change",
    [{"version": "2"}, {"options": {"suite": "trixie"}}, {"kind": "files"}],
    ids=["version", "options", "kind"],
)
def test_keys_changed_input_changes_dependents(tmp_path, change):
    before = made(tmp_path, BASE, APP)
    after = made(tmp_path, dataclasses.replace(BASE, **change), APP)

    assert after["base"] != before["base"]
    assert after["app"] != before["app"]


@pytest.mark.parametrize(
    "change",
    [{"upstream": "base:1"}, {"setup": True}, {"values": ("a.b",)}, {"seconds": 9}],
    ids=["upstream", "setup", "values", "seconds"],
)
def test_keys_ignore_sources_and_users(tmp_path, change):
    assert made(tmp_path, dataclasses.replace(BASE, **change)) == made(tmp_path, BASE)


def test_keys_depend_only_on_own_recipe(tmp_path):
    before = made(tmp_path, BASE, APP)
    (tmp_path / "app.py").write_text("# changed")
    after = made(tmp_path, BASE, APP)

    assert after["base"] == before["base"]
    assert after["app"] != before["app"]


def test_keys_include_assets_and_their_mode(tmp_path):
    (tmp_path / "app").mkdir()
    script = tmp_path / "app" / "entrypoint.sh"
    script.write_text("#!/bin/sh\n")
    before = made(tmp_path, BASE, APP)["app"]
    script.chmod(0o755)
    executable = made(tmp_path, BASE, APP)["app"]
    script.write_text("#!/bin/sh\nexit\n")

    assert len({before, executable, made(tmp_path, BASE, APP)["app"]}) == 3


def test_keys_ignore_compiled_python(tmp_path):
    before = made(tmp_path, BASE)
    (tmp_path / "base" / "__pycache__").mkdir(parents=True)
    (tmp_path / "base" / "__pycache__" / "x.pyc").write_bytes(b"x")

    assert made(tmp_path, BASE) == before


def test_keys_include_ca_files_of_images_with_machine_ca(tmp_path):
    holder = dataclasses.replace(BASE, machine_ca=True)
    other = Artifact(name="other", kind="files", version="1", recipe="other")
    here = made(tmp_path, holder, APP, other, ca_digest="a")
    there = made(tmp_path, holder, APP, other, ca_digest="b")

    assert [name for name in here if here[name] != there[name]] == ["base", "app"]


def test_keys_differ_by_architecture(tmp_path):
    assert made(tmp_path, BASE, arch="amd64") != made(tmp_path, BASE, arch="arm64")


def test_project_keys_are_distinct():
    found = keys.keys(artifacts.load(Path(__file__).parents[1] / "artifacts.toml"), arch="amd64", ca_digest="")

    assert len(set(found.values())) == len(found)
