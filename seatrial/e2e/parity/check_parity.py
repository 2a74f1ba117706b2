"""Check `seatrial compare` against planted differences: `python check_parity.py [WORD…]` (words select plants).

One environment is kept. The unchanged project runs first. Then each plant changes files of the project, the tests run
again, and both runs are compared by the command line. Every plant has to be found with exit code 13 and explained by
its rule, unknown differences have to be called unexplained, and equal runs must not differ, ten times.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from plants import PLANTS, UNKNOWN, Plant, plants_in_compose
from upgrades import BREAKS, write_project, write_version

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import local_images

PROJECT = Path(__file__).parent / "project"
KEPT = Path(__file__).resolve().parents[3] / ".seatrial" / "check" / "parity"
"""The runs of failed checks."""
CLEAN = 10
DIFFERS = 13
IN_BOTH = ("variable of the API", "underscore in a variable")


class Checked:
    """A copy of the project with an environment, and the results of the check."""

    def __init__(self, root: Path, kind: str = "kubernetes") -> None:
        self.root = root
        self.kind = ("--env", kind)
        self.failures: list[str] = []
        self.env = {**os.environ, **(local_images.SETTINGS if "orders" in root.name else {})}

    def seatrial(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy."""
        command = [sys.executable, "-m", "seatrial", "-C", str(self.root), *argv]
        return subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)

    def test(self, *pytest_args: str) -> str:
        """Run the tests and return the id of the run."""
        self.seatrial("-q", "test", *self.kind, *pytest_args)
        return self.latest()

    def latest(self) -> str:
        """Return the id of the newest run."""
        return (self.root / ".seatrial" / "runs" / "latest").resolve().name

    def base(self, *pytest_args: str) -> str:
        """Run the tests and return a copy of the run's directory: seatrial deletes all but the newest 30 runs."""
        copy = self.root / "base"
        shutil.copytree(self.root / ".seatrial" / "runs" / self.test(*pytest_args), copy)
        return str(copy)

    def restore(self, plant: Plant | None) -> None:
        """Revert the changes of a plant."""
        for path, *_ in plant.edits if plant else ():
            shutil.copy(PROJECT / path, self.root / path)

    def compare(self, left: str, right: str) -> dict[str, Any]:
        """Return the comparison of two runs."""
        done = self.seatrial("compare", left, right, "--json")
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == found["exit"], f"exit code {done.returncode}, document {found['exit']}"
        return found

    def report(self, name: str, problem: str, seconds: float) -> None:
        """Print one line; record a problem, and keep the runs of this part."""
        print(
            f"{'failed' if problem else 'ok':6}  {seconds:5.1f} s  {name}{': ' if problem else ''}{problem}", flush=True
        )
        if problem:
            self.failures.append(name)
            kept = KEPT / name.replace(" ", "-").replace(":", "")
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self.root / ".seatrial" / "runs", kept, symlinks=True)
            print(f"        runs: {kept}", flush=True)


def problem_of(plant: Plant, found: dict[str, Any]) -> str:
    """Return why a comparison does not meet the expectation of a plant; empty if it does."""
    blockers = [each for each in found["differences"] if each["counts"] and not each["accepted"]]
    shown = {each["kind"] + " " + each["subject"]: (each["explanation"] or {}).get("rule", "") for each in blockers}
    if found["exit"] != DIFFERS or not blockers:
        return f"not found, exit code {found['exit']}"
    if plant.rule and plant.rule not in shown.values():
        return f"not explained by {plant.rule}: {shown}"
    wrong = {key: rule or "unexplained" for key, rule in shown.items() if rule not in {plant.rule, *plant.also}}
    return f"wrong explanations: {wrong}" if wrong else ""


def check(checked: Checked, words: list[str]) -> None:
    """Run the clean pairs and all selected plants in Kubernetes, then pairs of both kinds."""
    check_plants(checked, (*PLANTS, *UNKNOWN), words)
    check_both_kinds(checked, words)


def check_in_compose(checked: Checked, words: list[str]) -> None:
    """Run the clean pairs and all selected plants in Compose."""
    check_plants(checked, plants_in_compose(), words)


def check_plants(checked: Checked, plants: tuple[Plant, ...], words: list[str]) -> None:
    """Run the clean pairs and all selected plants in the environment of a project."""
    base = checked.base()
    for number in range(CLEAN if not words else 1):
        started = time.monotonic()
        found = checked.compare(base, checked.test())
        problem = "" if found["exit"] == 0 and found["ready"] else f"{found['verdict']}: {found['boxes']}"
        checked.report(f"equal runs {number + 1}", problem, time.monotonic() - started)
    for plant in plants:
        if words and not any(word in plant.name for word in words):
            continue
        started = time.monotonic()
        plant.apply(checked.root)
        run = checked.test()
        checked.report(plant.name, problem_of(plant, checked.compare(base, run)), time.monotonic() - started)
        checked.restore(plant)


def check_both_kinds(checked: Checked, words: list[str]) -> None:
    """Compare the unchanged project, and two plants, in Compose and in the kept cluster."""
    for plant in (None, *(each for each in PLANTS if each.name in IN_BOTH)):
        name = f"compose and kubernetes: {plant.name if plant else 'no plant'}"
        if words and not any(word in name for word in words):
            continue
        started = time.monotonic()
        done = checked.seatrial("-q", "run", "--env", "compose")
        if done.returncode:
            checked.report(name, done.stderr, time.monotonic() - started)
            continue
        left = checked.latest()
        if plant:
            plant.apply(checked.root)
        found = checked.compare(left, checked.test())
        if plant:
            problem = problem_of(plant, found)
        else:
            problem = "" if found["verdict"] == "ready to drop Compose" else f"{found['verdict']}: {found['boxes']}"
        checked.report(name, problem, time.monotonic() - started)
        checked.restore(plant)


def check_upgrades(checked: Checked, words: list[str]) -> None:
    """Run version 1, then upgrade it to version 2 and to each broken version 2."""
    checked.test("-m", "before_upgrade")
    base = checked.base("-m", "not before_upgrade")
    for plant in (None, *BREAKS):
        name = f"upgrade: {plant.name}" if plant else "upgrade without a break"
        if words and plant and not any(word in name for word in words):
            continue
        started = time.monotonic()
        write_version(checked.root, plant)
        found = checked.compare(base, checked.test("-m", "not before_upgrade"))
        if plant is None:
            problem = "" if found["exit"] == 0 else f"{found['verdict']}: {found['differences']}"
        else:
            problem = problem_of(plant, found)
        checked.report(name, problem, time.monotonic() - started)


def write_planted(root: Path) -> None:
    """Write the project of the planted differences."""
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))


PARTS: Final = (
    ("parity", "kubernetes", write_planted, check),
    ("parity", "compose", write_planted, check_in_compose),
    ("orders-api", "kubernetes", write_project, check_upgrades),
)


def main(words: list[str]) -> int:
    """Run the check and return 1 if something was not as expected."""
    failures: list[str] = []
    for name, kind, write, part in PARTS:
        with tempfile.TemporaryDirectory() as directory:
            checked = Checked(Path(directory) / name, kind)
            write(checked.root)
            try:
                up = checked.seatrial("-q", "up", *checked.kind)
                if up.returncode:
                    print(up.stderr)
                    return 1
                part(checked, words)
            finally:
                checked.seatrial("-q", "down", *checked.kind)
            failures += checked.failures
    print(f"{len(failures)} failed: {', '.join(failures)}" if failures else "all as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
