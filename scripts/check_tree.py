"""Check the rules of this repository that no linter knows, including its word list. Exit 1 if one is broken."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# seatrial and foundry are general tools and must not mention their first user.
GENERAL = ("seatrial/src/", "foundry/src/")
FIRST_USER = re.compile(r"floe|polaris", re.IGNORECASE)

# Package indexes and mirrors are settings of the machine and must not be committed. Their names must not be listed here
# either, so these are the first 16 digits of each SHA-256.
INDEX_HOSTS = frozenset(
    (
        "00a7dc5a0cc38858",
        "0dc11026ac75c015",
        "1ba4e37997a2e986",
        "2e97613f5a81eaa4",
        "317d2d52829b7812",
        "3d01f3609be82d98",
        "43c04ed1dabe979b",
        "9da5f32d96412512",
        "a4aa2ac280bb8d1a",
        "c899567ee9068517",
        "e680c440a2e92079",
        "eb7e11c7f9ecbcf4",
    )
)
HOST = re.compile(r"\b[a-z0-9]+(?:[.-][a-z0-9]+)*\.(?:org|com|io|net)\b")

STAGES = "seatrial/src/seatrial/stages/"
STAGE_FILES = frozenset(
    f"{name}.py"
    for name in (
        "__init__", "context",
        "preflight", "cluster", "build", "deliver", "install", "ready", "test", "collect", "teardown",
        # Those that differ in Compose.
        *(f"compose/{each}" for each in ("__init__", "preflight", "install", "ready", "test", "collect")),
    )
)  # fmt: skip

SOURCE = "seatrial/src/seatrial/"
TESTS = "seatrial/tests/"
MIRRORED = 94.0
"""Minimum percentage of seatrial's modules whose tests are in a file of the same path. Raise it; never lower it."""

OTHER_TESTS = ("seatrial/e2e/", "seatrial/benchmarks/tests/")

LONGEST = 500
"""Most lines of a file of seatrial's source or tests."""

WORDS: Mapping[str, str] = {
    r"what is remembered": "saved state, state file",
    r"survey(?:s|ed|ing)?": "inspect, detect, discover",
    r"glances?": "inspect, detect, discover",
    r"throw-?away": "debug pod, temporary",
    r"neighbou?rs?": "namespace policies; another project, another environment",
    r"lodgers?": "environments in a shared cluster",
    r"(?:comes?|came|going|brings?|brought) home": "collected files, artifacts",
    r"(?<!feature )(?<!readiness )(?<!scheduling )gates?": "network check, cluster readiness check",
    r"anew": "recreate, again",
    r"(?:take|taken|taking) (?:\w+ )?back": "revert, roll back",
    r"(?:is|are|was|were) gone": "deleted, not found",
    r"unmade": "deleted",
    r"patience": "timeout; wait for, poll",
    r"in its time": "timed out after 60 s",
    r"(?:can|cannot|could|to) (?:not )?be had": "image pull failed; not available",
    r"what is missing": "requires X; X is not installed",
    r"somebody(?: else)?(?:'s)?": "another user, another process (with its pid), another project",
    r"nobody(?:'s)?": "no user, no process",
    r"there (?:is|was) none": "the noun: no such file, no limit",
    r"what came of": "result, outcome",
    r"for want of": "because X is missing",
    r"is there already": "already exists",
    r"arte(?:fact|facts)": "artifact",
    r"behaviours?": "behavior",
    r"catalogues?": "catalog",
    r"colour(?:s|ed)?": "color",
    r"honour(?:s|ed)?": "honor",
    r"labelled": "labeled",
    r"licence": "license",
    r"cancelled": "canceled",
    r"(?:recogni|normali|initiali|seriali|organi|materiali)s(?:e|es|ed|ing|ation)": "the spelling with z",
}
"""Patterns that texts must not contain (word or phrase -> replacement). Case is ignored; whole words match."""

CLEAN = (
    ".ci/",
    ".github/",
    ".gitlab/",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "action.yml",
    "charts/",
    "docs/",
    "foundry/",
    "packages/",
    "pyproject.toml",
    "scripts/",
    "seatrial.toml",
    "seatrial/",
    "testing/",
    "tests/",
)
"""Files and folders to which the word list applies. Extend it when another folder is clean; never shorten it."""

_FORBIDDEN = {re.compile(rf"\b{word}\b", re.IGNORECASE): word_for for word, word_for in WORDS.items()}
# Callables whose string arguments a user reads: errors, findings, progress, output and option help.
_SHOWN = re.compile(
    r"(?:Error|Finding|Problem|Refused|Failed|Note)$"
    r"|^(?:say|note|progress|echo|secho|print|fail|skip|exit|warn|finding"
    r"|option|argument|command|group|add_argument|add_parser|ArgumentParser)$"
)
_COMMENT = re.compile(r"^\s*(?:#|//|--|\{\{-? ?/\*)\s?(.*)")
_COMMENTED = (".yaml", ".yml", ".sh", ".toml", ".tpl", ".java", ".sql", "Dockerfile", "Makefile", "/run")


# Deadlines are handed down: below the pipeline they are derived from the one of the run.
BELOW_PIPELINE = tuple(
    f"seatrial/src/seatrial/{package}/"
    for package in (
        "cluster_checks", "collection", "images", "namespaces", "releases", "removal", "runner", "runner_pod", "stages",
        "watching",
    )
)  # fmt: skip


def index_hosts(line: str) -> list[str]:
    """Return the hosts of package indexes in a line."""
    return [host for host in HOST.findall(line) if hashlib.sha256(host.encode()).hexdigest()[:16] in INDEX_HOSTS]


def tracked(*patterns: str) -> list[str]:
    """Return the files that git tracks or would add, optionally only those below some paths."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def lines_of(name: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file; no lines of a binary file."""
    data = (ROOT / name).read_bytes()
    if b"\0" not in data:
        yield from enumerate(data.decode("utf-8", "replace").splitlines(), 1)


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of docstrings, and of strings in calls whose arguments a user reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node, clean=False):
                yield node.body[0].lineno, text
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if _SHOWN.search(name):
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    for part in ast.walk(value):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield part.lineno, part.value


def markdown_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of Markdown prose, without code blocks, inline code and link targets."""
    in_code = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", " ", line)


def texts(name: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of the user-visible texts of a file: strings, docstrings, prose or comments."""
    source = (ROOT / name).read_text(errors="replace")
    if name.endswith(".py"):
        yield from python_texts(source)
    elif name.endswith(".md"):
        yield from markdown_texts(source)
    elif name.endswith(_COMMENTED):
        for number, line in enumerate(source.splitlines(), 1):
            if match := _COMMENT.match(line):
                yield number, match[1]


def forbidden_words(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word or phrase of the word list that a text contains, and its replacement."""
    for pattern, replacement in _FORBIDDEN.items():
        if match := pattern.search(text):
            yield match[0], replacement


def untested_modules() -> tuple[list[str], float]:
    """Return seatrial's modules without `tests/PATH/test_MODULE.py`, and the percentage of those with it."""
    names = [name for name in tracked(SOURCE) if name.endswith(".py") and not name.endswith("__.py")]
    tests = set(tracked(TESTS))
    missing = []
    for name in names:
        path = Path(name.removeprefix(SOURCE))
        if f"{TESTS}{path.with_name(f'test_{path.name}')}" not in tests:
            missing.append(name)
    return missing, 100.0 - 100.0 * len(missing) / max(1, len(names))


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each module, or member of one, that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module or ''}.{alias.name}") for alias in node.names)


def test_file_breaches() -> Iterator[str]:
    """Yield one line for each broken rule about seatrial's test files."""
    missing, share = untested_modules()
    if share < MIRRORED:
        yield f"{TESTS}: {share:.1f} % of the modules have a test file of the same path, should be {MIRRORED} %:"
        yield from (f"  {name}" for name in missing)
    files = [name for name in tracked(TESTS, *OTHER_TESTS) if name.endswith(".py")]
    tests = {Path(name).stem for name in files if Path(name).name.startswith("test_")}
    for name in (*tracked(SOURCE), *files):
        if name.endswith(".py") and (lines := len((ROOT / name).read_text().splitlines())) > LONGEST:
            yield f"{name}: has {lines} lines, at most {LONGEST}; split it"
    for name in files:
        source = (ROOT / name).read_text()
        for number, imported in imported_modules(source):
            if tests.intersection(imported.split(".")):
                yield f"{name}:{number}: imports {imported}; move what tests share to a module that is no test"


def breaches() -> Iterator[str]:
    """Yield one line for each broken rule."""
    yield from test_file_breaches()
    stage_files = {name.removeprefix(STAGES) for name in tracked(STAGES)}
    for name in sorted(stage_files ^ STAGE_FILES):
        yield f"{STAGES}{name}: this folder has one file per stage and context.py; helpers go to packages by subject"
    for name in tracked(*CLEAN):
        for number, text in texts(name):
            for word, replacement in forbidden_words(text):
                yield f"{name}:{number}: contains {word!r}; write: {replacement}"
    for name in tracked():
        general = name.startswith(GENERAL)
        if Path(name).name == "uv.lock":
            yield f"{name}: contains hosts of package indexes; delete it, locks/ is used instead"
        for number, line in lines_of(name):
            if general and (mention := FIRST_USER.search(line)):
                yield f"{name}:{number}: contains {mention.group()!r}; seatrial and foundry are general tools"
            if name.startswith(BELOW_PIPELINE) and "Deadline.after(" in line:
                yield f"{name}:{number}: creates a deadline; take one as a parameter and derive it with child()"
            for host in index_hosts(line):
                yield f"{name}:{number}: contains the host {host!r}; use the machine's settings"


def shellcheck() -> bool:
    """Run shellcheck on all shell scripts; return whether it passes."""
    scripts = [
        name
        for name in tracked()
        if name.endswith(".sh")
        or next(lines_of(name), (0, ""))[1].startswith(("#!/usr/bin/env bash", "#!/bin/sh", "#!/bin/bash"))
    ]
    program = Path(sys.executable).parent / "shellcheck"
    return subprocess.run([program, *scripts], cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run all checks; return the exit code."""
    found = list(breaches())
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    clean = shellcheck()
    return 1 if found or not clean else 0


if __name__ == "__main__":
    sys.exit(main())
