"""The ledger knows what a killed run left, and whether the owner lives."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flow.errors import USAGE, Failure
from flow.ledger import Ledger, new_entry

SCRIPTS = Path(__file__).parents[1] / "scripts"

OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from flow.ledger import Ledger, new_entry
ledger = Ledger(Path(sys.argv[2]), "floe-test")
ledger.acquire()
ledger.write(new_entry(cluster="floe-test", registry="r", folder=Path("/somewhere"), network_made=True))
print("owner", flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path):
    """Another process that owns the cluster."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, SCRIPTS, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "owner\n"
    yield process
    process.kill()
    process.communicate()


def test_a_living_owner_is_named(owner, tmp_path):
    with pytest.raises(Failure, match=rf"process {owner.pid} in /somewhere") as caught:
        Ledger(tmp_path, "floe-test").acquire()

    assert caught.value.code == USAGE


def test_another_cluster_is_another_matter(owner, tmp_path):
    ledger = Ledger(tmp_path, "floe-other")
    ledger.acquire()

    assert ledger.read() is None


def test_a_killed_owner_leaves_its_entry_and_no_lock(owner, tmp_path):
    owner.send_signal(signal.SIGKILL)
    owner.wait()

    ledger = Ledger(tmp_path, "floe-test")
    ledger.acquire()

    entry = ledger.read()
    assert (entry.cluster, entry.owner, entry.network_made) == ("floe-test", owner.pid, True)


def test_what_was_written_is_read_and_forgotten(tmp_path):
    ledger = Ledger(tmp_path, "floe-test")
    entry = new_entry(cluster="floe-test", registry="r", folder=tmp_path, network_made=False)
    ledger.write(entry)

    assert ledger.read() == entry

    ledger.clear()
    assert ledger.read() is None
    ledger.clear()
