"""Report files that ini files, `addopts` or variables name are redirected in the pod."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from runner.bench import Bench
from seatrial.pod.agent.report_paths import redirect

ONE_FAILS = "def test_a(): pass\ndef test_b(): assert 0, 'broken'\n"


def reports(bench: Bench, *args: str, **more: Any) -> tuple[Path, ...]:
    return bench.run(*args, **more).collected.reports


def configured(plugin: Any = None, ini: dict[str, str] | None = None, **options: Any) -> Any:
    """Return a configuration of pytest with options `--a-file` and `-x FILE`, and their values."""
    named = [
        SimpleNamespace(dest="a_file", names=lambda: ["--a-file"]),
        SimpleNamespace(dest="x", names=lambda: ["-x", "--ex"]),
    ]
    parser = SimpleNamespace(
        _anonymous=SimpleNamespace(options=named[:1]), _groups=[SimpleNamespace(options=named[1:])]
    )

    def getini(name: str) -> str:
        return (ini or {})[name]

    manager = SimpleNamespace(get_plugin=lambda _: plugin)
    return SimpleNamespace(_parser=parser, option=SimpleNamespace(**options), getini=getini, pluginmanager=manager)


def test_values_of_report_options_are_redirected(tmp_path: Path) -> None:
    config = configured(a_file="/readonly/deep/r.html", x="x.log")

    redirect(config, ["--a-file", "--ex"], str(tmp_path))

    assert (config.option.a_file, config.option.x) == (f"{tmp_path}/files/a-file/r.html", f"{tmp_path}/files/ex/x.log")
    assert (tmp_path / "files/a-file").is_dir()


@pytest.mark.parametrize("value", ["/collected/files/a-file/r.html", "none", "", None, 3])
def test_other_values_are_unchanged(value: object) -> None:
    """Those that the host has replaced already, among others."""
    config = configured(a_file=value)

    redirect(config, ["--a-file"], "/collected")

    assert config.option.a_file == value


def test_options_that_are_no_reports_are_unchanged() -> None:
    config = configured(a_file="r.html")

    redirect(config, ["--other"], "/collected")

    assert config.option.a_file == "r.html"


def test_ini_setting_with_the_name_of_an_option_is_redirected(tmp_path: Path) -> None:
    config = configured(ini={"a_file": "logs/all.txt"}, a_file=None)

    redirect(config, ["--a-file"], str(tmp_path))

    assert config.option.a_file == f"{tmp_path}/files/a-file/all.txt"


@pytest.mark.parametrize("value", ["folder/", ".", ".."])
def test_folder_has_a_name_inside_of_the_collected_directory(tmp_path: Path, value: str) -> None:
    config = configured(a_file=value)

    redirect(config, ["--a-file"], str(tmp_path))

    expected = "folder" if value == "folder/" else "report"
    assert config.option.a_file == f"{tmp_path}/files/a-file/{expected}"


def test_reports_of_coverage_are_redirected_except_those_for_the_terminal() -> None:
    reports = {"xml": None, "html": "out", "term-missing": None, "json": "/collected/coverage/coverage.json"}
    plugin = SimpleNamespace(options=SimpleNamespace(cov_report=dict(reports)))
    config = configured(plugin, cov_report=dict(reports))

    redirect(config, [], "/collected")

    expected = {
        "xml": "/collected/coverage/coverage.xml", "html": "/collected/coverage/htmlcov", "term-missing": None,
        "json": "/collected/coverage/coverage.json",
    }  # fmt: skip
    assert config.option.cov_report == plugin.options.cov_report == expected


def test_reports_of_ini_settings_are_in_the_directory_of_the_run(bench: Bench) -> None:
    """An ini file or a variable of the image names them. Nothing is written into the image, which may be read-only."""
    bench.write(
        tests__test_a_py=ONE_FAILS,
        pytest_ini=(
            "[pytest]\nlog_file = logs/all.txt\naddopts = --html=/readonly/r.html --self-contained-html"
            " --junitxml=j.xml --json-report --json-report-file=none --cov=tests --cov-report=html\n"
        ),
    )
    bench.build()

    found = reports(bench, env={"PYTEST_ADDOPTS": "--report-log=log.jsonl"})

    kept = bench.run_dir / "reports"
    wanted = ["html/r.html", "junit-xml/j.xml", "log-file/all.txt", "report-log/log.jsonl"]
    assert found == tuple(kept / path for path in wanted)
    assert all(path.is_file() for path in found)
    assert (bench.run_dir / "coverage/htmlcov/index.html").is_file()
    assert f"Generated html report: file://{kept}/html/r.html" in bench.text
    assert f"Coverage HTML written to dir {bench.run_dir}/coverage/htmlcov" in bench.text
    assert {path.name for path in bench.pod.workdir.iterdir()} == {"pytest.ini", "tests"}
    assert {path.name for path in bench.root.iterdir()} == {".coverage", ".pytest_cache", "pytest.ini", "tests"}


def test_options_that_the_configuration_names_are_report_files(bench: Bench) -> None:
    """Options of an unknown plugin, in the arguments and in an ini file."""
    bench.write(
        conftest_py=(
            "def pytest_addoption(parser):\n"
            "    parser.addoption('--mine', dest='my_file'), parser.addoption('--more', dest='more')\n"
            "def pytest_sessionfinish(session):\n"
            "    for path in (session.config.option.my_file, session.config.option.more):\n"
            "        open(path, 'w').write('done')\n"
        ),
        test_a_py="def test_a(): pass\n",
        pytest_ini="[pytest]\naddopts = --more=m.txt\n",
    )
    bench.build()

    found = reports(bench, "--mine", "a/b.txt", report_options=("--mine", "--more"))

    assert found == (bench.root / "a/b.txt", bench.run_dir / "reports/more/m.txt")
    assert [path.read_text() for path in found] == ["done", "done"]
