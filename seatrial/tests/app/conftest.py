from __future__ import annotations

import pytest

from .machines import Machines


@pytest.fixture
def machines(tmp_path):
    it = Machines(tmp_path)
    yield it
    for machine in it.machines:
        machine.ledger.close()
