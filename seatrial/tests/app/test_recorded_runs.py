"""Run directories are read for a comparison; what cannot be read is one line."""

from __future__ import annotations

import msgspec
import pytest
from seatrial.app.recorded_runs import find_run, read_run, read_side, sides
from seatrial.comparison.recorded import RecordedTest
from seatrial.model.environment_facts import EnvironmentKind
from seatrial.model.errors import UsageError

from .run_directories import FACTS, write_run

NAME = "tests/test_a.py::test_a[x.y/z]"


@pytest.fixture
def runs(tmp_path):
    return tmp_path / ".seatrial" / "runs"


def test_outcome_duration_text_and_services_of_a_test_are_read(runs):
    found = read_run(write_run(runs / "one", {NAME: "failed"}, text="assert 1 == 2"))

    assert found.tests == {
        NAME: RecordedTest(
            outcome="failed", seconds=0.75, text="assert 1 == 2\nassert 1 == 2", services=frozenset(("web", "db"))
        )
    }
    assert found.facts == FACTS
    assert found.logs == {"web-1/c": "started\n"}


def test_logs_of_compose_have_the_names_of_their_services(runs):
    directory = write_run(runs / "one", {})
    (directory / "logs" / "compose").mkdir()
    (directory / "logs" / "compose" / "web.log").write_text("listening\n")

    assert read_run(directory).logs["web"] == "listening\n"


def test_run_of_an_older_version_has_no_facts(runs):
    assert read_run(write_run(runs / "one", {NAME: "passed"}, facts=None)).facts is None


def test_run_is_found_by_id_link_and_path(runs, monkeypatch):
    directory = write_run(runs / "one", {})
    (runs / "latest").symlink_to("one")
    monkeypatch.chdir(runs.parent)

    assert find_run("one", runs) == find_run("latest", runs) == find_run("runs/one", None) == directory.resolve()


def test_unknown_run_is_an_error_with_the_known_ones(runs):
    write_run(runs / "one", {})
    with pytest.raises(UsageError) as raised:
        find_run("two", runs)

    assert (raised.value.message, raised.value.hint) == (f"no run 'two' in {runs}", "one of: one")


def test_killed_run_is_an_error(runs):
    (write_run(runs / "one", {}) / "result.json").unlink()
    with pytest.raises(UsageError) as raised:
        find_run("one", runs)

    assert raised.value.message == f"{runs / 'one'} has no result.json"


@pytest.mark.parametrize("name", ["result.json", "facts.json", "events.jsonl"])
def test_unreadable_file_is_an_error_with_its_path(runs, name):
    directory = write_run(runs / "one", {NAME: "passed"})
    (directory / name).write_bytes(b"{}\n{}\n")
    with pytest.raises(UsageError) as raised:
        read_run(directory)

    assert str(directory / name) in raised.value.message


def test_facts_of_another_schema_are_an_error(runs):
    directory = write_run(runs / "one", {}, facts=msgspec.structs.replace(FACTS, schema=9))
    with pytest.raises(UsageError) as raised:
        read_run(directory)

    assert raised.value.message.endswith("facts.json has schema 9")


def test_last_line_that_a_killed_run_wrote_in_part_is_left_out(runs):
    directory = write_run(runs / "one", {NAME: "passed"})
    with (directory / "events.jsonl").open("ab") as file:
        file.write(b'{"run": "on')

    assert NAME in read_run(directory).tests


def test_run_without_junit_has_outcomes_and_no_texts(runs):
    directory = write_run(runs / "one", {NAME: "failed"}, text="x")
    (directory / "junit.xml").unlink()

    assert read_run(directory).tests[NAME].text == ""


def test_run_that_only_created_an_environment_is_refused(runs):
    write_run(runs / "one", {})
    with pytest.raises(UsageError) as raised:
        read_side("one", runs)

    assert raised.value.message == "run one ran no tests"


def test_repetitions_are_one_side(runs):
    write_run(runs / "one", {NAME: "passed"})
    write_run(runs / "two", {NAME: "passed"})

    side = read_side("one,two", runs)
    assert (side.name, len(side.runs)) == ("one", 2)
    with pytest.raises(UsageError):
        read_side(",", runs)


def test_sides_of_different_kinds_are_named_after_them(runs):
    compose = msgspec.structs.replace(FACTS, kind=EnvironmentKind.COMPOSE)
    write_run(runs / "one", {NAME: "passed"}, facts=compose)
    write_run(runs / "two", {NAME: "passed"})
    left, right = read_side("one", runs), read_side("two", runs)

    assert [each.name for each in sides(left, right)] == ["compose", "kubernetes"]
    assert [each.name for each in sides(right, right)] == ["two", "two"]
