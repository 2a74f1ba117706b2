"""FakeProcesses keeps the contract of LocalProcesses: the same tests run against both."""

from __future__ import annotations

import pytest
from seatrial.adapters.process import LocalProcesses
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime
from seatrial.ports import Processes

SCRIPT = "echo hello; echo oh >&2; exit 3"


@pytest.fixture(params=["real", "fake"])
def processes(request) -> Processes:
    if request.param == "real":
        return LocalProcesses()
    return FakeProcesses(
        {
            "sh": Answer(),
            "sh -c": Answer(code=3, stdout="hello\n", stderr="oh\n"),
            "sleep": Answer(hangs=True),
        }
    )


def test_run_returns_output_and_writes_the_log(processes, tmp_path):
    lines: list[str] = []
    done = processes.run(
        ["sh", "-c", SCRIPT],
        deadline=Deadline.after(10),
        log=tmp_path / "new" / "x.log",
        line=lines.append,
        check=False,
    )

    assert (done.code, done.stdout, done.stderr) == (3, b"hello\n", b"oh\n")
    assert done.argv == ("sh", "-c", SCRIPT)
    assert sorted(lines) == ["hello", "oh"]
    command, *said = (tmp_path / "new" / "x.log").read_text().splitlines()
    assert command == f"$ sh -c '{SCRIPT}'"
    assert sorted(said) == ["hello", "oh"]


def test_failed_program_raises(processes):
    with pytest.raises(CommandFailed) as caught:
        processes.run(["sh", "-c", SCRIPT], deadline=Deadline.after(10))

    assert caught.value.code == 3
    assert caught.value.argv == ("sh", "-c", SCRIPT)


def test_hanging_program_times_out(processes):
    with pytest.raises(OutOfTime):
        processes.run(["sleep", "60"], deadline=Deadline.after(0.2))


def test_find_returns_a_path_or_none(processes):
    assert processes.find("sh")
    assert processes.find("no-such-program") is None


def test_longest_matching_answer_is_used():
    seen: list[str] = []
    fake = FakeProcesses({"helm": Answer(stdout="any"), "helm version": Answer(stdout="v4", does=seen.extend)})

    assert fake.run(["helm", "version", "--short"], deadline=Deadline.after(1)).stdout == b"v4"
    assert fake.run(["helm", "list"], deadline=Deadline.after(1)).stdout == b"any"
    assert seen == ["helm", "version", "--short"]
    assert fake.ran == [("helm", "version", "--short"), ("helm", "list")]
    with pytest.raises(LookupError, match="no answer for kind get clusters"):
        fake.run(["kind", "get", "clusters"], deadline=Deadline.after(1))
    fake.stop()
    assert fake.stopped
