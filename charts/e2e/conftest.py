"""Provide the cluster that all tests here share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chart_cluster import Cluster, created_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Provide a cluster with a working network, whose node can pull the chart's images."""
    with created_cluster() as made:
        yield made
