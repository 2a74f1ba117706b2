from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from seatrial.model.redaction import SECRETS
from seatrial.watching.log_files import Limits, LogFile, LogFiles

MIB = 1 << 20


@pytest.fixture
def _no_secrets() -> Iterator[None]:
    yield
    SECRETS.forget()


def written(tmp_path: Path, file: LogFile) -> bytes:
    return (tmp_path / file.path).read_bytes()


def new_file(files: LogFiles, container: str = "web") -> LogFile:
    return LogFile(files.path("shop", "web-0", "u1", container, 0))


def test_path_names_namespace_pod_container_and_restarts() -> None:
    files = LogFiles(Path("/run"))

    assert files.path("shop", "web-0", "u1", "web", 2) == Path("logs/pods/shop/web-0/web.2.log")
    assert files.path("shop", "web-0", "u2", "web", 0) == Path("logs/pods/shop/web-0.2/web.0.log")
    assert files.path("shop", "web-0", "u1", "web", 3) == Path("logs/pods/shop/web-0/web.3.log")
    assert files.path("other", "web-0", "u3", "web", 0) == Path("logs/pods/other/web-0/web.0.log")


def test_incomplete_line_is_held_back_until_it_is_complete_or_the_log_ends(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    file = new_file(files)

    file.add(b"1 one\n2 tw")
    assert files.write(file)
    assert written(tmp_path, file) == b"1 one\n"
    assert file.last == b"1"
    file.add(b"o\n3 three")
    assert not files.write(file)
    assert files.write(file, whole=True) is False
    assert written(tmp_path, file) == b"1 one\n2 two\n3 three"
    assert file.size == len(b"1 one\n2 two\n3 three")
    assert file.last == b"2"


def test_log_without_output_has_no_file(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    file = new_file(files)

    assert not files.write(file, whole=True)
    assert not (tmp_path / file.path).exists()


def test_very_long_line_is_written_in_parts(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    file = new_file(files)
    file.add(b"x" * (MIB + 1))

    assert files.write(file)
    assert file.size == MIB + 1


def test_dropped_line_is_not_written(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    file = new_file(files)
    file.add(b"1 one\n2 tw")
    files.write(file)
    file.drop()

    assert not file.is_dirty


def test_log_beyond_the_limit_of_a_container_is_cut_at_a_line_with_a_marker(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, Limits(container=MIB, run=100 * MIB))
    file = new_file(files)
    line = b"1 " + b"x" * 997 + b"\n"

    file.add(line * 2000)
    files.write(file)
    file.add(line)
    files.write(file, whole=True)

    assert file.cut == MIB
    *lines, marker, rest = written(tmp_path, file).split(b"\n")
    assert set(lines) == {line[:-1]}
    assert len(lines) == MIB // 1000
    assert marker == b"[seatrial cut the log here: the limit of a container is 1 MiB]"
    assert rest == b""


def test_logs_beyond_the_limit_of_the_run_are_cut_with_a_marker(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, Limits(container=2 * MIB, run=3 * MIB))
    first, second, third = (new_file(files, name) for name in ("a", "b", "c"))
    for file in (first, second, third):
        file.add((b"x" * 999 + b"\n") * 1800)
        files.write(file)

    assert (first.cut, second.cut, third.cut) == (None, 3 * MIB, 3 * MIB)
    assert written(tmp_path, second).endswith(b"[seatrial cut the log here: the limit of a run is 3 MiB]\n")
    assert written(tmp_path, third) == b"[seatrial cut the log here: the limit of a run is 3 MiB]\n"


@pytest.mark.usefixtures("_no_secrets")
def test_secrets_are_hidden_even_if_they_arrive_in_two_pieces(tmp_path: Path) -> None:
    SECRETS.learn(["correct-horse"])
    files = LogFiles(tmp_path)
    file = new_file(files)
    for piece in (b"1 login with correct-", b"horse\n"):
        file.add(piece)
        files.write(file)

    assert written(tmp_path, file) == b"1 login with ***\n"


@pytest.mark.usefixtures("_no_secrets")
def test_secret_that_becomes_known_later_is_hidden_by_redact_again(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    file, empty = new_file(files), new_file(files, "silent")
    file.add(b"1 login with correct-horse\n")
    files.write(file)
    SECRETS.learn(["correct-horse"])
    for each in (file, empty, file):
        files.redact_again(each)

    assert written(tmp_path, file) == b"1 login with ***\n"
    assert file.size == len(b"1 login with ***\n")
