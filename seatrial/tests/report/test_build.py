from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from seatrial.model import timeline as t
from seatrial.model.blame import Blame
from seatrial.model.environment_facts import (
    ContainerFacts,
    EnvironmentFacts,
    EnvironmentKind,
    Limits,
    RunnerFacts,
    Usage,
)
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.redaction import SECRETS
from seatrial.model.result import ImageUsed, Problem
from seatrial.model.selection import Selection
from seatrial.report.page import Page
from seatrial.report.writer import page_of

from .run_directories import FIRST_TEST, RUN, START, Case, RunDirectory, blamed, suite

Pages = Callable[..., Page]


def printed(*seconds: float) -> str:
    """Return a log with a line at each of these times, in seconds after the start of the first test."""
    times = [START + timedelta(seconds=FIRST_TEST + each) for each in seconds]
    return "\n".join(f"{at.isoformat()} line at {after}" for at, after in zip(times, seconds, strict=True))


def test_page_of_a_failed_run(page: Pages) -> None:
    made = page(tests=suite(50))

    assert made.verdict.text == "tests failed"
    assert (made.verdict.tone, made.verdict.exit) == ("failed", 1)
    assert [(count.outcome, count.number) for count in made.counts] == [("failed", 2), ("passed", 47), ("skipped", 1)]
    assert [test.nodeid for test in made.failures] == [
        "tests/test_orders_0.py::test_order_3", "tests/test_orders_1.py::test_order_28",
    ]  # fmt: skip
    assert made.command == "seatrial test -k orders"
    assert made.started == "2026-01-31 15:45:01 UTC"
    assert made.services == ("orders-api", "postgresql")
    assert {lane.group for lane in made.timeline.lanes} == {"stages", "tests", "containers"}
    facts = dict(made.facts)
    assert dict(facts["Versions"])["pytest"] == "9.2.0"
    assert dict(facts["Files of the tests"])["digest in the pod"] == "the same"


def test_failure_has_place_diff_output_and_command(page: Pages) -> None:
    sections = [("Captured stdout call", "order created\n")]
    [test] = page(tests=[Case("tests/a.py::test_total[a b]", "failed", sections=sections)]).failures

    assert (test.file, test.line) == ("tests/a.py", 17)
    assert test.failure is not None
    assert test.failure.phases[0].sections[0].text == "order created\n"
    assert test.failure.reproduce == "seatrial test 'tests/a.py::test_total[a b]'"


def test_environment_that_is_not_kept_is_created_again_to_reproduce(page: Pages) -> None:
    [test] = page(tests=[Case("a.py::t", "failed")], kept=False).failures

    assert test.failure is not None
    assert test.failure.reproduce == "seatrial run a.py::t"


def test_test_of_docker_compose_is_reproduced_there(page: Pages) -> None:
    [test] = page(tests=[Case("a.py::t", "failed")], environment="compose").failures

    assert test.failure is not None
    assert test.failure.reproduce == "seatrial test --env compose a.py::t"


def test_failure_is_reproduced_with_the_options_and_variables_that_selected_the_environment(page: Pages) -> None:
    selection = Selection(
        project="shop", settings=("cluster.name=ci 1",), environment="kubernetes", namespace="pr-42",
        variables={"SEATRIAL_CLUSTER_PROVIDER": "existing"},
    )  # fmt: skip
    [test] = page(tests=[Case("a.py::t", "failed")], selection=selection).failures

    assert test.failure is not None
    assert test.failure.reproduce == (
        "SEATRIAL_CLUSTER_PROVIDER=existing seatrial -C shop --set 'cluster.name=ci 1'"
        " test --env kubernetes --namespace pr-42 a.py::t"
    )


def test_failure_has_the_logs_of_exactly_its_interval(page: Pages) -> None:
    logs = {
        "default/db-0/db.log": printed(0, 1.1),
        "default/orders-api-7886694586-nw5h2/api.log": printed(0.5, 1.01, 1.19, 1.21, 5),
        "default/other-0/x.log": printed(8),
        "default/test-runner/tests.log": printed(1.1),
    }
    [test] = page(tests=[Case("a.py::t", "failed", start=1, seconds=0.2)], logs=logs).failures

    assert test.failure is not None
    # The service that the test asked for comes first; the log of the tests themselves is left out.
    assert [(log.service, [line.text[-4:] for line in log.lines]) for log in test.failure.logs] == [
        ("orders-api", ["1.01", "1.19"]), ("db", [" 1.1"]),
    ]  # fmt: skip
    assert test.failure.logs[0].file == "logs/pods/default/orders-api-7886694586-nw5h2/api.log"


def test_followed_log_replaces_the_collected_one(tmp_path: Path) -> None:
    file = "logs/default/web-0.api.1.log"
    records = [
        t.LogRecord(
            at=START, namespace="default", pod="web-0", uid="u", container="api", file=name, state="ended", restarts=1
        )
        for name in (file, "../../outside.log")
    ]  # fmt: skip
    run = RunDirectory(tests=[Case("a.py::t", "failed")], records=records, logs={"default/web-0/api.log": printed(0.1)})
    run.write(tmp_path / RUN)
    (tmp_path / "outside.log").write_text(printed(0.1))
    (tmp_path / RUN / file).parent.mkdir()
    (tmp_path / RUN / file).write_text(printed(0.05))
    [test] = page_of(tmp_path / RUN).failures

    assert test.failure is not None
    assert [(log.source, log.file) for log in test.failure.logs] == [("default/web-0/api, restart 1", file)]


def test_failure_has_the_changes_in_the_cluster_shortly_before_and_during_the_test(page: Pages) -> None:
    def warning(after: float) -> t.EventRecord:
        return t.EventRecord(
            at=START + timedelta(seconds=FIRST_TEST + after), seen="added", namespace="d", name="e", uid="e",
            type="Warning", reason="R", message=f"at {after}", regarding=t.ClusterObject(kind="Pod", name="p"),
        )  # fmt: skip

    records = [warning(after) for after in (9, 15, 20.1, 20.3)]
    [test] = page(tests=[Case("a.py::t", "failed", start=20, seconds=0.2)], records=records).failures

    assert test.failure is not None
    assert [incident.text for incident in test.failure.incidents] == ["R: at 15", "R: at 20.1"]


def test_failure_has_the_last_changes_in_the_cluster_if_there_are_many(page: Pages) -> None:
    records = [
        t.EventRecord(
            at=START + timedelta(seconds=FIRST_TEST + number / 10), seen="added", namespace="d", name="e", uid="e",
            type="Warning", reason="R", message=str(number), regarding=t.ClusterObject(kind="Pod", name="p"),
        )
        for number in range(100)
    ]  # fmt: skip
    [test] = page(tests=[Case("a.py::t", "failed", seconds=20)], records=records).failures

    assert test.failure is not None
    assert [incident.text for incident in test.failure.incidents] == [f"R: {number}" for number in range(40, 100)]


def test_test_that_did_not_end_is_explained(page: Pages) -> None:
    [test] = page(tests=[Case("a.py::t", "unfinished", start=1)], exit=ExitCode.INCONCLUSIVE).failures

    assert test.failure is not None
    assert test.failure.phases[0].message == "started and did not end"
    assert test.seconds > 0


def test_failure_without_a_report_says_so(tmp_path: Path) -> None:
    directory = RunDirectory(tests=[Case("a.py::t", "failed")]).write(tmp_path)
    (directory / "frames").unlink()
    [test] = page_of(directory).failures

    assert test.failure is not None
    assert test.failure.phases[0].message == "failed; pytest's report of it is missing"
    assert test.file == "a.py"


def test_run_without_a_result_has_the_stages_and_tests_of_its_events(page: Pages) -> None:
    made = page(tests=[Case("a.py::t", "failed"), Case("a.py::u", start=1)], ended=False)

    assert made.verdict.text == "the run ended without a verdict: it was killed, or is still running"
    assert made.verdict.tone == "unknown"
    assert [(count.outcome, count.number) for count in made.counts] == [("failed", 1), ("passed", 1)]


def test_empty_directory_has_a_page(tmp_path: Path) -> None:
    made = page_of(tmp_path)

    assert made.verdict.tone == "unknown"
    assert made.timeline.lanes == ()


def test_environment_that_failed_shows_its_problem_and_findings(page: Pages) -> None:
    finding = Finding(
        cause="ImagePull", subject=ObjectRef(kind="Pod", name="db-0"), message="image db:71 cannot be pulled",
        evidence=("rpc error:\nnot found",), hint="check the tag", fatal=True,
    )  # fmt: skip
    problem = Problem(message="db is not ready", reason="image", hint="check the tag", log="x.log")
    made = page(exit=ExitCode.ENVIRONMENT, verdict="db is not ready", problem=problem, findings=(finding,))

    assert (made.verdict.tone, made.verdict.reason, made.verdict.log) == ("environment", "image", "x.log")
    [cause] = made.findings
    assert cause.title == "pod/db-0: ImagePull: image db:71 cannot be pulled"
    assert cause.evidence == ("rpc error:", "not found")


@pytest.mark.parametrize("ended", [True, False])
def test_page_says_whose_fault_a_failure_is(page: Pages, ended: bool) -> None:
    tests = [Case("a.py::t", "failed"), Case("a.py::u", "failed", start=1), Case("a.py::v", "failed", start=2)]
    made = page(tests=tests, blames=(blamed("a.py::t"), Blame(nodeid="a.py::u")), ended=ended)
    first, second, third = (test.failure for test in made.failures)

    assert made.verdict.fault == "2 failed: 1 test, 1 service (orders-api OOMKilled at 64Mi, 3 s before)"
    assert first is not None
    assert first.fault == "service"
    [cause] = first.causes
    assert (cause.relation, cause.fault, cause.hint) == ("caused by", "service", "raise the limit")
    assert cause.text == (
        "pod/orders-api-7886694586-nw5h2 container api: OOMKilled: exceeded its memory limit of 64Mi,"
        " 3 s before the failure"
    )
    assert cause.links == ("the test asked for orders-api", "the error names orders-api:80")
    assert second is not None
    assert (second.fault, second.causes) == ("test", ())
    assert third is not None
    assert third.fault == ""


def test_page_has_the_facts_of_the_environment(tmp_path: Path) -> None:
    limits = Limits(memory=64 << 20, cpu=0.5)
    api = ContainerFacts(
        name="orders-api", image="orders:1", digest="sha256:1", limits=limits, restarts=1, seconds_to_ready=4.0,
        last_exit="OOMKilled 137",
    )  # fmt: skip
    facts = EnvironmentFacts(
        kind=EnvironmentKind.KUBERNETES,
        runner=RunnerFacts(
            user=1000,
            groups=(1000, 27),
            hostname="test-runner",
            read_only_root=True,
            usage=Usage(memory_peak=96 << 20, cpu_seconds=2.5),
        ),
        containers=(api, ContainerFacts(name="db", image_id="sha256:2")),
    )
    directory = RunDirectory().write(tmp_path)
    (directory / "facts.json").write_bytes(msgspec.json.encode(facts))
    made = page_of(directory)

    assert dict(dict(made.facts)["Container of the tests"]) == {
        "user": "1000", "groups": "1000, 27", "host name": "test-runner", "memory used": "96 MiB at most",
        "CPU time": "2.5 s", "root file system": "read-only",
    }  # fmt: skip
    first, second = made.containers
    assert (first.limits, first.ready, first.restarts, first.last_exit) == ("64 MiB, 0.5 CPU", 4.0, 1, "OOMKilled 137")
    assert (second.digest, second.limits, second.ready) == ("sha256:2", "", None)


def test_failure_has_logs_of_docker_compose(tmp_path: Path) -> None:
    directory = RunDirectory(tests=[Case("a.py::t", "failed")]).write(tmp_path)
    (directory / "logs" / "compose").mkdir(parents=True)
    (directory / "logs" / "compose" / "orders-api.log").write_text(printed(0.1, 9))
    (directory / "logs" / "compose" / "test-runner.log").write_text(printed(0.1))
    [test] = page_of(directory).failures

    assert test.failure is not None
    [log] = test.failure.logs
    assert (log.source, log.service, len(log.lines)) == ("orders-api", "orders-api", 1)


def test_page_names_what_stands_in_for_what(page: Pages) -> None:
    image = ImageUsed(reference="local/rest:1", digest="sha256:1", stands_in_for="apache/real")
    made = page(images=(image,), warnings=["low disk"])

    assert made.images[0].stands_in_for == "apache/real"
    assert made.notes == ("low disk", "local/rest:1 stands in for apache/real")


@pytest.mark.parametrize(
    ("code", "tone"),
    [(ExitCode.PASSED, "passed"), (ExitCode.INTERRUPTED, "interrupted"), (ExitCode.OUT_OF_TIME, "environment"),
     (ExitCode.INCONCLUSIVE, "unknown"), (ExitCode(17), "failed")],
)  # fmt: skip
def test_tone_of_an_exit_code(page: Pages, code: ExitCode, tone: str) -> None:
    assert page(exit=code).verdict.tone == tone


def test_known_secrets_are_hidden_in_all_texts(page: Pages) -> None:
    SECRETS.learn(["hunter2-hunter2"])
    case = Case("a.py::t", "failed", message="no hunter2-hunter2", sections=[("Out", "password hunter2-hunter2\n")],
                lines=["E   no hunter2-hunter2"])  # fmt: skip
    try:
        made = page(tests=[case], logs={"default/web-0/api.log": printed(0.1) + " hunter2-hunter2"})
    finally:
        SECRETS.forget()

    assert "hunter2" not in repr(made)
    assert "password ***" in repr(made)
