from __future__ import annotations

import pytest
from shop_project import NAME, containers, copy

collect_ignore = ["project"]


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """The project with its environment up: one cluster for all tests that leave it as they found it."""
    it = copy(tmp_path_factory, "life")
    it("up")
    yield it
    it("down")
    assert containers(f"{NAME}-life") == []
