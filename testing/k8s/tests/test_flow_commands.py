"""Programs end when the run does, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from flow.commands import Commands
from flow.errors import OUT_OF_TIME, CommandFailed, Failure, Interrupted
from flow.together import Together

SCRIPTS = Path(__file__).parents[1] / "scripts"


def python(body, **options):
    """A process that has `commands`, a Commands that handles signals."""
    start = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n" + textwrap.dedent(
        """\
        from flow.commands import Commands
        from flow.errors import Interrupted
        commands = Commands()
        commands.handle_signals()
        """
    )
    return subprocess.Popen([sys.executable, "-c", start + textwrap.dedent(body)], **options)


def alive(marker):
    found = subprocess.run(["pgrep", "-f", marker], capture_output=True, text=True, check=False).stdout.split()
    return [pid for pid in found if int(pid) != os.getpid()]


def test_output_comes_back():
    assert Commands().run(["echo", "hello"]) == "hello\n"


def test_an_error_owns_the_command_and_what_it_said():
    with pytest.raises(CommandFailed) as caught:
        Commands().run(["sh", "-c", "echo no such thing >&2; exit 3"])

    assert caught.value.status == 3
    assert caught.value.tail == "no such thing"


def test_a_program_that_is_not_there_says_so():
    with pytest.raises(Failure, match="not on PATH"):
        Commands().run(["no-such-program-anywhere"])


def test_a_program_is_killed_with_its_children_when_its_time_is_up():
    marker = f"sleep 73.{os.getpid()}"
    with pytest.raises(Failure) as caught:
        Commands().run(["sh", "-c", f"{marker} & wait"], seconds=0.3)

    assert caught.value.code == OUT_OF_TIME
    assert alive(marker) == []


def test_a_silent_stream_ends_when_its_time_is_up():
    heard = []
    began = time.monotonic()

    status = Commands().stream(["sh", "-c", "echo one; exec sleep 60"], heard.append, seconds=0.5)

    assert status == -signal.SIGKILL
    assert b"".join(heard) == b"one\n"
    assert time.monotonic() - began < 5


def test_an_interruption_ends_what_runs_and_lets_tidying_up_run():
    process = python(
        """\
        try:
            print("running", flush=True)
            commands.run(["sleep", "60"])
        except Interrupted:
            commands.unwind()
            print(commands.run(["echo", "tidied"]).strip(), commands.signal)
        """,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "running\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)

    out, _ = process.communicate(timeout=10)

    assert out == "tidied 2\n"
    assert time.monotonic() - began < 5


def test_an_interruption_is_one_even_if_nobody_hears_of_it(tmp_path):
    unread, stderr = os.pipe()
    process = python(
        f"""\
        try:
            print("running", flush=True)
            commands.run(["sleep", "60"])
        except Interrupted:
            commands.unwind()
            commands.run(["touch", {str(tmp_path / "tidied")!r}])
        """,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    os.close(stderr)
    assert process.stdout.readline() == "running\n"
    os.close(unread)
    process.send_signal(signal.SIGHUP)

    process.communicate(timeout=10)

    assert process.returncode == 0
    assert (tmp_path / "tidied").exists()


def test_a_second_interruption_does_not_end_tidying_up():
    process = python(
        """\
        try:
            print("running", flush=True)
            commands.run(["sleep", "60"])
        except Interrupted:
            commands.unwind()
            print("tidying", flush=True)
            print(commands.run(["sh", "-c", "sleep 1; echo tidied"]).strip())
        """,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for expected in ("running\n", "tidying\n"):
        assert process.stdout.readline() == expected
        process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=10)[0] == "tidied\n"


def test_after_a_stop_nothing_starts():
    commands = Commands()
    commands.stop()

    with pytest.raises(Interrupted):
        commands.run(["echo", "hello"])


def test_the_first_failure_ends_the_rest_and_is_the_one_raised():
    commands = Commands()
    began = time.monotonic()

    with pytest.raises(Failure, match="the cause"), Together(commands) as together:  # noqa: PT012
        slow = together.start(lambda: commands.run(["sleep", "60"]))

        def fail():
            time.sleep(0.2)
            raise Failure("the cause")

        together.start(fail)
        slow.result()

    assert time.monotonic() - began < 5


def test_a_failure_of_the_block_ends_what_it_started():
    commands = Commands()
    began = time.monotonic()

    with pytest.raises(Failure, match="in the block"), Together(commands) as together:  # noqa: PT012
        together.start(lambda: commands.run(["sleep", "60"]))
        time.sleep(0.2)
        raise Failure("in the block")

    assert time.monotonic() - began < 5
