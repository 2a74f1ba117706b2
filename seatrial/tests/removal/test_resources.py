"""Resources are in the ledger before they are created."""

from __future__ import annotations

import threading

from fakes import World
from seatrial.model.environment_record import Created
from seatrial.removal.resources import Resources

CLUSTER = Created(kind="cluster", name="it")


def test_record_is_written_for_each_resource(tmp_path):
    written = []
    resources = Resources(World(tmp_path).record, written.append)
    resources.add(CLUSTER)
    resources.add(Created(kind="cluster", name="it", identity="id"))

    assert [each.resources for each in written] == [(CLUSTER,), (Created(kind="cluster", name="it", identity="id"),)]
    assert resources.record is written[-1]


def test_known_resource_is_not_written_again(tmp_path):
    written = []
    resources = Resources(World(tmp_path).record, written.append)
    resources.add(CLUSTER)
    resources.add(CLUSTER)

    assert len(written) == 1


def test_resources_of_parallel_stages_are_all_recorded(tmp_path):
    started, names = threading.Barrier(2), [f"{stage}{number}" for stage in "ab" for number in range(50)]
    resources = Resources(World(tmp_path).record, lambda _: None)

    def stage(letter):
        started.wait()
        for name in names:
            if name.startswith(letter):
                resources.add(Created(kind="namespace", name=name))

    threads = [threading.Thread(target=stage, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each.name for each in resources.record.resources} == set(names)
