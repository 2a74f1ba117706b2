"""Secrets appear in no output, and only the user can read the files of a run."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.ledger import Ledger
from seatrial.adapters.process import LocalProcesses
from seatrial.app.crash_report import report_text
from seatrial.cli.errors import tell
from seatrial.config import load
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed
from seatrial.model.spec import ImageSpec

PLANTED = {
    "set": "pl@nted-in-set",
    "args": "pl@nted-in-args",
    "env": "pl@nted-in-env",
    "option": "pl@nted-by-option",
}

CONFIG = f"""
[[image]]
name = "app"
args = {{ TOKEN = "{PLANTED["args"]}" }}
[[release]]
name = "shop"
chart = "chart"
set = {{ "db.password" = "{PLANTED["set"]}" }}
[runner]
image = "app"
env = {{ PASSWORD = "{PLANTED["env"]}" }}
"""


def encodings(secret: str) -> list[str]:
    return [secret, base64.b64encode(secret.encode()).decode(), quote(secret, safe="")]


SECRETS_ENCODED = [text for secret in PLANTED.values() for text in encodings(secret)]


def assert_clean(text: str, where: object = "") -> None:
    assert not [each for each in SECRETS_ENCODED if each in text], (where, text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "chart").mkdir(parents=True)
    (root / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "seatrial.toml").write_text(CONFIG)
    return root


def test_run_whose_tools_print_secrets_writes_none(project: Path) -> None:
    """Each tool fails and prints all secrets in all encodings."""
    tools = project.parent / "bin"
    tools.mkdir()
    for name in ("docker", "kind", "helm", "kubectl"):
        (tools / name).write_text(
            "#!/bin/sh\n" + "".join(f"echo 'x {each} y' >&2\n" for each in SECRETS_ENCODED) + "exit 1\n"
        )
        (tools / name).chmod(0o755)
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(project.parent), "TMPDIR": str(project.parent),
        "XDG_STATE_HOME": str(project.parent / "state"),
    }  # fmt: skip
    for words in (
        ["-v", "run"], ["-v", "run", "--json"], ["config", "show"], ["config", "show", "--json"], ["render"],
        ["render", "--as", "json"], ["list", "--json"], ["doctor"],
    ):  # fmt: skip
        argv = [sys.executable, "-m", "seatrial", "--set", f"runner.env.MORE={PLANTED['option']}", *words]
        done = subprocess.run(argv, cwd=project, env=env, capture_output=True, check=False, timeout=120)

        assert done.stdout or done.stderr
        assert b"internal error" not in done.stderr, done.stderr
        assert_clean(done.stdout.decode() + done.stderr.decode(), words)
    written = [path for place in (".seatrial", "../state") for path in (project / place).rglob("*") if path.is_file()]
    assert [path.name for path in written].count("events.jsonl") == 2
    for path in written:
        assert_clean(path.read_bytes().decode(errors="replace"), path)


def test_directories_of_runs_and_state_are_private(project: Path) -> None:
    """Also those that an older version or the umask left readable for other users."""
    (project / ".seatrial" / "runs").mkdir(parents=True, mode=0o755)
    state = project.parent / "state"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(project.parent), "XDG_STATE_HOME": str(state)}
    command = f"umask 000; {sys.executable} -m seatrial run"
    subprocess.run(["bash", "-c", command], cwd=project, env=env, capture_output=True, check=False, timeout=120)

    (run,) = [each for each in (project / ".seatrial" / "runs").iterdir() if not each.is_symlink()]
    for path in (run, run.parent, state / "seatrial"):
        assert path.stat().st_mode & 0o777 == 0o700, path


def test_ledger_makes_a_readable_state_directory_private(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    with Ledger(tmp_path / "state").locked():
        pass

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_logs_and_errors_of_programs_contain_no_secret(project: Path, tmp_path: Path) -> None:
    load(str(project))
    secret = PLANTED["set"]
    script = f"echo 'out {secret}'; echo 'err {base64.b64encode(secret.encode()).decode()}' >&2; exit 3"
    with pytest.raises(CommandFailed) as caught:
        LocalProcesses().run(["bash", "-c", script, secret], deadline=Deadline.after(20), log=tmp_path / "log")

    assert_clean((tmp_path / "log").read_text())
    for text in (caught.value.message, caught.value.reason, caught.value.tail, *caught.value.argv):
        assert_clean(text)


def test_output_of_a_program_is_returned_unchanged(project: Path) -> None:
    """Only shown text is redacted: callers may need the output."""
    load(str(project))
    done = LocalProcesses().run(["echo", PLANTED["set"]], deadline=Deadline.after(20))

    assert done.stdout.decode().strip() == PLANTED["set"]


def test_crash_report_and_error_contain_no_secret(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    argv = ["--set", f"runner.env.X={PLANTED['option']}", "run"]
    load(str(project))
    bug = RuntimeError(" ".join(SECRETS_ENCODED[:9]) + f" {PLANTED['option']}")
    assert_clean(report_text(bug, argv))
    tell(bug, argv)
    tell(EnvironmentFailed(PLANTED["env"], reason=PLANTED["args"], hint=PLANTED["set"]), argv)
    said = capsys.readouterr()

    assert_clean(said.out + said.err.replace(PLANTED["option"], "x"))
    (report,) = tmp_path.glob("seatrial-crash-*.md")
    assert_clean(report.read_text())
    assert report.stat().st_mode & 0o777 == 0o600


def test_error_shows_no_escape_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    tell(EnvironmentFailed("a\x1b[2J", reason="b\x1b]52;c;eA==\x07", hint="::error::c"), [])

    assert "\x1b" not in capsys.readouterr().err


def test_build_arguments_are_not_on_the_command_line(project: Path, tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    class Seeing(FakeProcesses):
        def run(self, argv, *, env=None, **more):
            seen.update(env or {})
            return super().run(argv, **more)

    listed = json.dumps([{"Id": "sha256:1", "RepoTags": ["app:1"], "Config": {}}])
    processes = Seeing({"docker image inspect": Answer(stdout=listed), "docker": Answer()})
    spec = ImageSpec(name="app", context=tmp_path, args={"TOKEN": PLANTED["args"], "PATH": "/x"})
    DockerEngine(processes).build(
        spec, "app:1", labels={}, deadline=Deadline.after(9), log=tmp_path / "log", progress=lambda _: None
    )

    for argv in processes.ran:
        assert_clean(" ".join(argv))
    assert seen["TOKEN"] == PLANTED["args"]
    assert "PATH" not in seen, "that would replace the client's own"
