"""The ledger: on disk before the fact, and it knows who lives."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from seatrial.adapters.ledger import Ledger, state_directory
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.names import EnvironmentId

NOW = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)


def record(identifier="aa", at=NOW, **more):
    given = {"project": "/p", "command": "up", "provider": "kind", "cluster": "c", "created": at, "expires": at}
    return EnvironmentRecord(id=EnvironmentId(identifier), **{**given, **more})


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "state")


def test_new_ledger_has_no_records(ledger):
    assert ledger.records() == []


def test_records_are_sorted_by_creation(ledger):
    late, early = record("aa", NOW + timedelta(hours=1)), record("bb", resources=(Created(kind="cluster", name="c"),))
    ledger.write(late)
    ledger.write(early)

    assert ledger.records() == [early, late]


def test_write_replaces_a_record(ledger):
    ledger.write(record())
    ledger.write(replace(record(), kept=True))

    assert [each.kept for each in ledger.records()] == [True]


def test_record_of_an_older_version_is_read_with_its_resources(ledger):
    directory = ledger.directory(EnvironmentId("3f2a9c41"))
    directory.mkdir(parents=True)
    made = [
        {"kind": "namespace", "name": "shop"},
        {"kind": "objects", "name": "lent"},
        {"kind": "release", "name": "shop/web"},
        {"kind": "container", "name": "ab12.registry.seatrial.dev"},
        {"kind": "cluster", "name": "it", "identity": "9a"},
    ]
    old = {
        "session": "3f2a9c41",
        "project": "/p",
        "command": "up",
        "provider": "kind",
        "cluster": "it",
        "created": "2026-01-31T15:45:01Z",
        "expires": "2026-02-01T15:45:01Z",
        "kept": True,
        "foreground": True,
        "namespace": "",
        "host": "",
        "made": made,
        "schema": 1,
    }
    (directory / "session.json").write_text(json.dumps(old))
    (found,) = ledger.records()

    assert found.id == "3f2a9c41"
    assert found.kept
    assert [(each.kind, each.name, each.identity) for each in found.resources] == [
        (each["kind"], each["name"], each.get("identity", "")) for each in made
    ]


def test_record_is_written_so_that_older_versions_can_read_it(ledger):
    ledger.write(record(resources=(Created(kind="cluster", name="c"),)))
    written = json.loads((ledger.directory(EnvironmentId("aa")) / "session.json").read_text())

    assert (written["session"], written["made"]) == ("aa", [{"kind": "cluster", "name": "c", "identity": ""}])


def test_records_of_another_schema_are_ignored(ledger):
    ledger.write(replace(record("new"), schema=99))
    broken = ledger.directory(EnvironmentId("broken"))
    broken.mkdir()
    (broken / "session.json").write_text("{")

    assert ledger.records() == []
    assert broken.exists()


def test_write_syncs_record_and_directories(ledger, monkeypatch):
    """What is lost at a power cut cannot be removed by the next command: data, then name, then the names of folders."""
    order = []
    fsync, rename = os.fsync, Path.replace

    def synced(descriptor):
        order.append(f"fsync {Path(f'/dev/fd/{descriptor}').readlink().name}")
        return fsync(descriptor)

    def renamed(path, target):
        order.append(f"rename {path.name} {Path(target).name}")
        assert path.read_bytes(), "written, not only buffered"
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    ledger.write(record())

    assert order == ["fsync session.json.new", "rename session.json.new session.json", "fsync aa", "fsync sessions"]


def test_failed_write_keeps_the_old_record(ledger, monkeypatch):
    ledger.write(record())

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.write(replace(record(), kept=True))
    assert [each.kept for each in ledger.records()] == [False]


def test_forget_deletes_the_directory(ledger):
    ledger.write(record())
    ledger.claim(EnvironmentId("aa"))
    ledger.forget(EnvironmentId("aa"))

    assert ledger.records() == []
    assert not ledger.directory(EnvironmentId("aa")).exists()


def test_state_directory_is_private(ledger):
    ledger.write(record())

    assert ledger.directory(EnvironmentId("aa")).stat().st_mode & 0o077 == 0


def test_claim_is_exclusive(ledger):
    other = Ledger(ledger.root)

    assert ledger.claim(EnvironmentId("aa"))
    assert ledger.claim(EnvironmentId("aa")), "it is ours already"
    assert not other.claim(EnvironmentId("aa"))
    ledger.release(EnvironmentId("aa"))
    assert other.claim(EnvironmentId("aa"))
    other.release(EnvironmentId("aa"))
    other.release(EnvironmentId("aa"))


def test_claim_of_a_dead_process_is_released(ledger):
    code = (
        "import sys; from pathlib import Path; from seatrial.adapters.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1])); assert ledger.claim('aa'); print('mine', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(ledger.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout.readline() == b"mine\n"
        assert not ledger.claim(EnvironmentId("aa"))
        owner.kill()
        owner.wait()
        assert ledger.claim(EnvironmentId("aa"))
    ledger.release(EnvironmentId("aa"))


def test_locked_is_exclusive(ledger):
    order = []
    inside = threading.Event()

    def second():
        with Ledger(ledger.root).locked():
            order.append("second")

    with ledger.locked():
        thread = threading.Thread(target=second)
        thread.start()
        inside.wait(0.1)
        order.append("first")
    thread.join(5)

    assert order == ["first", "second"]


def test_state_directory_follows_xdg_state_home():
    assert state_directory({"XDG_STATE_HOME": "/s"}) == Path("/s/seatrial")
    assert state_directory({"XDG_STATE_HOME": "s"}) == Path.home() / ".local/state/seatrial", "relative: to be ignored"
    assert state_directory({}) == Path.home() / ".local/state/seatrial"
