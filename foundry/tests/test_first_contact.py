"""`foundry up` on users' machines: without Go, without root, and with registries that answer late, badly or never."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundry import keys
from foundry.artefacts import load
from foundry.machine import architecture

FAKE = Path(__file__).with_name("fake_docker.py")


@dataclass
class FakeEngine:
    """The fake `docker` on PATH, and the files it works with."""

    folder: Path

    @property
    def path(self) -> str:
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def has(self, **images: Mapping[str, Any]) -> None:
        (self.folder / "images.json").write_text(json.dumps(images))

    def pulls(self, behavior: Mapping[str, Any]) -> None:
        (self.folder / "pulls.json").write_text(json.dumps(behavior))

    def names(self) -> set[str]:
        images = json.loads((self.folder / "images.json").read_text())
        return {name for image in images.values() for name in image["RepoTags"]}

    def calls(self, *words: str) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        return [call for call in told if call["words"][: len(words)] == list(words)]


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    folder = tmp_path / "fake"
    (folder / "bin").mkdir(parents=True)
    docker = folder / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\nFAKE_DOCKER="{folder}" exec "{sys.executable}" "{FAKE}" "$@"\n')
    docker.chmod(0o755)
    return FakeEngine(folder)


IMAGE = """
[artefact.web]
kind = "image"
version = "3"
setup = true
"""


def test_up_to_date_image_under_its_former_name_is_tagged_and_not_built(project, engine):
    project.write(IMAGE, web="raise RuntimeError('the recipe ran')")
    catalogue = load(project.root / "foundry" / "artefacts.toml")
    key = keys.keys(catalogue, arch=architecture(), ca_digest="")["web"]
    labels = {"dev.seatrial.foundry.key": key}
    engine.has(old={"Id": "sha256:1", "RepoTags": ["foundry/web:3"], "Config": {"Labels": labels}})

    told = project.run("up", PATH=engine.path).stderr

    assert "foundry.invalid/web:3: present as foundry/web:3, tagged" in told
    assert engine.names() == {"foundry/web:3", "foundry.invalid/web:3"}


def test_stale_image_under_a_former_name_is_not_used(project, engine):
    project.write(IMAGE, web="raise RuntimeError('the recipe ran')")
    labels = {"dev.seatrial.foundry.key": "0" * 64}
    engine.has(old={"Id": "sha256:1", "RepoTags": ["foundry/web:3"], "Config": {"Labels": labels}})

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert "the recipe ran" in told
    assert engine.names() == {"foundry/web:3"}
