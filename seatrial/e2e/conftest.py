from __future__ import annotations

import pytest
from shop_project import NAME, containers, copy

collect_ignore = ["project"]


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory):
    """The project with its environment up, and what `up` left as its result."""
    it = copy(tmp_path_factory, "life")
    it("up")
    yield it, it.result
    it("down")
    assert containers(f"{NAME}-life") == []


@pytest.fixture(scope="session")
def shop(brought_up):
    """One cluster for all tests that leave it as they found it."""
    return brought_up[0]


@pytest.fixture(scope="session")
def up_result(brought_up):
    """The result of the `up` that made it."""
    return brought_up[1]
