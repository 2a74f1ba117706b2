"""Run mypy in strict mode on each Python project and the scripts, then check the import contracts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"

# One call each, because tests of different projects may share module names.
PARTS = (
    ("seatrial/src", "seatrial/benchmarks"),
    ("foundry/src",),
    ("packages/floe-lakehouse/src",),
    ("testing/base_classes",),
    ("charts/floe-infrastructure/files",),
    ("scripts",),
)

# Bodies of tests are checked; annotations are optional there. A test may replace a method of a fake.
TESTS = (
    "--explicit-package-bases",
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--allow-untyped-decorators",
    "--check-untyped-defs",
    "--disable-error-code=func-returns-value",
    "--disable-error-code=method-assign",
    "--disable-error-code=union-attr",
    "--disable-error-code=var-annotated",
    "seatrial/tests",
)


def main() -> int:
    """Run all checks; return 1 if one failed."""
    commands = []
    environment = os.environ | {"MYPYPATH": f"{ROOT / 'seatrial/src'}:{ROOT / 'seatrial/tests'}"}
    for part in PARTS:
        folders = [folder for folder in part if any((ROOT / folder).rglob("*.py"))]
        if folders:
            commands.append([str(BIN / "mypy"), "--no-error-summary", *folders])
    commands.append([str(BIN / "mypy"), "--no-error-summary", *TESTS])
    commands.append([str(BIN / "lint-imports"), "seatrial/pyproject.toml", "--no-logo"])
    return max(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode for command in commands) and 1


if __name__ == "__main__":
    sys.exit(main())
