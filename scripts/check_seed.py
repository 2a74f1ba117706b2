"""Check docs/seed-map.md: every file, target, test and patch that it names exists, and patches apply.

With `--apply`, apply each patch on a kept cluster in a copy of the working tree: it removes one feature, and exactly
the tests in its row of tests/parity must fail. Then provoke failures that `seatrial diagnose` must name. Print one line
for each problem, and exit 1 if there is one.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
MAP = ROOT / "docs" / "seed-map.md"
PATCHES = ROOT / "testing" / "parity"
CLUSTER = "floe-seed"
CODE = re.compile(r"`([^`]+)`")
TEST = re.compile(r"^(?P<file>[\w./-]+\.py)::(?P<names>[\w\[\]./ -]+(?:::[\w\[\]./ -]+)*)$")
LOOKS_LIKE_PATH = re.compile(r"^[\w.-]+(/[\w.*-]+)*/?$")
# Files that a setup or a run creates.
MADE = (".seatrial/", ".foundry/", ".venv/")


@dataclass(frozen=True)
class Row:
    """A row of the patch table: the patch, and the tests that must fail with it.

    Attributes:
        patch: file in testing/parity.
        fresh: reinstall the release before and after, because data in the database would hide the patch.
        tests: test names as in pytest, without the folder.
    """

    patch: str
    fresh: bool
    tests: tuple[str, ...]


def rows_of_tables(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row of the Markdown tables, without header and separator rows."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith("|") and not re.fullmatch(r"[|:\- ]+", line):
            if number < len(lines) and re.fullmatch(r"[|:\- ]+", lines[number]):
                continue
            yield number, [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def patch_rows(text: str) -> list[Row]:
    """Return the rows that name a patch, with their tests."""
    found = []
    for _, cells in rows_of_tables(text):
        names = [name for cell in cells for name in CODE.findall(cell)]
        patches = [Path(name).name for name in names if name.endswith(".patch")]
        for patch in patches:
            tests = tuple(name.partition("::")[2] for name in names if TEST.match(name))
            found.append(Row(patch, "fresh" in cells[-1], tests))
    return found


@cache
def targets() -> frozenset[str]:
    """Return the targets of the Makefile."""
    return frozenset(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def tests_in(file: Path) -> frozenset[str]:
    """Return the test functions of a file, those in classes as Class::test."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


def problem_of(name: str) -> str:
    """Return the problem with a name in backquotes; empty if it is correct or cannot be checked."""
    if test := TEST.match(name):
        file = ROOT / test["file"]
        if not file.is_file():
            return f"{test['file']} does not exist"
        wanted = test["names"].partition("[")[0]
        return "" if wanted in tests_in(file) else f"{test['file']} has no {wanted}"
    if target := re.fullmatch(r"make ([a-z0-9-]+)( .*)?", name):
        return "" if target[1] in targets() else f"the Makefile has no target {target[1]}"
    if LOOKS_LIKE_PATH.match(name) and ("/" in name or name.endswith((".py", ".md", ".toml", ".yml"))):
        if name.startswith(MADE):
            return ""
        there = list(ROOT.glob(name.rstrip("/"))) if "*" in name else [ROOT / name]
        return "" if there and all(path.exists() for path in there) else f"{name} does not exist"
    return ""


def check_map() -> Iterator[str]:
    """Yield one line for each missing target, file, test or patch of the map, and for each patch that it omits."""
    text = MAP.read_text()
    for number, cells in rows_of_tables(text):
        # The first column quotes the seed.
        for cell in cells[1:]:
            for name in CODE.findall(cell):
                if wrong := problem_of(name):
                    yield f"docs/seed-map.md:{number}: {wrong}"
    rows = patch_rows(text)
    for row in rows:
        if not row.tests:
            yield f"docs/seed-map.md: {row.patch} has no test that fails with it"
    there = {path.name for path in PATCHES.glob("*.patch")}
    yield from (f"testing/parity/{name}: missing in docs/seed-map.md" for name in there - {r.patch for r in rows})
    for name in sorted(there):
        done = git_apply(ROOT, PATCHES / name, "--check")
        if done.returncode:
            yield f"testing/parity/{name}: does not apply: {done.stderr.strip().splitlines()[-1]}"


def check_snippets() -> Iterator[str]:
    """Yield one line for each snippet of the map that differs from its file."""
    snippet = re.compile(r"^<!-- verbatim: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = snippet.findall(MAP.read_text())
    if not found:
        yield "docs/seed-map.md: no snippet is marked <!-- verbatim: FILE -->"
    for name, text in found:
        file = ROOT / name
        if not file.is_file():
            yield f"{name}: does not exist"
        elif text.strip() not in file.read_text():
            yield f"{name}: differs from the snippet in docs/seed-map.md"


def git_apply(folder: Path, patch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Apply a patch to a folder."""
    argv = ["git", "apply", *options, str(patch)]
    return subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True)


# --- apply the patches ---


class Trial:
    """A copy of the working tree with its own cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in listed.stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        shutil.copytree(ROOT / ".foundry", folder / ".foundry")
        # The host ports belong to the developer's own cluster.
        config = folder / "testing" / "k8s" / "kind-config.yaml"
        config.write_text(re.sub(r"\n    extraPortMappings:\n(      .*\n)+", "\n", config.read_text()))
        path = subprocess.run(
            [str(BIN / "foundry"), "env"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        script = f'{path}\nprintf %s "$PATH"'
        found = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout
        self.environment = os.environ | {
            "PATH": found,
            "SEATRIAL_CLUSTER_NAME": CLUSTER,
            "SEATRIAL_RUNNER_COMMAND": '["uv", "run", "pytest", "tests/parity", "-v"]',
        }

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the copy, with foundry's tools on PATH."""
        return subprocess.run(
            argv, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True, timeout=900
        )

    def seatrial(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run seatrial in the copy."""
        return self.run(str(BIN / "seatrial"), *words)

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run kubectl on the copy's cluster."""
        script = 'eval "$("$0" env)" && exec kubectl "$@"'
        return self.run("bash", "-c", script, str(BIN / "seatrial"), *words)

    def failed_tests(self) -> tuple[set[str], str]:
        """Run the tests; return the failed ones, and the reason if they did not run."""
        done = self.seatrial("-q", "test")
        if done.returncode not in (0, 1):
            return set(), f"seatrial test exited with {done.returncode}: {done.stderr.strip()[-600:]}"
        report = self.folder / ".seatrial" / "runs" / "latest" / "junit.xml"
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  written by this repository's tests
        failed_tests = {
            str(case.get("name"))
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        }
        return failed_tests, "" if cases else "no test was run"

    def uninstall(self) -> None:
        """Uninstall the release, so that the next `seatrial test` installs it."""
        uninstall = "helm uninstall floe-infra --namespace floe --ignore-not-found --wait --timeout 90s"
        script = f'eval "$("$0" env)" && {uninstall}'
        done = self.run("bash", "-c", script, str(BIN / "seatrial"))
        if done.returncode:
            raise RuntimeError(f"helm uninstall: {done.stderr.strip()}")
        self.kubectl("wait", "--namespace=floe", "--for=delete", "pod", "-l", "app=postgresql", "--timeout=60s")


def try_patches(trial: Trial, rows: Sequence[Row]) -> Iterator[str]:
    """Yield one line for each patch that does not fail exactly its tests."""
    failed_tests, problem = trial.failed_tests()
    if problem or failed_tests:
        yield f"without any patch: {problem or 'failed: ' + ', '.join(sorted(failed_tests))}"
        return
    for row in rows:
        began = time.monotonic()
        if row.fresh:
            trial.uninstall()
        applied = git_apply(trial.folder, PATCHES / row.patch)
        if applied.returncode:
            yield f"{row.patch}: {applied.stderr.strip()}"
            continue
        failed_tests, problem = trial.failed_tests()
        git_apply(trial.folder, PATCHES / row.patch, "--reverse")
        if row.fresh:
            trial.uninstall()
        good = not problem and failed_tests == set(row.tests)
        print(f"{row.patch:28} {'ok' if good else 'WRONG':6} {time.monotonic() - began:5.1f} s", flush=True)
        if not good:
            why = problem or f"failed: {', '.join(sorted(failed_tests)) or 'none'}; expected: {', '.join(row.tests)}"
            print(f"  {why}", flush=True)
            yield f"{row.patch}: {why}"
    failed_tests, problem = trial.failed_tests()
    if problem or failed_tests:
        yield f"after reverting all patches: {problem or 'failed: ' + ', '.join(sorted(failed_tests))}"


FAILURES = ROOT / "testing" / "parity" / "failures.yaml"
CAUSES = {"pod/hungry": "OOMKilled", "pod/crashing": "Crash", "pod/greedy": "StorageLimit"}


def try_failures(trial: Trial) -> Iterator[str]:
    """Provoke container failures; yield one line for each that `seatrial diagnose` does not name."""
    made = trial.kubectl("apply", "--namespace=floe", "--filename", str(FAILURES))
    if made.returncode:
        yield f"failures.yaml: {made.stderr.strip()}"
        return
    deadline = time.monotonic() + 90
    missing = dict(CAUSES)
    while missing and time.monotonic() < deadline:
        time.sleep(2)
        found = json.loads(trial.seatrial("diagnose", "--json").stdout or "[]")
        for finding in found:
            subject = finding["subject"]
            key = f"{subject['kind'].lower()}/{subject['name']}"
            if missing.get(key) == finding["cause"]:
                print(f"{key:28} ok     {finding['cause']}: {finding['message']}", flush=True)
                del missing[key]
    trial.kubectl("delete", "--namespace=floe", "--wait=false", "--filename", str(FAILURES))
    yield from (f"{pod}: seatrial diagnose does not report {cause}" for pod, cause in missing.items())


def apply_all(only: Sequence[str]) -> Iterator[str]:
    """Apply the patches and provoke the failures; yield one line for each problem."""
    rows = [row for row in patch_rows(MAP.read_text()) if not only or row.patch.removesuffix(".patch") in only]
    with tempfile.TemporaryDirectory(prefix="floe-seed-") as folder:
        trial = Trial(Path(folder))
        try:
            up = trial.seatrial("up")
            if up.returncode:
                yield f"seatrial up exited with {up.returncode}: {up.stderr.strip()[-800:]}"
                return
            yield from try_patches(trial, rows)
            if not only:
                yield from try_failures(trial)
        finally:
            trial.seatrial("down")


def main() -> int:
    """Check the map, and apply the patches if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apply", action="store_true", help="apply each patch on a cluster; takes minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="PATCH", help="with --apply: only these patches")
    told = parser.parse_args()
    wrong = [*check_map(), *check_snippets()]
    if told.apply and not wrong:
        wrong = list(apply_all(told.only))
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
