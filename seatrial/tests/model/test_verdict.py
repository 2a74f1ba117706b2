from __future__ import annotations

from seatrial.model.errors import ExitCode
from seatrial.model.verdict import Verdict


def test_text_of_a_verdict_adds_the_reason_if_there_is_one() -> None:
    assert Verdict(exit=ExitCode.PASSED, message="all tests passed").text == "all tests passed"
    assert Verdict(exit=ExitCode.PASSED, message="it ended", reason="killed").text == "it ended: killed"
