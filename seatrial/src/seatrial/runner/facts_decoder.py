"""Decode the facts that the agent printed in the container of the tests. All bytes are hostile."""

from __future__ import annotations

from typing import Final

import msgspec

from seatrial.model.environment_facts import RunnerFacts
from seatrial.model.redaction import safe_struct
from seatrial.runner.decoder import Malformed

__all__ = ["decode_facts"]

_LONGEST: Final = 4 << 20
_decoder: Final = msgspec.json.Decoder(RunnerFacts)


def decode_facts(text: bytes) -> RunnerFacts:
    """Return the facts, with texts that are safe to print.

    Raises:
        Malformed: the text is not an answer of the agent.
    """
    if len(text) > _LONGEST:
        raise Malformed(f"facts are longer than {_LONGEST} bytes")
    try:
        return safe_struct(_decoder.decode(text))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(str(error)) from error
