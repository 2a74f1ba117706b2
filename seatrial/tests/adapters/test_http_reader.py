from __future__ import annotations

import pytest
from seatrial.adapters.http_reader import ResponseReader

CHUNKS = b"5\r\nhello\r\n7;name=value\r\n, world\r\n0\r\nTrailer: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
WITH_LENGTH = b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nnothing"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nhello"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("response", "status", "body"),
    [
        (CHUNKED, 200, b"hello, world"),
        (WITH_LENGTH, 404, b"nothing"),
        (b"HTTP/1.1 100 Go\r\n\r\n" + CHUNKED, 200, b"hello, world"),
    ],
)
def test_response_is_complete_in_pieces_of_any_size(size: int, response: bytes, status: int, body: bytes) -> None:
    reader, found = ResponseReader(), b""

    for start in range(0, len(response), size):
        assert not reader.done
        found += reader.feed(response[start : start + size])

    assert (reader.status, found, reader.done, reader.closed()) == (status, body, True, True)


def test_part_of_a_chunk_is_returned_before_the_rest_arrives() -> None:
    reader = ResponseReader()

    assert reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100\r\nhel") == b"hel"
    assert reader.feed(b"lo") == b"lo"
    assert not reader.closed()


def test_response_without_length_ends_with_the_connection() -> None:
    reader = ResponseReader()

    assert reader.feed(UNTIL_CLOSE) == b"hello"
    assert reader.feed(b"!") == b"!"
    assert not reader.done
    assert reader.closed()


@pytest.mark.parametrize("response", [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"])
def test_response_without_body_is_done_with_its_headers(response: bytes) -> None:
    reader = ResponseReader()

    assert reader.feed(response) == b""
    assert reader.done


def test_connection_that_closes_before_the_headers_is_incomplete() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200")

    assert not reader.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 many\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"0" * 5000,
    ],
)
def test_malformed_response_raises(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ResponseReader().feed(data)
