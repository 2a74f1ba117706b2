"""Record real runs of `examples/orders-api` for the documentation and for the tests of the renderers.

    .venv/bin/python seatrial/e2e/record_runs.py          # everything
    .venv/bin/python seatrial/e2e/record_runs.py runs     # without the comparison of Compose and Kubernetes
    .venv/bin/python seatrial/e2e/record_runs.py parity   # only this comparison, as the tutorial makes it

Each command writes its screen to `docs/recorded/NAME.txt`; runs also write their events to
`tests/sinks/runs/NAME.jsonl`. The script then copies the screens into the pages that show them, below
`<!-- recorded: NAME -->`. After `runs`, write the golden files with
`SEATRIAL_GOLDEN=write .venv/bin/pytest seatrial/tests/sinks`. The script requires Docker with Compose, kind and Helm,
and takes ten minutes, half of it for each part. With `--insert` it only copies screens that were recorded before.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyte
from local_images import SETTINGS, present

SEATRIAL: Final = Path(__file__).resolve().parents[1]
RECORDED: Final = SEATRIAL / "docs" / "recorded"
EVENTS: Final = SEATRIAL / "tests" / "sinks" / "runs"
# Events contain this directory, so it must not be a user's home.
PROJECT: Final = Path("/tmp/orders-api")
PAGES: Final = (SEATRIAL / "README.md", *sorted((SEATRIAL / "docs").rglob("*.md")))
ROWS: Final = 200
COLUMNS: Final = 100
WIDE: Final = 170
"""Columns for a command whose lines would be folded."""

BLOCK: Final = re.compile(
    r"^(?P<mark><!-- recorded: (?P<name>[\w-]+) -->\n)(?:```console\n.*?^```\n)?", re.DOTALL | re.MULTILINE
)
TUTORIAL: Final = SEATRIAL / "docs" / "tutorial" / "from-compose-to-kubernetes.md"
TEST: Final = PROJECT / "tests" / "test_orders.py"
VALUES: Final = PROJECT / "chart" / "values.yaml"


def screen_of(
    argv: tuple[str, ...], env: Mapping[str, str], *, columns: int, interrupt_at: str = ""
) -> tuple[str, int]:
    """Run a command in a new terminal; return the terminal's final screen and the exit code.

    Args:
        argv: program and arguments.
        env: the complete environment.
        columns: width of the terminal.
        interrupt_at: press Ctrl-C once the terminal shows this text.
    """
    master, replica = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        argv, cwd=PROJECT, env=dict(env), stdin=replica, stdout=replica, stderr=replica, start_new_session=True
    )
    os.close(replica)
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    pressed = not interrupt_at
    while True:
        try:
            data = os.read(master, 1 << 16)
        except OSError:  # the last process with the terminal has ended
            break
        if not data:
            break
        stream.feed(data)
        if not pressed and any(interrupt_at in line for line in screen.display):
            pressed = True
            process.send_signal(signal.SIGINT)
    os.close(master)
    lines = [line.rstrip() for line in screen.display]
    return "\n".join(lines).strip() + "\n", process.wait()


def record(
    name: str,
    typed: str,
    env: Mapping[str, str],
    *,
    code: int,
    columns: int = COLUMNS,
    interrupt_at: str = "",
    events: bool = True,
) -> None:
    """Run a command, check its exit code, and write its screen and, if asked, the events of its run."""
    print(f"{name}: {typed}", flush=True)
    latest = PROJECT / ".seatrial" / "runs" / "latest"
    before = latest.resolve()
    shown, ended = screen_of(
        (sys.executable, "-m", *shlex.split(typed)), env, columns=columns, interrupt_at=interrupt_at
    )
    if ended != code:
        sys.exit(f"{typed} exited with {ended}, expected {code}:\n{shown}")
    (RECORDED / f"{name}.txt").write_text(f"$ {typed}\n{shown}")
    if events and latest.resolve() != before:
        shutil.copyfile(latest / "events.jsonl", EVENTS / f"{name.replace('-', '_')}.jsonl")


@contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """Replace a text in a file for the duration of the block."""
    before = path.read_text()
    if old not in before:
        sys.exit(f"{path} does not contain {old!r}")
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


def insert() -> None:
    """Copy the screens into the pages that show them."""
    for page in PAGES:
        text = page.read_text()
        filled = BLOCK.sub(block, text)
        if filled != text:
            page.write_text(filled)
            print(f"wrote {page.relative_to(SEATRIAL)}")


def block(match: re.Match[str]) -> str:
    """Return a mark with the screen that it names; unchanged if that is not recorded yet."""
    screen = RECORDED / f"{match['name']}.txt"
    return f"{match['mark']}```console\n{screen.read_text()}```\n" if screen.exists() else match[0]


def configuration_of_the_readme() -> str:
    """Return the first TOML block of the README."""
    found = re.search(r"^```toml\n(.*?)^```$", (SEATRIAL / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    if found is None:
        sys.exit("README.md has no TOML block")
    return found[1]


def create_project(*examples: str) -> None:
    """Create the project from examples, one copied over the other."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    for example in examples:
        shutil.copytree(SEATRIAL / "examples" / example, PROJECT, dirs_exist_ok=True)


def record_runs(env: Mapping[str, str]) -> None:
    """Record runs in Kubernetes: green, failed, interrupted and with broken files."""
    create_project("orders-api")
    try:
        # The README shows this configuration above the output of its run.
        (PROJECT / "seatrial.toml").write_text(configuration_of_the_readme())
        record("green", "seatrial run", env, code=0)
        (PROJECT / "seatrial.toml").unlink()
        record("init", "seatrial init", env, code=0, columns=WIDE)
        record("interrupted", "seatrial run", env, code=130, interrupt_at="cluster")
        record("up", "seatrial up", env, code=0)
        with changed(TEST, '{"status": "ok"}', '{"status": "fine"}'):
            record("failed", "seatrial test", env, code=1)
        with changed(VALUES, 'tag: "17"', 'tag: "71"'):
            record("image-missing", "seatrial up", env, code=10)
        with changed(PROJECT / "Dockerfile", "COPY orders orders", "COPY ordres orders"):
            record("build-failed", "seatrial up", env, code=10)
    finally:
        subprocess.run([sys.executable, "-m", "seatrial", "down"], cwd=PROJECT, env=dict(env), check=False)


def run_block(start: str, env: Mapping[str, str]) -> None:
    """Run the commands of the block of the tutorial that starts with a text."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE)
    found = next((each for each in blocks if each.startswith(start)), None)
    if found is None:
        sys.exit(f"{TUTORIAL} has no block that starts with {start!r}")
    subprocess.run(["bash", "-euc", found], cwd=PROJECT, env=dict(env), check=True, stdout=subprocess.DEVNULL)


def create_compose_project(env: Mapping[str, str]) -> None:
    """Create the project of the tutorial as it is before the verdict."""
    create_project("orders-api", "orders-compose")
    run_block("cat in-cluster.patch", env)
    subprocess.run([sys.executable, "-m", "seatrial", "init"], cwd=PROJECT, env=dict(env), check=True)
    run_block("cat >> seatrial.toml", env)


def record_parity(env: Mapping[str, str]) -> None:
    """Record the verdict of the tutorial."""
    create_compose_project(env)
    record("parity", "seatrial -q parity", env, code=13, columns=WIDE, events=False)
    run_block("cat > accepted-differences.toml", env)
    record("parity-ready", "seatrial -q parity --ready", env, code=0, columns=WIDE, events=False)


def main() -> None:
    """Record the parts that the command line names, by default all."""
    # A job in the background ignores Ctrl-C, and so would the runs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "--insert" in sys.argv[1:]:
        insert()
        return
    parts = {"runs": record_runs, "parity": record_parity}
    if unknown := set(sys.argv[1:]) - parts.keys():
        sys.exit(f"unknown part {', '.join(unknown)}; known: {', '.join(parts)}")
    RECORDED.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEATRIAL_", "PYTEST_", "CI"))}
    env = {**kept, "TERM": "xterm", "NO_COLOR": "1", **(SETTINGS if present() else {})}
    for name in sys.argv[1:] or parts:
        parts[name](env)
    insert()


if __name__ == "__main__":
    main()
