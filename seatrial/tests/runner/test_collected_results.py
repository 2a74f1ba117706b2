"""Coverage, artifacts, report files and pytest's cache on the host after a run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from seatrial.model.errors import ExitCode
from seatrial.model.event import Note

from runner.bench import PASSES, Bench


def test_coverage_is_collected(bench: Bench) -> None:
    """Data and XML with the project's paths, to where pytest-cov would write them."""
    bench.write(
        src__code_py="def f():\n    return 1\n", test_a_py="import sys\nsys.path.insert(0, 'src')\nimport code_\n"
    )
    (bench.root / "src/code_.py").write_text("def f():\n    return 1\n")
    bench.write(test_a_py="import sys\nsys.path.insert(0, 'src')\nfrom code_ import f\ndef test_f(): assert f()\n")
    bench.build()

    ran = bench.run("--cov=src", "--cov-report=xml", "--cov-report=term")

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.coverage is not None
    assert ran.collected.coverage.mapped >= 1
    assert 'filename="src/code_.py"' in (bench.root / "coverage.xml").read_text()
    report = subprocess.run(
        [sys.executable, "-m", "coverage", "report"], cwd=bench.root, capture_output=True, text=True, check=True
    ).stdout
    assert "src/code_.py" in report
    assert "100%" in report


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_headline_of_coverage_is_as_wide_as_those_of_pytest(bench: Bench, workers: tuple[str, ...]) -> None:
    bench.write(app_py="def f(): pass\n", tests__test_a_py="import app\ndef test_a(): app.f()\n")
    bench.build()
    bench.run("--cov=app", *workers, width=117)

    lines = [line for line in bench.text.splitlines() if " tests coverage " in line or " session starts " in line]
    assert [len(line) for line in lines] == [117, 117]


@pytest.mark.parametrize(
    ("measured", "note"),
    [
        (("elsewhere",), "coverage: none of the measured files is a file of the project: {}/elsewhere.py"),
        (("elsewhere", "inside"),
         "coverage: some of the measured files are not files of the project: {}/elsewhere.py"),
    ],
    ids=["none", "some"],
)  # fmt: skip
def test_measured_files_outside_of_the_project_give_a_warning(
    bench: Bench, measured: tuple[str, ...], note: str
) -> None:
    """`--cov` of an installed package does not fail the run."""
    installed = bench.pod.directory / "elsewhere"
    installed.mkdir()
    (installed / "elsewhere.py").write_text("x = 1\n")
    bench.write(inside_py="y = 1\n", test_a_py="import elsewhere, inside\ndef test_a(): pass\n")
    bench.build()

    ran = bench.run(*(f"--cov={name}" for name in measured), env={"PYTHONPATH": str(installed)})

    assert (ran.verdict.exit, ran.verdict.message) == (ExitCode.PASSED, "all tests passed")
    warnings = [event.text for event in bench.events if isinstance(event, Note) and event.level == "warning"]
    assert warnings == [note.format(installed)]


def test_coverage_of_another_command_is_collected(bench: Bench) -> None:
    """`coverage run -m pytest` measures until its process ends."""
    bench.write(test_a_py=PASSES)
    bench.build()

    ran = bench.run(command=(bench.pod.python, "-m", "coverage", "run", "-p", "-m", "pytest"))

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.coverage is not None
    assert ran.collected.coverage.xml is not None
    assert 'filename="test_a.py"' in ran.collected.coverage.xml.read_text()


def test_artifacts_are_collected(bench: Bench) -> None:
    """Configured files and directories; missing ones are reported."""
    bench.write(test_a_py="import pathlib\ndef test_a():\n    pathlib.Path('out/deep').mkdir(parents=True)\n"
                "    pathlib.Path('out/deep/shot.png').write_bytes(b'png')\n")  # fmt: skip
    bench.build()

    ran = bench.run(artifacts=("out", "missing/*"))

    assert ran.collected.artifacts is not None
    assert (ran.collected.artifacts / "out/deep/shot.png").read_bytes() == b"png"
    assert ran.collected.notes == ("artifacts: no files match missing/*",)


def test_links_and_pipes_among_artifacts_are_noted(bench: Bench) -> None:
    """Links (dangling, to a secret of the host, in a loop) and pipes are not copied, with one warning for each kind."""
    secret = bench.runs.parent / "secret"
    secret.write_text("key")
    bench.write(
        test_a_py="import os, pathlib\ndef test_a():\n    os.mkdir('out')\n    os.symlink('nowhere', 'out/dangling')\n"
        f"    os.symlink({str(secret)!r}, 'out/secret')\n    os.symlink('loop', 'out/loop')\n"
        "    os.mkfifo('out/pipe')\n"
        "    pathlib.Path('out/a').write_text('x')\n    os.link('out/a', 'out/b')\n"
    )
    bench.build()

    ran = bench.run(artifacts=("out",))

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.artifacts is not None
    found = {path.name: path.read_text() for path in (ran.collected.artifacts / "out").iterdir()}
    assert found == {"a": "x", "b": "x"}, "a file with two names is two files"
    links, pipe = ran.collected.notes
    assert "dangling" in links
    assert "secret" in links
    assert "loop" in links
    assert "out/pipe" in pipe


def test_report_files_are_collected(bench: Bench) -> None:
    """Files of --log-file and other options."""
    bench.write(test_a_py="import logging\ndef test_a(): logging.getLogger().warning('noted')\n")
    bench.build()

    bench.run("--log-file=logs/all.txt")

    assert "noted" in (bench.root / "logs/all.txt").read_text()


def test_cache_is_collected_and_sent_with_the_next_run(bench: Bench) -> None:
    """--lf uses the project's cache, also if a local pytest wrote it."""
    bench.write(test_a_py="import pytest\n@pytest.mark.parametrize('i', range(5))\ndef test_a(i): assert i != 3\n")
    bench.build()
    bench.run()
    assert json.loads((bench.root / ".pytest_cache/v/cache/lastfailed").read_text()) == {"test_a.py::test_a[3]": True}

    (bench.root / ".pytest_cache/v/cache/lastfailed").write_text('{"test_a.py::test_a[1]": true}')
    ran = bench.run("--lf")

    assert (ran.counts.passed, ran.counts.collected) == (1, 1)
