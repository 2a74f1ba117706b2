"""Files that options of pytest name are written in the pod and copied to the host."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from seatrial.model.errors import ExitCode
from seatrial.model.event import Note
from seatrial.runner.archive import deliver

from runner.bench import Bench

ONE_FAILS = "def test_a(): pass\ndef test_b(): assert 0, 'broken'\n"
SEVERAL = ("--html=out/deep/r.html", "--report-log=out/log.jsonl", "--json-report", "--log-file=l.txt")


def reports(bench: Bench, *args: str, **more: object) -> tuple[Path, ...]:
    return bench.run(*args, **more).collected.reports  # type: ignore[arg-type]


def warnings(bench: Bench) -> list[str]:
    return [each.text for each in bench.events if isinstance(each, Note) and each.level == "warning"]


def nodeids(log: Path) -> set[str]:
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return {each["nodeid"] for each in records if each["$report_type"] == "TestReport"}


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_reports_of_a_failed_run_are_copied_to_their_targets(bench: Bench, workers: tuple[str, ...]) -> None:
    """To folders that do not exist yet, and to the directory of the run. pytest's lines name the former."""
    bench.write(tests__test_a_py=ONE_FAILS)
    bench.build()

    found = reports(bench, *SEVERAL, *workers)

    root = bench.root
    wanted = ("out/deep/r.html", "out/log.jsonl", ".report.json", "l.txt")
    assert found == tuple(root / path for path in wanted)
    assert "test_b" in (root / "out/deep/r.html").read_text()
    assert (root / "out/deep/assets/style.css").is_file()
    assert nodeids(root / "out/log.jsonl") == {"tests/test_a.py::test_a", "tests/test_a.py::test_b"}
    assert json.loads((root / ".report.json").read_text())["summary"]["failed"] == 1
    kept = bench.run_dir / "reports"
    assert (kept / "html/r.html").read_bytes() == (root / "out/deep/r.html").read_bytes()
    assert (kept / "report-log/log.jsonl").is_file()
    assert f"Generated html report: file://{root}/out/deep/r.html" in bench.text
    assert f"generated report log file: {root}/out/log.jsonl" in bench.text
    assert f"report saved to: {root}/.report.json" in bench.text
    assert str(bench.pod.state_directory) not in bench.text
    assert warnings(bench) == []


def test_line_with_a_report_is_as_wide_as_the_terminal(bench: Bench) -> None:
    """The path in the pod has another length."""
    bench.write(tests__test_a_py=ONE_FAILS)
    bench.build()
    bench.run("--html=r.html", width=130)

    lines = [line for line in bench.text.splitlines() if line[:3] in ("===", "---", "___")]
    assert any("Generated html report" in line for line in lines)
    assert {len(line) for line in lines} <= {129, 130}


def test_typed_absolute_path_is_on_the_host(bench: Bench, tmp_path: Path) -> None:
    bench.write(tests__test_a_py=ONE_FAILS)
    bench.build()
    target = tmp_path / "elsewhere" / "r.html"

    assert reports(bench, f"--html={target}", "--self-contained-html") == (target,)
    assert target.is_file()
    assert not (target.parent / "assets").exists()


def test_configured_absolute_path_is_in_the_image(bench: Bench) -> None:
    """It is not a path of this machine."""
    bench.write(tests__test_a_py=ONE_FAILS)
    bench.build()
    command = (bench.pod.python, "-m", "pytest", "--report-log=/nowhere/log.jsonl")

    found = reports(bench, command=command)

    assert found == (bench.run_dir / "reports/report-log/log.jsonl",)
    assert nodeids(found[0])
    assert not Path("/nowhere").exists()


def test_reports_of_an_interrupted_run_are_collected(bench: Bench) -> None:
    """pytest ends its session, and its plugins write their files."""
    bench.write(test_a_py="import time\ndef test_a(): pass\ndef test_b(): time.sleep(60)\n")
    bench.build()
    stop = threading.Event()

    def interrupt() -> None:
        while not any("test_b" in getattr(each, "nodeid", "") for each in bench.events):
            time.sleep(0.05)
        stop.set()

    threading.Thread(target=interrupt, daemon=True).start()
    outcome = bench.run("--report-log=log.jsonl", "--html=r.html", stop=stop)

    assert outcome.verdict.exit is ExitCode.INTERRUPTED
    assert outcome.collected.reports == (bench.root / "log.jsonl", bench.root / "r.html")
    assert "test_a.py::test_a" in nodeids(bench.root / "log.jsonl")


def test_file_that_tests_write_among_the_reports_is_a_report(bench: Bench) -> None:
    """Tests need no option to write there."""
    bench.write(
        test_a_py=(
            "from pathlib import Path\n"
            f"runs = Path({str(bench.pod.state_directory)!r}, 'runs')\n"
            "def test_a(): (next(runs.glob('*/collected/files')) / 'x').touch()\n"
        )
    )
    bench.build()

    assert reports(bench) == (bench.run_dir / "reports/x",)


def test_missing_report_gives_a_warning(bench: Bench) -> None:
    bench.write(conftest_py="def pytest_addoption(parser): parser.addoption('--mine')\n", test_a_py="def test_a(): 0\n")
    bench.build()

    assert reports(bench, "--mine=b.txt", report_options=("--mine",)) == ()
    assert warnings(bench) == ["b.txt was not written in the pod"]


def test_report_that_cannot_be_copied_is_named_in_the_directory_of_the_run(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): pass\n")
    bench.build()
    (bench.root / "out").symlink_to("/tmp")

    found = reports(bench, "--report-log=out/log.jsonl")

    assert found == (bench.run_dir / "reports/report-log/log.jsonl",)
    assert "symbolic links of the project are not followed" in warnings(bench)[0]
    assert f"the file is in {found[0]}" in warnings(bench)[0]


def test_report_folder_copies_no_loadable_files(tmp_path: Path) -> None:
    """The pod chose the names of these files."""
    source, root = tmp_path / "reports", tmp_path / "project"
    names = ("a.json", "deep/b.css", "deep/conftest.py", "pytest.ini", "test_x.txt", "x.egg-info/entry_points.txt")
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    root.mkdir()

    notes = deliver(source, root / "out", root=root)

    assert sorted(path.name for path in (root / "out").rglob("*") if path.is_file()) == ["a.json", "b.css"]
    expected = (
        "not copied from the pod: deep/conftest.py, reports/pytest.ini, reports/test_x.txt, reports/x.egg-info "
        "(Python or pytest would load it)"
    )
    assert notes == [expected]


def test_report_folder_is_not_mixed_with_the_project(tmp_path: Path) -> None:
    source = tmp_path / "reports"
    source.mkdir()
    (source / "Makefile").touch()

    assert deliver(source, tmp_path / "project", root=tmp_path / "project") == [
        f"reports was not copied to {tmp_path}/project: it would be mixed with the project"
    ]
