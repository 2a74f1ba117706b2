"""The stream may be cut, repeated, reordered or damaged anywhere: no more is believed than what is true."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.model.errors import ExitCode
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import LONGEST_FRAME, Chunk, ChunkReader, FrameReader, Garbled
from seatrial.runner.verdict_rules import Evidence, decide

from runner.frames import EXITED, SESSION, green, line, log


def verdict_of(data: bytes, pieces: list[int] = []) -> ExitCode:  # noqa: B006
    """Return the verdict on a log that arrived in these pieces, from a command that ended with 0."""
    reader, progress = FrameReader(), Progress()
    cuts = sorted({0, len(data), *(piece % (len(data) + 1) for piece in pieces)})
    for start, end in pairwise(cuts):
        for frame in reader.feed(data[start:end]):
            progress.take(frame)
    return decide(Evidence(progress=progress, broken=reader.broken, exited=EXITED)).exit


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=20))
def test_verdict_does_not_depend_on_pieces(pieces: list[int]) -> None:
    """A complete log is a success, however it was split."""
    assert verdict_of(b"".join(green()), pieces) is ExitCode.PASSED


@given(st.integers(min_value=0))
def test_truncated_log_is_not_a_success(size: int) -> None:
    """A log that ends before its last byte is not a success."""
    data = b"".join(green())

    assert verdict_of(data[: size % len(data)]) is not ExitCode.PASSED


@given(st.lists(st.integers(min_value=0, max_value=7), max_size=12))
def test_frames_in_another_order_are_not_a_success(order: list[int]) -> None:
    """Missing, repeated or reordered frames are not a success."""
    lines = green()
    chosen = [lines[index] for index in order if index < len(lines)]

    assert (verdict_of(b"".join(chosen)) is ExitCode.PASSED) == (chosen == lines)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_changed_byte_is_not_a_success(place: int, difference: int) -> None:
    """Each changed byte is detected."""
    data = bytearray(b"".join(green()))
    data[place % len(data)] ^= difference

    assert verdict_of(bytes(data)) is not ExitCode.PASSED


@given(st.integers(min_value=0, max_value=7))
def test_forged_frame_numbers_are_not_a_success(drop: int) -> None:
    """Frames that are numbered again after one was dropped are valid, but the end record shows the loss."""
    frames = [each for index, each in enumerate(green()) if index != drop]
    renumbered = [each.split(b" ", 1)[1] for each in frames]
    data = b"".join(b"%d %b" % (number, rest) for number, rest in enumerate(renumbered))

    assert verdict_of(data) is not ExitCode.PASSED


@pytest.mark.parametrize(
    "damaged",
    [
        b"not a frame\n",
        b"0 2 00000000 []\n",
        b"0 9 00000000 [\n",
        b"1 2 1f0a8a6b []\n",
    ],
)  # fmt: skip
def test_invalid_header_breaks_the_log(damaged: bytes) -> None:
    """Invalid data breaks the log permanently."""
    reader = FrameReader()

    assert reader.feed(damaged) == []
    assert reader.broken
    assert reader.feed(log([SESSION])[0]) == []


@pytest.mark.parametrize("records", [{"no": "list"}, [1], [[]], ["text"]])
def test_frame_without_records_breaks_the_log(records: object) -> None:
    """So does a complete frame with other content."""
    reader = FrameReader()

    assert reader.feed(line(records)) == []  # type: ignore[arg-type]
    assert "has no valid records" in reader.broken


def test_pieces_of_long_output_are_not_decoded() -> None:
    """Pieces of long output are verified and counted, but not decoded."""
    data = line([["blob", 1, "x" * 1000]])

    (frame,) = FrameReader().feed(data)
    (decoded,) = FrameReader(blobs=True).feed(data)

    assert (frame.records, frame.size) == ([], len(data))
    assert decoded.records[0][0] == "blob"


@given(st.lists(st.tuples(st.sampled_from("FOT."), st.binary(max_size=40)), max_size=8), st.data())
def test_chunks_are_read_from_any_pieces(chunks: list[tuple[str, bytes]], data: st.DataObject) -> None:
    """Chunks are the same wherever the stream was split, also if their content looks like a chunk."""
    stream = b"".join(b"#%b %d %d\n%b" % (kind.encode(), 7, len(text), text) for kind, text in chunks)
    reader, found = ChunkReader(), []
    while stream:
        size = data.draw(st.integers(min_value=1, max_value=len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]

    assert found == [Chunk(kind, 7, text) for kind, text in chunks]


def test_rest_returns_the_received_part_of_a_chunk() -> None:
    """An incomplete chunk of a file is used; other incomplete chunks are not."""
    reader = ChunkReader()
    assert reader.feed(b"#. 0 0\n#F 100 50\nabc") == [Chunk(".", 0, b"")]
    assert reader.rest() == Chunk("F", 100, b"abc")

    for partial in (b"#X 0 9\nabc", b"#F 10 4\n", b"#F 1", b""):
        reader = ChunkReader()
        reader.feed(partial)
        assert reader.rest() is None


@pytest.mark.parametrize("stream", [b"Traceback (most recent call last):\n", b"#F 0 x\n", b"#F 1 2 3 4 5" * 9])
def test_other_bytes_in_the_stream_raise(stream: bytes) -> None:
    """For example an error message of Python."""
    with pytest.raises(Garbled):
        ChunkReader().feed(stream)


def test_frame_reader_keeps_nothing_of_a_frame_without_end() -> None:
    reader = FrameReader()
    for _ in range(200):
        reader.feed(b"x" * (1 << 20))

    assert reader.broken
    assert reader.pending == 0


@pytest.mark.parametrize("announced", [LONGEST_FRAME + 1, 10**11])
def test_frame_reader_refuses_a_frame_that_is_too_long_by_its_header(announced: int) -> None:
    reader = FrameReader()
    reader.feed(b"0 %d 00000000 [" % announced)

    assert "more than" in reader.broken
    assert reader.pending == 0


def test_frame_reader_refuses_a_frame_that_is_longer_than_it_says() -> None:
    reader = FrameReader()
    reader.feed(b"0 10 00000000 [" + b" " * 100)

    assert "longer than its header says" in reader.broken


@pytest.mark.parametrize("header", [b"#F 0 999999999\n", b"#T 0 100000\n", b"#X 0 100000\n", b"#H 0 2000000\n"])
def test_chunk_reader_refuses_a_chunk_that_is_too_long_by_its_header(header: bytes) -> None:
    with pytest.raises(Garbled, match="longer"):
        ChunkReader().feed(header)
