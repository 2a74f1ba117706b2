"""Provide the two measured projects, and change them between samples.

`platform` is the repository's first user without the tests that require seatrial: a chart with four services, some 120
tests, an image of 420 MB. `ship` belongs to the benchmarks (`ship/`): one image of 400 MB that runs on every node, and
a service with its own image.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from seatrial.config import load
from seatrial.model.spec import Project

from benchmarks.commands import Shell
from benchmarks.marks import CONFTEST
from benchmarks.place import IMAGE, PLAIN_CLUSTER, Place
from benchmarks.plain import Plain

__all__ = [
    "CHANGED",
    "PLATFORM",
    "SELECTED",
    "SHIP",
    "change_test",
    "chart_images",
    "command_of",
    "copy_platform",
    "copy_ship",
    "plain_of",
    "without_host_ports",
]

PLATFORM: Final = "platform"
SHIP: Final = "ship"

CHANGED: Final = "tests/integration/test_object_store.py"
"""The test of the platform that is changed."""
SELECTED: Final = "object_store"
"""The value of `-k` that selects it."""

_PLATFORM_ENTRIES: Final = (
    *("Dockerfile", ".dockerignore", "pyproject.toml", "seatrial.toml"),
    *("locks", "packages", "tests", "charts", "testing", ".foundry"),
)
_OF_THE_TOOL: Final = ("tests/parity", "tests/seed")
"""Tests that need permissions and fixtures of seatrial, and cannot run in a plain pod."""
_SHIP_ENTRIES: Final = ("Dockerfile", ".dockerignore", "seatrial.toml", "kind.yaml", "chart", "tests")
_KIND_CONFIG: Final = "kind-benchmark.yaml"
_BLOB_BYTES: Final = 245_000_000
"""Together with the base image and the packages, the image has 400 MB."""
_IMAGE_LINE: Final = re.compile(r"^\s*(?:- )?image:\s*[\"']?([^\s\"']+)", re.MULTILINE)


def copy_platform(place: Place) -> Project:
    """Copy the platform without host ports, and make its suite report its lifetime.

    The configuration is read as seatrial reads it.
    """
    folder = place.copy(PLATFORM, place.root, _PLATFORM_ENTRIES)
    for tests in _OF_THE_TOOL:
        shutil.rmtree(folder / tests)
    config = yaml.safe_load((folder / "testing" / "k8s" / "kind-config.yaml").read_text())
    (folder / _KIND_CONFIG).write_text(yaml.safe_dump(without_host_ports(config)))
    settings = folder / "seatrial.toml"
    settings.write_text(re.sub(r'(?m)^config = ".*"$', f'config = "{_KIND_CONFIG}"', settings.read_text()))
    conftest = folder / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text() + CONFTEST)
    return load(str(folder), environ={}).project


def copy_ship(place: Place) -> Project:
    """Copy the small project, and create the large file of its image, half of which gzip can save.

    The file is always the same, so it is built and transferred once.
    """
    folder = place.copy(SHIP, Path(__file__).parent / "ship", _SHIP_ENTRIES)
    dice = random.Random(0)
    with (folder / "blob").open("wb") as blob:
        while blob.tell() < _BLOB_BYTES:
            blob.write(dice.randbytes(1 << 20).hex().encode())
    (folder / "small").write_text("0\n")
    return load(str(folder), environ={}).project


def without_host_ports(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind configuration without host ports."""
    return {
        **config,
        "nodes": [
            {key: value for key, value in node.items() if key != "extraPortMappings"} for node in config["nodes"]
        ],
    }


def change_test(folder: Path, text: str = "") -> None:
    """Change a test as a developer does: a new comment, followed by `text`."""
    test = folder / CHANGED
    written = test.read_text().partition("\n# changed")[0].rstrip("\n")
    test.write_text(f"{written}\n# changed {time.time_ns()}\n{text}")


def command_of(project: Project, *args: str) -> tuple[str, ...]:
    """Return the test command for a plain pod, in a shell if it needs expansion."""
    return ("sh", "-c", " ".join(("exec", *project.runner.command, *args)))


def plain_of(project: Project, *, cluster: str = PLAIN_CLUSTER, pod: str) -> Plain:
    """Return the plain commands of a project."""
    return Plain(cluster=cluster, image=f"{IMAGE}:latest", namespace=project.runner.namespace, pod=pod)


def chart_images(shell: Shell, project: Project) -> list[str]:
    """Return the chart's images that are on the engine and that nodes cannot pull."""
    release = project.release[0]
    values = [word for path in release.values for word in ("--values", str(path))]
    rendered = shell.run("helm", "template", release.name, str(release.chart), *values).text
    named = dict.fromkeys(_IMAGE_LINE.findall(rendered))
    return [name for name in named if shell.run("docker", "image", "inspect", name, codes=()).code == 0]
