"""The pod that runs the tests: started, listened to, judged, emptied."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flow.errors import INCONCLUSIVE, OUT_OF_TIME, CommandFailed, Failure
from flow.kube import Kube, Object
from flow.readiness import judge_pod
from flow.release import raise_if_doomed
from flow.settings import IMAGE, NAMESPACE, POD

START_SECONDS = 120
TEST_SECONDS = 3600
PYTEST_CODES = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What JUnit's file says."""

    tests: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Runner:
    """`test-runner` in namespace `floe`."""

    kube: Kube
    run: Path

    def start(self, manifest: Path, *, image: str, command: Sequence[str]) -> None:
        """Start the pod anew with this image, and return when its tests run."""
        objects = with_choices(self.kube.read(manifest), image=image, command=command)
        self.kube.run("delete", "pod", POD, "--ignore-not-found", "--wait", namespace=NAMESPACE)
        self.kube.apply(objects, namespace=NAMESPACE)
        deadline = time.monotonic() + START_SECONDS
        while True:
            verdict = judge_pod(self._pod())
            raise_if_doomed(self.kube, NAMESPACE, verdict.doomed)
            if verdict.ready:
                return
            if time.monotonic() > deadline:
                raise Failure(f"pod {POD} does not start", why="; ".join(verdict.waiting), code=OUT_OF_TIME)
            self.kube.commands.pause(0.2)

    def _pod(self) -> Object:
        found: Object = json.loads(self.kube.run("get", "pod", POD, "--output=json", namespace=NAMESPACE))
        return found

    def listen(self) -> int:
        """Print what the tests print while they do, and return the code they end with.

        Raises:
            Failure: the container ended otherwise than by itself.
        """
        deadline = time.monotonic() + TEST_SECONDS
        argv = self.kube.argv("logs", "--follow", f"pod/{POD}", "--container=tests", namespace=NAMESPACE)
        with (self.run / "pytest.log").open("wb") as log:
            echo = _Echo(log)
            while True:
                echo.again()
                self.kube.commands.stream(argv, echo.hear, seconds=deadline - time.monotonic())
                if (ended := self._ended()) is not None:
                    return code_of(ended)
                if time.monotonic() > deadline:
                    raise Failure(f"the tests did not end within {TEST_SECONDS} s", code=OUT_OF_TIME)

    def _ended(self) -> Object | None:
        """Return how the tests' container ended; None if it still runs a moment after its log ended."""
        for _ in range(15):
            pod = self._pod()
            if pod["status"].get("reason") in {"DeadlineExceeded", "Evicted"}:
                raise Failure(f"pod {POD} was ended: {pod['status']['reason']}", why=pod["status"].get("message", ""))
            for status in pod["status"].get("containerStatuses", []):
                ended: Object | None = status["state"].get("terminated")
                if status["name"] == "tests" and ended is not None:
                    return ended
            self.kube.commands.pause(0.2)
        return None

    def fetch(self) -> None:
        """Bring /results home: junit.xml, coverage.xml, .coverage and pytest's cache."""
        argv = self.kube.argv(
            "exec", POD, "--container=keeper", "--", "tar", "-C", "/results", "-cf", "-", ".", namespace=NAMESPACE
        )
        try:
            archive = self.kube.commands.output(argv, seconds=120)
        except CommandFailed as failed:
            raise Failure("the results could not be fetched from the pod", why=failed.tail) from None
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(self.run, filter="data")


class _Echo:
    """Prints a log once, however often it has to be read from its start."""

    def __init__(self, copy: IO[bytes]) -> None:
        self._copy = copy
        self._heard = 0
        self._position = 0

    def again(self) -> None:
        """The log is read from its start."""
        self._position = 0

    def hear(self, chunk: bytes) -> None:
        new = chunk[max(0, self._heard - self._position) :]
        self._position += len(chunk)
        self._heard = max(self._heard, self._position)
        self._copy.write(new)
        with contextlib.suppress(OSError):  # nobody reads it any more; the copy stays
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()


def with_choices(objects: Sequence[Object], *, image: str, command: Sequence[str]) -> list[Object]:
    """Return the manifest's objects with the image of this run, and the command if there is one."""
    changed: list[Object] = json.loads(json.dumps(list(objects)))
    for item in changed:
        if item["kind"] == "Pod":
            for container in item["spec"]["containers"]:
                if container["image"].partition(":")[0] == IMAGE:
                    container["image"] = image
                if command and container["name"] == "tests":
                    container["command"] = list(command)
    return changed


def code_of(ended: Object) -> int:
    """Return pytest's exit code.

    Raises:
        Failure: it is none of pytest's, or the kernel killed for memory (under cgroup v1 the code may be 0 then).
    """
    code, reason = ended["exitCode"], ended.get("reason", "")
    if reason == "OOMKilled":
        raise Failure("the tests' container ran out of memory (OOMKilled)", hint="raise its limit in test-runner.yaml")
    if code not in PYTEST_CODES:
        raise Failure(
            f"the tests' container ended with {code}, which is none of pytest's codes", why=ended.get("message", "")
        )
    return int(code)


def proven(code: int, junit: Path) -> tuple[int, Counts | None]:
    """Hold pytest's code against its JUnit file, and return the code to report.

    Raises:
        Failure: they contradict each other: passed without a file, without a test, or with a failure in it.
    """
    counts = read_junit(junit)
    if code == 0 and counts is None:
        raise Failure("pytest says 0, but no JUnit file came home to prove it", code=INCONCLUSIVE)
    if code == 0 and counts is not None and (counts.tests == 0 or counts.failed):
        raise Failure(f"pytest says 0, its JUnit file says {counts.failed} of {counts.tests} failed", code=INCONCLUSIVE)
    return code, counts


def read_junit(junit: Path) -> Counts | None:
    """Return the counts of a JUnit file; None if there is none, or a broken one."""
    try:
        suites = list(ET.parse(junit).getroot().iter("testsuite"))  # noqa: S314
    except (FileNotFoundError, ET.ParseError):
        return None

    def total(name: str) -> int:
        return sum(int(suite.get(name, 0)) for suite in suites)

    return Counts(tests=total("tests"), failed=total("failures") + total("errors"), skipped=total("skipped"))
