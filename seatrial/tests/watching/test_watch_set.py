"""Watches merged into one snapshot."""

from __future__ import annotations

import pytest
from fakes import FakeKube, refused
from seatrial.model.errors import EnvironmentFailed
from seatrial.watching.watch_set import WatchSet


def test_failed_watch_raises_its_error_in_wait():
    class Broken(FakeKube):
        def watch(self, kind, namespace=""):
            raise_now = super().watch(kind, namespace)
            raise_now._changes = _raising()
            return raise_now

    def _raising():
        yield from ()
        raise refused("forbidden")

    watches = WatchSet(Broken(), ["v1/Pod"], ["shop"])
    with pytest.raises(EnvironmentFailed):
        watches.wait(5)
    watches.close()
