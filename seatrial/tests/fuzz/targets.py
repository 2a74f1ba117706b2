"""Two targets: the decoder of the stream and the reader of archives. Each raises if a promise breaks.

A promise: no exception but the documented one, nothing kept of what is too long, no unsafe text, no file outside of the
target directory, an end within seconds.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from runner.frames import green, log
from runner.session_records import RECORDS
from seatrial.runner.archive import Limits, unpack
from seatrial.runner.decoder import (
    Malformed,
    decode_answer,
    decode_changes,
    decode_exited,
    decode_notes,
    decode_probe,
    decode_records,
)
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import ChunkReader, FrameReader, Garbled

__all__ = ["SEEDS", "TARGETS"]

_UNSAFE: Final = frozenset("\x00\x07\x08\x0b\x0c\r\x7f\x9b\u202e\u2028")
_SECONDS: Final = 10.0
_LIMITS: Final = Limits(bytes=1 << 20, files=200)


def decoder(data: bytes) -> None:
    """Feed bytes as a stream, as a log, as the body of a frame, and as each answer of the agent."""
    began = time.monotonic()
    for kind in (_stream, _log, _body, _answers):
        kind(data)
    assert time.monotonic() - began < _SECONDS, "slow"


def archive(data: bytes) -> None:
    """Unpack bytes as an archive."""
    began = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="seatrial-fuzz-"))
    try:
        (base / "outside").write_bytes(b"key")
        (base / "collected.tar").write_bytes(data)
        notes = unpack(base / "collected.tar", base / "run" / "incoming", ("cache", "artifacts"), limits=_LIMITS)
        assert all(isinstance(note, str) and note.isprintable() for note in notes), notes
        _check_files(base)
    finally:
        shutil.rmtree(base)
    assert time.monotonic() - began < _SECONDS, "slow"


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"decoder": decoder, "archive": archive}


def _check_files(base: Path) -> None:
    total = count = 0
    assert sorted(each.name for each in base.iterdir()) == ["collected.tar", "outside", "run"]
    assert (base / "outside").read_bytes() == b"key"
    assert sorted(each.name for each in (base / "run" / "incoming").iterdir()) == ["artifacts", "cache"]
    for directory, names, files in os.walk(base / "run"):
        for name in (*names, *files):
            path = Path(directory) / name
            assert not path.is_symlink()
            assert path.is_dir() or path.is_file()
        total += sum((Path(directory) / name).stat().st_size for name in files)
        count += len(files)
    assert total <= _LIMITS.bytes
    assert count <= _LIMITS.files


def _stream(data: bytes) -> None:
    reader = ChunkReader()
    try:
        for start in range(0, len(data), 1000):
            reader.feed(data[start : start + 1000])
    except Garbled:
        return
    reader.rest()


def _log(data: bytes) -> None:
    reader, progress = FrameReader(blobs=True), Progress()
    for start in range(0, len(data), 1000):
        for frame in reader.feed(data[start : start + 1000]):
            progress.take(frame)
            _check_texts(frame.records)
    assert not reader.broken or reader.pending == 0


def _body(data: bytes) -> None:
    try:
        records = decode_records(data)
    except Malformed:
        return
    _check_texts(records)
    # What was decoded is a frame that the reducer takes.
    body = json.dumps(records).encode()
    frame = b"0 %d %08x %b\n" % (len(body), zlib.crc32(body), body)
    _log(frame)


def _answers(data: bytes) -> None:
    decoders: tuple[Callable[[bytes], object], ...] = (
        decode_answer, decode_exited, decode_probe, decode_notes, decode_changes,
    )  # fmt: skip
    for decode in decoders:
        try:
            decode(data)
        except Malformed:
            continue


def _check_texts(value: Any, *, cuts: bool = True) -> None:
    if isinstance(value, str):
        found = set(value) & _UNSAFE
        assert not found or (cuts and found == {"\0"}), value
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_texts(name, cuts=False)
            _check_texts(each, cuts=False)
    elif isinstance(value, list):
        for each in value:
            _check_texts(each, cuts=cuts)


def _decoder_seeds() -> Iterator[bytes]:
    yield b"".join(green())
    yield b"#B 0 2\n{}#F 0 5\nabcde#T 0 2\n{}#. 0 0\n#X 0 2\n{}#D 0 0\n"
    for template in RECORDS:
        yield json.dumps([template]).encode()
        yield b"".join(log([template]))
    yield json.dumps({"files": {"a": ["f", 0, 1, "x"]}, "changed": 1}).encode()
    yield json.dumps({"code": 0, "signal": None, "error": "", "sessions": 1, "sizes": {"frames": 1}}).encode()
    yield json.dumps({"name": "db", "message": ""}).encode()
    yield json.dumps(["a note"]).encode()
    yield json.dumps({"created": {"tests/a": ["f", 420, 1, "x"]}, "changed": {}, "deleted": ["tests/b"]}).encode()


def _archive_seeds() -> Iterator[bytes]:
    for format_ in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=format_) as tar:
            for name, kind, link in (
                ("notes.json", tarfile.REGTYPE, ""),
                ("artifacts/a", tarfile.REGTYPE, ""),
                ("artifacts/d", tarfile.DIRTYPE, ""),
                ("artifacts/d/l", tarfile.SYMTYPE, ".."),
                ("cache/h", tarfile.LNKTYPE, "artifacts/a"),
                ("artifacts/p", tarfile.FIFOTYPE, ""),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, link
                content = b'["note"]' if kind == tarfile.REGTYPE else b""
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            if format_ != tarfile.USTAR_FORMAT:
                member = tarfile.TarInfo("artifacts/" + "n" * 200)
                tar.addfile(member)
        yield buffer.getvalue()[: 512 * 24]


SEEDS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {"decoder": _decoder_seeds, "archive": _archive_seeds}
