"""`docs/explanation/architecture.md` shows the layers that the import contracts check, and files that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

SEATRIAL = Path(__file__).parents[2]
PAGE = (SEATRIAL / "docs" / "explanation" / "architecture.md").read_text()
CONTRACTS = tomllib.loads((SEATRIAL / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def layers() -> list[str]:
    (contract,) = (each for each in CONTRACTS if each["id"] == "layers")
    # Parentheses mark a layer that need not exist.
    found = [re.sub(r"[()]", "", line) for line in contract["layers"]]
    return [
        line for line in found if any(list((SEATRIAL / "src/seatrial").glob(f"{name}*")) for name in line.split(" | "))
    ]


def test_page_has_the_layers_of_the_import_contract():
    (block,) = re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    assert block.splitlines() == layers()


def test_page_describes_each_layer_and_each_package_beside_them():
    described = [
        name for names in re.findall(r"^(?:- )?\*\*(`.*?)\*\*", PAGE, re.MULTILINE) for name in names.split(", ")
    ]
    packages = [name for line in layers() for name in line.split(" | ")]

    assert [name.strip("`") for name in described] == [*packages, "adapters", "sinks", "pytest_plugin", "doubles"]


def test_files_of_the_page_exist():
    named = set(
        re.findall(r"`((?:cli|app|model|config|runner|environments|readiness|diagnose|sinks|pod)/[\w/]+\.py)`", PAGE)
    )

    assert named
    assert [
        name for name in sorted(named) if "NAME" not in name and not (SEATRIAL / "src/seatrial" / name).is_file()
    ] == []
