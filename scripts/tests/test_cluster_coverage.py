"""Test the table of cluster coverage."""

import os

import cluster_coverage
import pytest


def file(covered, possible):
    counts = {"num_statements": possible, "covered_lines": covered, "covered_branches": 0, "num_branches": 0}
    return {"summary": counts}


def test_table_has_both_coverages_of_each_part():
    on_cluster = {"seatrial/src/seatrial/app/a.py": file(5, 10), "seatrial/src/seatrial/stages/b.py": file(9, 10)}
    without = {"seatrial/src/seatrial/app/a.py": file(7, 10), "seatrial/tests/x.py": file(1, 1)}

    assert cluster_coverage.table_of(on_cluster, without).splitlines()[2:] == [
        "| `app` | 70.0 % | 50.0 % |",
        "| `stages` |  | 90.0 % |",
        "| all | 70.0 % | 70.0 % |",
    ]


@pytest.mark.parametrize(
    ("names", "tests"), [(["test_a.py", "test_b.py"], "`test_a.py`, `test_b.py`"), ([], "all tests in `seatrial/e2e`")]
)
def test_page_keeps_its_text_around_the_table(names, tests):
    page = f"# A\n\n{cluster_coverage.BEGIN}\nold\n{cluster_coverage.END}\n\nmore\n"

    found = cluster_coverage.replaced(page, "| new |", names, "2026-01-31")

    assert found == (
        f"# A\n\n{cluster_coverage.BEGIN}\nMeasured on 2026-01-31, on a cluster with {tests}.\n\n"
        f"| new |\n{cluster_coverage.END}\n\nmore\n"
    )


def test_report_of_other_files_is_outdated(tmp_path):
    report, source = tmp_path / "coverage.json", tmp_path / "src" / "a.py"
    assert cluster_coverage.outdated(report, tmp_path).endswith("coverage.json does not exist")

    report.write_text("{}")
    source.parent.mkdir()
    source.write_text("")
    os.utime(report, (2000, 2000))
    os.utime(source, (1000, 1000))
    assert cluster_coverage.outdated(report, tmp_path) == ""

    os.utime(source, (3000, 3000))
    assert cluster_coverage.outdated(report, tmp_path) == f"{source} is newer than {report}"


def test_published_page_has_a_table():
    page = cluster_coverage.PAGE.read_text()

    assert page.count(cluster_coverage.BEGIN) == page.count(cluster_coverage.END) == 1


@pytest.mark.parametrize(("name", "expected"), [("/elsewhere/a.py", "/elsewhere/a.py"), ("b.py", "b.py")])
def test_files_outside_of_the_repository_keep_their_paths(name, expected):
    assert cluster_coverage.relative(name) == expected
    assert cluster_coverage.relative(str(cluster_coverage.ROOT / name.lstrip("/"))) == name.lstrip("/")


def test_processes_that_tests_start_are_measured(tmp_path):
    """Also those that run elsewhere, and those that end without cleaning up."""
    test = tmp_path / "test_a.py"
    test.write_text(
        "import os, subprocess, sys\n"
        "def test_a(tmp_path):\n"
        "    for words in (['--version'], ['nothing']):\n"
        "        subprocess.run([sys.executable, '-m', 'seatrial', *words], cwd=tmp_path)\n"
        "    code = 'import os; from seatrial.model.text import without_color; without_color(\\'a\\'); os._exit(0)'\n"
        "    subprocess.run([sys.executable, '-c', code], cwd=tmp_path, check=True)\n"
    )
    (tmp_path / "data").mkdir()

    code, files = cluster_coverage.measure([test], tmp_path / "data")

    assert code == 0
    for name in ("cli/main.py", "model/text.py"):
        assert files[f"seatrial/src/seatrial/{name}"]["summary"]["covered_lines"] > 5
