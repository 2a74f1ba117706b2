"""Answers of Docker 29 with its containerd image store, as `foundry/tests/e2e/docker29.py` records them.

There an image's id is the digest of its manifest, and a push leaves that digest as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from seatrial.adapters.docker import IMAGE_LABEL, DockerEngine
from seatrial.model.deadline import Deadline
from seatrial.ports import Completed, Processes

ANSWERS = Path(__file__).parent / "answers" / "docker-29-containerd.json"
ONE, AGAIN, TWO = (f"docker29-shop:{digit * 12}" for digit in "1a2")
PYTHON = "foundry.invalid/python:3.13"


class Recorded:
    """Gives the recorded answers in their order: to the same questions, and to no others."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.left = answers

    def run(self, argv: Sequence[str], *, check: bool = True, **_: Any) -> Completed:
        answer = self.left.pop(0)
        assert list(argv) == ["docker", *answer["argv"]]
        assert not (check and answer["code"])
        return Completed(
            argv=tuple(argv), code=answer["code"], stdout=answer["stdout"].encode(), stderr=answer["stderr"].encode()
        )


@pytest.fixture
def answers():
    return json.loads(ANSWERS.read_text())


@pytest.fixture
def engine(answers):
    recorded = Recorded(list(answers))
    yield DockerEngine(cast("Processes", recorded))
    assert recorded.left == []


def test_engine_with_the_containerd_image_store(engine, answers):
    id_ = json.loads(answers[0]["stdout"])[0]["Id"]
    found = engine.inspect([ONE, f"docker.io/library/{TWO}", id_, PYTHON, "none:1"])
    assert found.keys() == {ONE, f"docker.io/library/{TWO}", id_, PYTHON}
    assert found[ONE].digest == found[id_].digest == id_
    assert (found[ONE].user, found[ONE].workdir, found[ONE].env["A"]) == ("1000", "/app", "b")

    base = engine.disk_usage([PYTHON])
    assert base < engine.disk_usage([ONE, TWO]) < base + (1 << 20), "the base counts once"

    limit = Deadline.after(60)
    target = next(answer["argv"][-1] for answer in answers if answer["argv"][0] == "push")
    engine.push(ONE, target, deadline=limit, progress=lambda _: None)
    assert engine.inspect([target]) == {}, "the name was for the push only"
    assert engine.inspect([ONE])[ONE].digest == id_
    engine.pull(target, deadline=limit)
    assert engine.inspect([target])[target].digest == id_, "the id is the digest in the registry"
    engine.docker("rmi", target)

    engine.prune({"dev.seatrial.docker29": "shop", IMAGE_LABEL: "docker29-shop"}, keep=1)
    assert engine.inspect([ONE, AGAIN, TWO]).keys() == {TWO}, "the newest stays"
    assert engine.delete_cache(volume="docker29-none", label="dev.seatrial.docker29", images=[TWO]) == [TWO]
