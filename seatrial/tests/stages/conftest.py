"""A world for each test."""

from __future__ import annotations

import pytest

from .fakes import World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
