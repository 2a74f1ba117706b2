"""Mutation test of pure modules: change one operator or number at a time and expect the module's own tests to fail.

Modules are paths below seatrial/src/seatrial; without any, the pure modules that differ from the commit of `--since`.
The tests of `runner/verdict_rules.py` are `tests/runner/test_verdict_rules.py` and `test_verdict_rules_*.py`.
A mutant that no test notices is a survivor. Survivors are killed with a test, or explained in `SURVIVORS`.
Exits 1 if a survivor is unexplained, or if an explanation fits no survivor any more. Uses cosmic-ray.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = ROOT / "seatrial"
SOURCE: Final = PROJECT / "src" / "seatrial"
SURVIVORS: Final = PROJECT / "tests" / "mutation_survivors.toml"
PURE: Final = (
    "comparison",
    "config",
    "diagnose",
    "image_inputs",
    "model",
    "readiness",
    "removal/keep.py",
    "runner/verdict_rules.py",
    "runner/progress.py",
)
TIMEOUT_SECONDS: Final = 30.0

# `x is "text"` is a SyntaxWarning, and the tests of this repository turn warnings into errors.
PYTEST: Final = (
    sys.executable, "-W", "error::SyntaxWarning", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Survivor:
    """A mutant that the tests did not notice: what was changed, in which line of the source."""

    module: str
    line: str
    operator: str


def main() -> int:
    """Mutate each module in a copy of the project and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="for example runner/verdict_rules.py")
    parser.add_argument("--since", default="HEAD~1", help="commit to compare with if no module is named (HEAD~1)")
    options = parser.parse_args()
    modules = options.modules or changed(options.since)
    if unknown := [each for each in modules if not (SOURCE / each).is_file()]:
        parser.error(f"{unknown[0]} is not a file below {SOURCE.relative_to(ROOT)}")
    if untested := [each for each in modules if not tests_of(each).is_file()]:
        parser.error(f"{untested[0]} has no {tests_of(untested[0]).relative_to(ROOT)}")
    if not modules:
        print(f"no pure module differs from {options.since}")
        return 0
    found: set[Survivor] = set()
    for module in modules:
        killed, tried, survivors = mutate(module)
        found |= survivors
        print(f"{module}: {killed} of {tried} mutants killed", flush=True)
    return judge(found, explained(modules))


def changed(since: str) -> list[str]:
    """Return the pure modules that differ from a commit and have tests of their own."""
    argv = ["git", "diff", "--name-only", "--diff-filter=d", "--relative", since, "--", "*.py"]
    names = subprocess.run(argv, cwd=SOURCE, check=True, capture_output=True, text=True).stdout.split()
    return [name for name in names if name.startswith(PURE) and tests_of(name).is_file()]


def tests_of(module: str) -> Path:
    """Return the test file that mirrors a module."""
    path = Path(module)
    return PROJECT / "tests" / path.parent / f"test_{path.name}"


def mutate(module: str) -> tuple[int, int, set[Survivor]]:
    """Run all mutants of a module; return how many were killed, how many can be, and those that survived."""
    source = (SOURCE / module).read_text()
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        folder = Path(name)
        for part in ("src", "tests"):
            shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        mirrored = tests_of(module)
        tests = [mirrored, *sorted(mirrored.parent.glob(f"{mirrored.stem}_*.py"))]
        config = folder / "mutate.toml"
        # json.dumps writes what TOML reads.
        config.write_text(
            "[cosmic-ray]\n"
            f"module-path = {json.dumps(f'src/seatrial/{module}')}\n"
            f"timeout = {TIMEOUT_SECONDS}\n"
            "excluded-modules = []\n"
            f"test-command = {json.dumps(' '.join([*PYTEST, *(str(each.relative_to(PROJECT)) for each in tests)]))}\n"
            '[cosmic-ray.distributor]\nname = "local"\n'
        )
        cosmic_ray(folder, "init", str(config), "mutants.sqlite")
        cosmic_ray(folder, "baseline", str(config))
        cosmic_ray(folder, "exec", str(config), "mutants.sqlite")
        dumped = cosmic_ray(folder, "dump", "mutants.sqlite").splitlines()
    lines = source.splitlines()
    killed, survived = 0, list[Survivor]()
    for text in dumped:
        item, result = json.loads(text)
        if result is None:
            raise SystemExit(f"{module}: a mutant was not run")
        if result["test_outcome"] != "survived":
            killed += 1
            continue
        mutation = item["mutations"][0]
        operator, (line, column) = mutation["operator_name"].removeprefix("core/"), mutation["start_pos"]
        if not is_equal(source, operator, line, column):
            survived.append(Survivor(module, lines[line - 1].strip(), operator))
    return killed, killed + len(survived), set(survived)


def is_equal(source: str, operator: str, line: int, column: int) -> bool:
    """Return whether a mutant computes the same by its kind, so that no test can notice it.

    Args:
        source: text of the module.
        operator: kind of the change: `NumberReplacer`.
        line: where it begins.
        column: where in the line it begins.
    """
    # `X | None` in an annotation is never executed.
    if "_BitOr_" in operator:
        return line in annotation_lines(source)
    # None, booleans and members of enums are compared: only the same one is equal.
    if operator in ("ReplaceComparisonOperator_Is_Eq", "ReplaceComparisonOperator_IsNot_NotEq"):
        return True
    # The `*` before keyword-only parameters: callers name these all the same.
    if "BinaryOperator_Mul_" in operator:
        return source.splitlines()[line - 1][column:].startswith("*,")
    # `frozen` and `slots` of a dataclass guard against mistakes.
    return operator == "ReplaceTrueWithFalse" and source.splitlines()[line - 1].lstrip().startswith("@dataclass(")


def annotation_lines(source: str) -> set[int]:
    """Return the numbers of the lines with annotations of parameters, results and variables."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            if isinstance(annotation, ast.expr):
                found.update(range(annotation.lineno, (annotation.end_lineno or annotation.lineno) + 1))
    return found


def cosmic_ray(folder: Path, *args: str) -> str:
    """Run cosmic-ray on a copy of the project and return its output."""
    # Loading the plugins of the development environment takes longer than most tests.
    fast = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {**os.environ, **fast, "PYTHONPATH": str(folder / "src")}
    program = str(Path(sys.executable).parent / "cosmic-ray")
    done = subprocess.run(
        [program, *args],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"cosmic-ray {args[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def explained(modules: Sequence[str]) -> dict[Survivor, str]:
    """Return the survivors of these modules that are explained, with the reasons."""
    entries = tomllib.loads(SURVIVORS.read_text()).get("survivor", [])
    return {
        Survivor(each["module"], each["line"], operator): each["reason"]
        for each in entries
        if each["module"] in modules
        for operator in each["operators"]
    }


def judge(found: set[Survivor], known: dict[Survivor, str]) -> int:
    """Print survivors without an explanation and explanations without a survivor; return the exit code."""
    for each in sorted(found - set(known)):
        print(f"survived: {each.module}: {each.operator}: {each.line}", file=sys.stderr)
    for each in sorted(set(known) - found):
        print(f"explained, but killed: {each.module}: {each.operator}: {each.line}", file=sys.stderr)
    if found == set(known):
        print(f"survivors: {len(found)}, all explained in {SURVIVORS.relative_to(ROOT)}")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
