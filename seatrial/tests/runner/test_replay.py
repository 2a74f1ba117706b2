"""Show what pytest printed in a past run, from its directory."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from seatrial.cli.main import run
from seatrial.model.errors import ExitCode
from seatrial.runner.replay import has_output, past_verdict, show_output

from runner.bench import Bench

RED = (
    "import sys\ndef test_good(): pass\ndef test_bad():\n    print('told \\x1b[31mbefore\\x1b[0m')\n    assert 1 == 2\n"
)


def shown(run_dir: Path, *, color: bool = False, **more: object) -> str:
    out = io.StringIO()
    assert show_output(run_dir, out, color=color, width=80, redact=more.get("redact", str)) == ""  # type: ignore[arg-type]
    return out.getvalue()


@pytest.fixture
def red(bench: Bench) -> Bench:
    bench.write(test_a_py=RED)
    bench.build()
    bench.run("--log-file=l.txt")
    return bench


def test_output_equals_the_live_output(red: Bench) -> None:
    """Except colors that a test printed itself."""
    assert "test_bad" in red.text
    assert shown(red.run_dir) == red.text.replace("\x1b[31m", "").replace("\x1b[0m", "")


def test_output_has_colors_only_on_request(red: Bench) -> None:
    assert "\x1b" not in shown(red.run_dir)
    assert "\x1b[31mbefore\x1b[0m" in shown(red.run_dir, color=True)
    assert "\x1b[31m" in shown(red.run_dir, color=True).splitlines()[-1]


def test_each_line_passes_the_redactor(red: Bench) -> None:
    text = shown(red.run_dir, redact=lambda line: line.replace("before", "***"))

    assert "told ***" in text
    assert "before" not in text


def test_nothing_is_written_into_the_directory_of_the_run(red: Bench) -> None:
    before = {path: path.stat().st_mtime_ns for path in red.run_dir.rglob("*")}
    shown(red.run_dir)

    assert {path: path.stat().st_mtime_ns for path in red.run_dir.rglob("*")} == before


def test_replay_names_the_suspect_of_a_killed_pytest(bench: Bench) -> None:
    bench.write(test_a_py="import os\ndef test_ok(): pass\ndef test_dies(): os.kill(os.getpid(), 9)\n")
    bench.build()
    bench.run()

    assert past_verdict(bench.run_dir).exit is ExitCode.INCONCLUSIVE
    assert "pytest died while running test_a.py::test_dies" in shown(bench.run_dir)
    # The duration of that pytest is unknown: its last line has the time of the renderer.
    assert shown(bench.run_dir).splitlines()[:-1] == bench.text.splitlines()[:-1]


def test_replay_shows_the_results_of_a_killed_run(red: Bench) -> None:
    (red.run_dir / "verdict.json").unlink()
    frames = (red.run_dir / "frames").read_bytes()
    (red.run_dir / "frames").write_bytes(frames[: len(frames) // 2])

    assert past_verdict(red.run_dir).message == "the run was abandoned"
    assert "the run was abandoned" in shown(red.run_dir)


def test_replay_of_an_untrusted_directory_loads_no_code(red: Bench, tmp_path: Path) -> None:
    """Settings name plugins and files; logs may be links."""
    run_dir = tmp_path / "of-others"
    shutil.copytree(red.run_dir, run_dir)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\n")
    settings = json.loads((run_dir / "renderer.json").read_text())
    settings |= {"arguments": ["-p", "evil"], "junit": str(tmp_path / "junit.xml"), "where": "here\x1b[2J\n::error::x"}
    (run_dir / "renderer.json").write_text(json.dumps(settings))
    (run_dir / "runner-output.log").unlink()
    (run_dir / "runner-output.log").symlink_to("/etc/passwd")

    text = shown(run_dir)

    assert "test_bad" in text
    assert "root:" not in text
    assert "\x1b" not in text
    assert "\n::error" not in text
    assert not (tmp_path / "loaded").exists()
    assert not (tmp_path / "junit.xml").exists()
    (run_dir / "frames").unlink()
    (run_dir / "frames").symlink_to(red.run_dir / "frames")
    assert not has_output(run_dir)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"exit": "x"}', b"x" * (2 << 20)])
def test_unreadable_verdict_is_inconclusive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "verdict.json").write_bytes(content)

    assert past_verdict(tmp_path).exit is ExitCode.INCONCLUSIVE
    assert msgspec.to_builtins(past_verdict(tmp_path))["proven"] is False


RUNS = Path(__file__).parents[1] / "sinks" / "runs"


def rendered(capsys: pytest.CaptureFixture[str], run_dir: Path, recorded: str, *options: str) -> str:
    """Return what `seatrial render` prints of a run with recorded events."""
    shutil.copy(RUNS / f"{recorded}.jsonl", run_dir / "events.jsonl")
    assert run(("render", str(run_dir), *options)) == 0
    return capsys.readouterr().out


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose configuration has a secret that tests print."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\nenv = { WORD = "told-in-confidence" }\n')
    return Path.cwd()


def test_render_shows_failures_before_the_end_of_the_tests(
    bench: Bench, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write(test_a_py="def test_bad():\n    print('told-in-confidence')\n    assert 1 == 2\n")
    bench.build()
    bench.run()

    lines = rendered(capsys, bench.run_dir, "failed", "--as", "plain").splitlines()

    started, ended = (
        next(i for i, line in enumerate(lines) if f"] test {word}" in line) for word in ("\u2026", "done")
    )
    between = "\n".join(lines[started + 1 : ended])
    assert between.endswith(bench.text.rstrip("\n").replace("told-in-confidence", "***"))
    assert "= FAILURES =" in between
    assert "E       assert 1 == 2" in between


def test_render_of_a_green_run_shows_output_only_if_verbose(
    bench: Bench, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write(test_a_py="def test_good(): pass\n")
    bench.build()
    bench.run()
    rendered(capsys, bench.run_dir, "green")

    assert "test session starts" not in rendered(capsys, bench.run_dir, "green")
    assert run(("-v", "render", str(bench.run_dir))) == 0
    assert "test session starts" in capsys.readouterr().out
    assert "test session starts" not in rendered(capsys, bench.run_dir, "green", "--as", "json")


def test_render_for_github_disarms_workflow_commands(
    red: Bench, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = rendered(capsys, red.run_dir, "failed", "--as", "github")

    before, token, rest = text.partition("::stop-commands::")
    word, _, rest = rest.partition("\n")
    assert token
    assert "test_bad" in rest.partition(f"::{word}::")[0]
    assert "::error" in rest.partition(f"::{word}::")[2]
    assert "test session starts" not in before


def test_render_shows_the_output_of_unfinished_tests(
    red: Bench, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (RUNS / "failed.jsonl").read_text().partition('{"body":"TestsCollected"')[0]
    (red.run_dir / "events.jsonl").write_text(text)

    assert run(("render", str(red.run_dir))) == 0
    assert "test_bad" in capsys.readouterr().out
