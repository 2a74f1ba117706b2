from __future__ import annotations

import pytest
from shop_project import NAME, containers, copy

collect_ignore = ["blame_project", "parity", "project"]


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory):
    """Provide the project with a running environment, and the result of its `up`."""
    it = copy(tmp_path_factory, "life")
    it("up")
    yield it, it.result
    it("down")
    assert containers(f"{NAME}-life") == []


@pytest.fixture(scope="session")
def shop(brought_up):
    """Provide one environment for all tests that do not change it."""
    return brought_up[0]


@pytest.fixture(scope="session")
def up_result(brought_up):
    """Provide the result of the `up` that created it."""
    return brought_up[1]
