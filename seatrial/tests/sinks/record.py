"""Writes the recorded runs beside it that no machine recorded: `python record.py`. The bodies are those"
" of real runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Counts, ImageUsed, Outcome, Problem, RunResult, Stage, StageResult

START = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)
RUN = RunId("20260131-154501-3f2a")
FILES = f".seatrial/runs/{RUN}"
TESTS = [f"tests/test_orders.py::test_{name}" for name in ("list", "create", "delete[ü/1]")]

Script = list[tuple[float, e.Body]]


def started(*stages: Stage, command: str = "run") -> Script:
    return [
        (0, e.RunStarted(environment=EnvironmentId("5e551040"), command=(command,), stages=stages, directory=FILES))
    ]


def stage(stage: Stage, at: float, seconds: float, outcome: Outcome = Outcome.DONE, **facts: str) -> Script:
    return [
        (at, e.StageStarted(stage=stage)),
        (at + seconds, e.StageEnded(stage=stage, outcome=outcome, seconds=seconds, facts=facts)),
    ]


def ended(at: float, exit_: ExitCode, verdict: str, counts: Counts = Counts(), **more: object) -> Script:  # noqa: B008
    result = RunResult(
        run=RUN,
        environment=EnvironmentId("5e551040"),
        started=START,
        seconds=at,
        exit=exit_,
        verdict=verdict,
        counts=counts,
        stages=(
            StageResult(stage=Stage.CLUSTER, outcome=Outcome.DONE, started=0.3, seconds=21.4, facts={"nodes": "2"}),
            StageResult(stage=Stage.READY, outcome=Outcome.FAILED if exit_ else Outcome.DONE, started=31, seconds=7.2),
        ),
        **more,  # type: ignore[arg-type]
    )
    return [(at, e.RunEnded(result=result))]


def up_to_ready() -> Script:
    return [
        *started(*Stage),
        *stage(Stage.PREFLIGHT, 0, 0.31, docker="28.1", kind="0.33.0"),
        *stage(Stage.CLUSTER, 0.31, 21.4, nodes="2", kubernetes="v1.34.4"),
        (9, e.StageProgress(stage=Stage.CLUSTER, text="starting control-plane")),
        *stage(Stage.BUILD, 0.32, 8.05, Outcome.UNCHANGED, **{"orders-tests": "4f1c02d7"}),
        *stage(Stage.DELIVER, 21.8, 3.2, layers="1 of 9", sent="1.2 MB"),
        *stage(Stage.INSTALL, 25.1, 2.6, orders="revision 1"),
        (27.8, e.StageStarted(stage=Stage.READY)),
        (28, e.ServiceSeen(name="postgresql", ready=False, waits_for="image docker.io/library/postgres:17")),
        (28, e.ServiceSeen(name="orders", ready=False, waits_for="0 of 1 pods ready")),
        (31.5, e.ServiceSeen(name="postgresql", ready=True)),
        (
            32,
            e.KubernetesEvent(
                subject=ObjectRef(kind="Pod", name="orders-0", namespace="orders"),
                type="Warning",
                reason="Unhealthy",
                message="Readiness probe failed: HTTP probe failed with statuscode: 503",
            ),
        ),
    ]


def green() -> Script:
    tests: Script = []
    for number, nodeid in enumerate(TESTS):
        at = 39 + number * 0.2
        tests += [
            (at, e.TestStarted(nodeid=nodeid)),
            (at + 0.01, e.TestReported(nodeid=nodeid, when="setup", outcome="passed", seconds=0.01)),
            (at + 0.1, e.TestReported(nodeid=nodeid, when="call", outcome="passed", seconds=0.09)),
            (at + 0.12, e.TestReported(nodeid=nodeid, when="teardown", outcome="passed", seconds=0.02)),
        ]
    return [
        *up_to_ready(),
        (35, e.ServiceSeen(name="orders", ready=True)),
        (35, e.StageEnded(stage=Stage.READY, outcome=Outcome.DONE, seconds=7.2, facts={"services": "2"})),
        (35.1, e.StageStarted(stage=Stage.TEST)),
        (36, e.StageProgress(stage=Stage.TEST, text="starting pod test-runner")),
        (38.9, e.TestsCollected(count=3)),
        *tests,
        (40, e.StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=4.9, facts={"passed": "3"})),
        *stage(Stage.COLLECT, 40.1, 0.4),
        *stage(Stage.TEARDOWN, 40.5, 6.2),
        *ended(
            46.8,
            ExitCode.PASSED,
            "passed",
            Counts(collected=3, passed=3),
            images=(
                ImageUsed(reference="orders:1", digest="sha256:aa", size=184_000_000),
                ImageUsed(reference="mail:2", digest="sha256:bb", size=60_000_000, stands_in_for="acme/mail"),
            ),
            images_size=1_240_000_000,
            peak_memory=812_000_000,
        ),
    ]


def failed() -> Script:
    nodeid = TESTS[1]
    return [
        *started(Stage.PREFLIGHT, Stage.BUILD, Stage.TEST, Stage.COLLECT, command="test"),
        *stage(Stage.PREFLIGHT, 0, 0.05),
        *stage(Stage.BUILD, 0.05, 0.1, Outcome.SKIPPED, reason="2 files changed, sent to the warm runner"),
        (0.2, e.StageStarted(stage=Stage.TEST)),
        (0.6, e.TestsCollected(count=3)),
        (0.7, e.TestStarted(nodeid=nodeid)),
        (0.8, e.TestReported(nodeid=nodeid, when="call", outcome="failed", seconds=0.1)),
        (
            0.85,
            e.FindingMade(
                finding=Finding(
                    cause="OOMKilled",
                    subject=ObjectRef(kind="Pod", name="orders-0", namespace="orders", container="api"),
                    message="over its limit of 128Mi, 2nd restart, during tests/test_orders.py::test_create",
                    evidence=("exit code 137", "last log: POST /orders 201\nlast log: POST /orders 201"),
                    hint="raise resources.limits.memory of the container",
                )
            ),
        ),
        (0.9, e.TestReported(nodeid=nodeid, when="teardown", outcome="passed", seconds=0.01)),
        (1, e.Note(level="warning", text="coverage: 2 files of the pod are not in this project")),
        (1.2, e.StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=1.0)),
        *stage(Stage.COLLECT, 1.2, 0.1),
        *ended(
            1.3,
            ExitCode.TESTS_FAILED,
            "tests failed",
            Counts(collected=5, passed=1, failed=1, skipped=3, not_run={"stand-in": 2}),
            kept=True,
        ),
    ]


def image_missing() -> Script:
    finding = Finding(
        cause="ImagePullBackOff",
        subject=ObjectRef(kind="Pod", name="orders-0", namespace="orders", container="api"),
        message='no image "docker.io/library/orders:typo" for the container',
        evidence=('Failed to pull image "docker.io/library/orders:typo": not found',),
        hint="correct image.tag in values.yaml",
        fatal=True,
    )
    return [
        *up_to_ready(),
        (33, e.FindingMade(finding=finding)),
        (33.1, e.StageEnded(stage=Stage.READY, outcome=Outcome.FAILED, seconds=5.3)),
        (33.1, e.FindingMade(finding=finding)),
        *stage(Stage.COLLECT, 33.1, 0.9, bundle="bundle.tar.gz"),
        *stage(Stage.TEARDOWN, 34, 6.1),
        *ended(
            40.2,
            ExitCode.ENVIRONMENT,
            "orders is not ready",
            problem=Problem(
                message="orders is not ready", reason=finding.message, hint=finding.hint, log=f"{FILES}/logs/orders.log"
            ),
        ),
    ]


def build_failed() -> Script:
    problem = Problem(
        message="the build of image orders-api failed",
        reason="ERROR: No matching distribution found for flaks",
        hint="correct requirements.txt",
        log=f"{FILES}/logs/build-orders-api.log",
    )
    return [
        *started(*Stage),
        *stage(Stage.PREFLIGHT, 0, 0.31, docker="28.1", kind="0.33.0"),
        *stage(Stage.BUILD, 0.32, 8.05, Outcome.FAILED),
        *stage(Stage.TEARDOWN, 8.4, 0.1),
        *ended(8.5, ExitCode.ENVIRONMENT, problem.message, problem=problem),
    ]


def interrupted() -> Script:
    return [
        *up_to_ready(),
        (33, e.StageEnded(stage=Stage.READY, outcome=Outcome.INTERRUPTED, seconds=5.2)),
        *stage(Stage.TEARDOWN, 33.1, 6.1),
        *ended(39.3, ExitCode.INTERRUPTED, "interrupted"),
    ]


def main() -> None:
    for script in (green, failed, image_missing, build_failed, interrupted):
        ordered = sorted(script(), key=lambda pair: pair[0])
        lines = [
            e.encode_event(e.Event(run=RUN, seq=seq, at=START + timedelta(seconds=after), body=body))
            for seq, (after, body) in enumerate(ordered)
        ]
        file = Path(__file__).with_name("runs") / f"{script.__name__}.jsonl"
        file.write_bytes(b"\n".join(lines) + b"\n")


if __name__ == "__main__":
    main()
