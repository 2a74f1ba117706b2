from __future__ import annotations

import msgspec
import pytest
from seatrial.model.environment_facts import EnvironmentFacts, EnvironmentKind, RunnerFacts


def test_facts_survive_the_file():
    facts = EnvironmentFacts(kind=EnvironmentKind.COMPOSE, runner=RunnerFacts(user=1))

    assert msgspec.json.decode(msgspec.json.encode(facts), type=EnvironmentFacts) == facts


@pytest.mark.parametrize("text", [b'{"user": "x"}', b'{"user": 1, "mounts": [{"path": 1}]}', b"{}"])
def test_other_types_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=RunnerFacts)
