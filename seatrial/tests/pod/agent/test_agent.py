"""The command line of the agent, started by path as in a container."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.pod.agent import agent
from seatrial.pod.agent.wire import STATE_VARIABLE
from seatrial.runner.agent_files import agent_argv, agent_files

COMMANDS = re.findall(r"^([a-z]+) ", (agent.__doc__ or "").partition("\n\n")[2], re.MULTILINE)


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """The agent's files in a directory that is not named like the package."""
    directory = tmp_path / "other-name_1"
    directory.mkdir()
    for name, text in agent_files().items():
        (directory / name).write_text(text)
    return directory / "agent.py"


def run(entry: Path, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        agent_argv(*arguments, python=sys.executable, entry=str(entry)), input=stdin, capture_output=True,
        env=env or {}, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("--help",)])
def test_unknown_command_prints_the_commands(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert agent.main(list(arguments)) == 2
    shown = capsys.readouterr().err
    assert [word for word in COMMANDS if f"\n{word} " not in shown] == []


def test_help_lists_exactly_the_commands_of_main() -> None:
    compared = re.findall(r'command == "([a-z]+)"', Path(agent.__file__).read_text())

    assert len(COMMANDS) == len(set(COMMANDS))
    assert sorted(COMMANDS) == sorted(compared)


def test_agent_runs_from_a_directory_of_any_name(entry: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    query = b'{"root": "%s", "paths": ["."]}\n' % str(tmp_path / "tree").encode()

    code, out, err = run(entry, "manifest", stdin=query, env={STATE_VARIABLE: str(tmp_path)})

    assert (code, err) == (0, "")
    assert '"a": ["f"' in out


def test_bytecode_is_written_to_the_state_directory(entry: Path, tmp_path: Path) -> None:
    """The agent's files are in a ConfigMap, which is read-only."""
    run(entry, "manifest", stdin=b'{"root": "/nowhere", "paths": []}\n', env={STATE_VARIABLE: str(tmp_path)})

    assert list((tmp_path / "pyc").rglob("exec_commands*.pyc"))
    assert not list(entry.parent.rglob("exec_commands*.pyc"))


def test_disconnected_reader_ends_a_command_without_a_traceback(entry: Path, tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"file-with-a-long-name-{number:0>80}").touch()
    query = b'{"root": "%s", "paths": ["."]}\n' % str(tmp_path).encode()
    argv = agent_argv("manifest", python=sys.executable, entry=str(entry))
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env={STATE_VARIABLE: str(tmp_path)}) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(query)
        process.stdin.close()

        assert process.wait(30) == 1
        assert process.stderr.read() == b""


def test_seed_does_not_overwrite_files_of_the_volume(entry: Path, tmp_path: Path) -> None:
    image, volume = tmp_path / "image", tmp_path / "volume"
    image.mkdir()
    (image / "a").write_text("image")
    argv = agent_argv("seed", str(volume), "a", python=sys.executable, entry=str(entry))
    for text in ("image", "volume"):
        subprocess.run(argv, cwd=image, env={STATE_VARIABLE: str(tmp_path)}, check=True)
        found = next(path for path in volume.rglob("*") if path.is_file())
        assert found.read_text() == text
        found.write_text("volume")
    shutil.rmtree(volume)
