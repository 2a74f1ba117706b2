from __future__ import annotations

import pytest
from seatrial.cli.clean import numbers
from seatrial.model.errors import UsageError


def test_numbers_parses_pull_requests_and_refuses_other_texts():
    assert numbers("41, #42,") == {41, 42}
    assert numbers("") == frozenset()
    with pytest.raises(UsageError, match="'x' is not the number"):
        numbers("41,x")
