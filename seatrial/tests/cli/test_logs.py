from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.cli.logs import seconds
from seatrial.model.errors import UsageError


@pytest.mark.parametrize(("text", "count"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("7", 7)])
def test_seconds_parses_durations(text, count):
    assert seconds(text) == count


@pytest.mark.parametrize("text", ["", "m", "1.5h", "-1m", "1h30m"])
def test_seconds_refuses_other_texts(text):
    with pytest.raises(UsageError, match="is not a duration"):
        seconds(text)


def test_logs_refuses_follow_with_previous(seatrial):
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n')

    printed = seatrial("logs", "-f", "--previous")

    assert printed.code == 4
    assert "--follow and --previous exclude each other" in printed.err
