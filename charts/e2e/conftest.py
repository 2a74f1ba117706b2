"""The cluster that all tests here share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chart_cluster import Cluster, made_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return a cluster whose network works and whose node can pull the chart's images."""
    with made_cluster() as made:
        yield made
