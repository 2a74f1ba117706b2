"""Lines of a container log over lost connections."""

from __future__ import annotations

import http.client

import pytest
from seatrial.adapters import pod_logs
from seatrial.adapters.pod_logs import ApiLines, log_query
from seatrial.model.errors import EnvironmentFailed

ONE, TWO, THREE = (
    f"2026-01-01T00:00:00.{at}00000000Z {word}\n".encode() for at, word in enumerate(("one", "two", "three"))
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(pod_logs, "_PAUSE", 0.01)
    monkeypatch.setattr(pod_logs, "_RETRY_SECONDS", 0.1)


class Response:
    """Lines, then the end or an exception."""

    sock = None

    def __init__(self, *items, status=200):
        self.items = items
        self.status = status

    def __iter__(self):
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self):
        pass


def server(*responses):
    """Return the list of received queries, and a function that opens the responses one after the other."""
    queries, left = [], list(responses)

    def open_(path, query):
        queries.append(query)
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return response, response

    return queries, open_


def test_lines_resume_after_a_lost_connection():
    queries, open_ = server(Response(ONE, TWO, http.client.IncompleteRead(b"")), Response(TWO, THREE))

    assert list(ApiLines(open_, "/log", log_query("app", tail=5, since=9))) == [b"one\n", b"two\n", b"three\n"]
    assert queries[0]["tailLines"] == "5"
    assert queries[1]["sinceTime"] == "2026-01-01T00:00:00.100000000Z"
    assert queries[1].keys().isdisjoint({"tailLines", "sinceSeconds"})


def test_lines_fail_after_retries():
    _, open_ = server(ConnectionRefusedError("refused"))

    with pytest.raises(EnvironmentFailed, match="the log stream was lost") as raised:
        list(ApiLines(open_, "/log", log_query("app", tail=None, since=None)))
    assert raised.value.reason == "refused"


def test_missing_container_has_no_lines():
    _, open_ = server(Response(b'{"kind": "Status"}', status=404))

    assert list(ApiLines(open_, "/log", log_query("app", tail=None, since=None))) == []


def test_closed_lines_end_without_an_error():
    _, open_ = server(Response(ONE, ConnectionResetError()))
    lines = ApiLines(open_, "/log", log_query("app", tail=None, since=None))
    told = iter(lines)

    assert next(told) == b"one\n"
    lines.close()
    assert list(told) == []
