"""Test the coverage floors: parts, percentages, and what fails."""

import json

import check_coverage
import pytest

SOURCE = check_coverage.SOURCE


def summary(covered, possible, branches=(0, 0)):
    return {
        "summary": {
            "num_statements": possible,
            "covered_lines": covered,
            "covered_branches": branches[0],
            "num_branches": branches[1],
        }
    }


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Return a function that checks a report against floors, and returns the exit code and the output."""
    monkeypatch.setattr(check_coverage, "ROOT", tmp_path)
    monkeypatch.setattr(check_coverage, "REPORT", tmp_path / "coverage.json")

    def check(floors, **files):
        monkeypatch.setattr(check_coverage, "FLOORS", floors)
        found = {SOURCE + name.replace("__", "/") + ".py": each for name, each in files.items()}
        check_coverage.REPORT.write_text(json.dumps({"files": found}))
        return check_coverage.main(), "".join(capsys.readouterr())

    return check


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("pipeline.py", "."),
        ("model/result.py", "model"),
        ("adapters/port_forward/spdy.py", "adapters"),
        ("pod/agent/tail.py", "pod/agent"),
        ("pod/__init__.py", "pod"),
    ],
)
def test_part_of_a_file_is_its_package(path, part):
    assert check_coverage.part_of(path) == part


def test_lines_and_branches_count_together():
    assert check_coverage.percentage([summary(5, 10, (3, 6))["summary"]]) == 50.0
    assert check_coverage.percentage([]) == 0.0


def test_part_below_its_floor_fails_and_names_its_worst_files(check):
    code, output = check({"model": 60.0}, model__good=summary(10, 10), model__bad=summary(0, 10))

    assert code == 1
    assert output.index("model/bad.py 0.0 %") < output.index("model/good.py 100.0 %")


def test_part_at_its_floor_passes(check):
    code, output = check({"model": 50.0}, model__a=summary(5, 10), model____init__=summary(0, 0))

    assert (code, "raise the floor" in output) == (0, False)


def test_part_far_above_its_floor_is_reported(check):
    code, output = check({"model": 50.0}, model__a=summary(6, 10))

    assert (code, "raise the floor" in output) == (0, True)


def test_new_part_needs_a_floor(check):
    code, output = check({}, report__page=summary(10, 10))

    assert code == 1
    assert "add a floor for report" in output


def test_part_that_was_not_measured_fails(check):
    assert check({"model": 50.0, "config": 50.0}, model__a=summary(6, 10))[0] == 1


def test_missing_report_names_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check_coverage, "ROOT", tmp_path)
    monkeypatch.setattr(check_coverage, "REPORT", tmp_path / "coverage.json")

    assert check_coverage.main() == 1
    assert "run: make coverage" in capsys.readouterr().err
