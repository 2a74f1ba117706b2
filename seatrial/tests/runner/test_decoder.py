"""Hostile records and answers: the decoder refuses them or makes their texts safe."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from seatrial.runner.decoder import DEEPEST, Malformed, decode_answer, decode_exited, decode_probe, decode_records
from seatrial.runner.protocol import FrameReader

from runner.frames import line
from runner.session_records import SESSION


def broken_by(*records: list[Any]) -> str:
    reader = FrameReader(blobs=True)
    reader.feed(line(list(records)))
    return reader.broken


def session(**changes: Any) -> list[Any]:
    info: dict[str, Any] = {**SESSION[1], **changes}
    return ["session", info]


@pytest.mark.parametrize(
    "record",
    [
        session(ini={"console_output_style": "progress\npythonpath = /evil.zip"}),
        session(ini={"console_output_style": "progress\n"}),
        session(ini={"pythonpath": "/evil.zip"}),
        session(ini={"junit_family": "../../x"}),
        session(options={"xmlpath": "~/.git/hooks/pre-commit"}),
        session(options={"pastebin": "all"}),
        session(options={"basetemp": "/home"}),
        session(options={"tbstyle": "auto\nx"}),
        session(options={"verbose": "1"}),
        session(options={"verbose": 1 << 40}),
        session(terminal="yes"),
        session(more=1),
        session(version=2),
        ["session"],
        ["session", SESSION[1], 1],
        ["unknown", 1],
        ["deselected", 10**12],
        ["deselected", -1],
        ["collect", {"nodeid": "a", "outcome": "passed"}, 10**12],
        ["collected", 1, 1, [[]], []],
        ["s", "no cut", 1],
        ["s", "a\0b\0c\0d", 1],
        ["p", "kw", 1, 2, 3, "4"],
        ["report", {"nodeid": 1, "when": "call", "outcome": "passed"}],
        ["report", {"outcome": "passed"}],
        ["report", {"nodeid": "a", "outcome": "passed"}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "skipped", "longrepr": ["only", "two"]}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "passed", "sections": [["name", {"$blob": "x"}]]}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "passed"}, {"status": ["a", "b", ["c"]]}],
        ["attribute", "a", 'x"><evil', "y"],
        ["end", {"frames": 1}],
        ["o", -1],
    ],
    ids=lambda record: json.dumps(record)[-60:],
)
def test_decoder_refuses_records_of_other_shapes(record: list[Any]) -> None:
    assert "has no valid records" in broken_by(record)


@pytest.mark.parametrize("depth", [DEEPEST + 10, 5_000, 1_000_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "mappings"])
def test_decoder_refuses_deep_nesting(depth: int, brackets: tuple[bytes, bytes]) -> None:
    """Not a RecursionError, which no handler expects."""
    nested = brackets[0] * depth + b"1" + brackets[1] * depth
    body = b'[["report",{"nodeid":"a","when":"call","outcome":"passed","keywords":{"k":' + nested + b"}}]]"
    with pytest.raises(Malformed):
        decode_records(body)


def test_decoder_refuses_millions_of_values_without_creating_them() -> None:
    body = (
        b'[["report",{"nodeid":"a","when":"call","outcome":"passed","keywords":{"k":[' + b"[]," * 4_000_000 + b"1]}}]]"
    )
    began = time.monotonic()
    with pytest.raises(Malformed, match="values"):
        decode_records(body)
    assert time.monotonic() - began < 2


def test_decoder_accepts_nan_and_lone_surrogates() -> None:
    report = {"nodeid": "a\udce4", "when": "call", "outcome": "passed", "user_properties": [["x", float("nan")]]}

    ((_, decoded),) = decode_records(json.dumps([["report", report]]).encode())

    assert decoded["nodeid"] == "a\\udce4"


def test_decoder_drops_unknown_fields_of_reports() -> None:
    report = {"nodeid": "a", "when": "call", "outcome": "passed", "toterminal": "x", "__class__": "y", "_to_json": "z"}

    ((_, decoded),) = decode_records(json.dumps([["report", report]]).encode())

    assert decoded == {"nodeid": "a", "when": "call", "outcome": "passed"}


def test_decoder_refuses_bytes_that_are_not_ascii() -> None:
    with pytest.raises(Malformed, match="ASCII"):
        decode_records('[["internal","\x9b2J"]]'.encode())


EVIL = "\x1b]52;c;eA==\x07\x1b[2J\u202e\r\b"


@pytest.mark.parametrize(
    "record",
    [
        ["s", f"{EVIL}\0{EVIL}\0{EVIL}", 1],
        ["p", f"{EVIL}\0{EVIL}", 1, 2, 3, 4],
        ["f", EVIL],
        ["text", EVIL, 0, 0],
        ["blob", 1, EVIL],
        ["header", [EVIL, [EVIL]]],
        ["internal", EVIL],
        ["interrupt", {"type": EVIL, "text": EVIL, "path": EVIL, "line": 1, "message": EVIL}],
        ["finishing", 1, EVIL, EVIL],
        ["worker", EVIL, {EVIL: EVIL}],
        ["property", EVIL, EVIL],
        ["attribute", EVIL, "name", EVIL],
        ["imports", {EVIL: [EVIL, "0"]}],
        ["collected", 1, 1, [[[EVIL, EVIL, EVIL]]], [EVIL, [EVIL]]],
        ["report", {"nodeid": EVIL, "when": "call", "outcome": "failed", "longrepr": EVIL, "sections": [[EVIL, EVIL]],
                    "keywords": {EVIL: 1}, "location": [EVIL, 1, EVIL], "$shown": EVIL, "node": EVIL,
                    "user_properties": [[EVIL, {EVIL: [EVIL]}]], "wasxfail": EVIL}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "failed", "longrepr": {EVIL: {EVIL: [EVIL]}}},
         {"longrepr": EVIL, "status": [EVIL, EVIL, [EVIL, {EVIL: True}]]}],
        ["warning", {"text": EVIL, "category": "Warn", "module": EVIL, "filename": EVIL, "lineno": 1, "line": EVIL,
                     "suffix": EVIL, "when": "runtest", "nodeid": EVIL, "location": [EVIL, 1, EVIL]}],
        session(platform=EVIL, rootdir=EVIL, directory=EVIL),
        ["end", {"frames": 0, "exit": 0, "collected": 0, "collect_only": False, "tally": {EVIL: 1}, "seconds": 1}],
    ],
    ids=lambda record: record[0],
)  # fmt: skip
def test_decoder_makes_every_text_of_a_record_safe(record: list[Any]) -> None:
    (decoded,) = decode_records(json.dumps([record]).encode())

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for pair in value.items() for each in pair for text in texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value] if isinstance(value, str) else []

    assert not [text for text in texts(decoded) if set(text) & set("\x1b\x07\x08\r\u202e")]


def test_decoder_disarms_workflow_commands() -> None:
    records: list[list[Any]] = [["internal", "x\n::error::y"], ["s", "::error::\0a\0b", 1], ["internal", "##[error]z"]]
    for record in records:
        (decoded,) = decode_records(json.dumps([record]).encode())
        assert decoded[1] != record[1]
        assert "\n::error" not in decoded[1]
        assert not decoded[1].startswith("::error")
        assert "##[" not in decoded[1]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[]", b'{"files": []}', b'{"files": {"a": ["x", 0, 1, "x"]}}', b'{"files": {"a": ["f", 0, 1]}}',
        b'{"error": 1}', b'{"error": "busy", "reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_decode_answer_refuses_other_shapes(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_answer(text)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"code": 300, "signal": null}', b'{"code": 0, "signal": "x"}', b"[1]"])
def test_decode_exited_refuses_other_shapes(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_exited(text)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"name": "a"}', b'{"name": "a", "message": 1}', b'{"name": "a", "message": "\xff"}']
)
def test_decode_probe_refuses_other_shapes(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_probe(text)
