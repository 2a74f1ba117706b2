"""The ledger: on disk before the fact, and it knows who lives."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from seatrial.adapters.ledger import Ledger, state_directory
from seatrial.model.names import SessionId
from seatrial.model.session import Made, Session

NOW = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)


def session(identifier="aa", at=NOW, **more):
    given = {"project": "/p", "command": "up", "provider": "kind", "cluster": "c", "created": at, "expires": at}
    return Session(session=SessionId(identifier), **{**given, **more})


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "state")


def test_empty(ledger):
    assert ledger.sessions() == []


def test_round_trip_in_order_of_their_making(ledger):
    late, early = session("aa", NOW + timedelta(hours=1)), session("bb", made=(Made(kind="cluster", name="c"),))
    ledger.write(late)
    ledger.write(early)

    assert ledger.sessions() == [early, late]


def test_rewriting(ledger):
    ledger.write(session())
    ledger.write(replace(session(), kept=True))

    assert [each.kept for each in ledger.sessions()] == [True]


def test_what_is_not_understood_is_left_alone(ledger):
    ledger.write(replace(session("new"), schema=99))
    broken = ledger.directory(SessionId("broken"))
    broken.mkdir()
    (broken / "session.json").write_text("{")

    assert ledger.sessions() == []
    assert broken.exists()


def test_a_record_is_on_disk_before_it_has_its_name_and_the_name_before_write_returns(ledger, monkeypatch):
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
    ledger.write(session())

    assert order == ["fsync session.json.new", "rename session.json.new session.json", "fsync aa", "fsync sessions"]


def test_a_write_that_fails_leaves_the_record_as_it_was(ledger, monkeypatch):
    ledger.write(session())

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.write(replace(session(), kept=True))
    assert [each.kept for each in ledger.sessions()] == [False]


def test_forgetting(ledger):
    ledger.write(session())
    ledger.claim(SessionId("aa"))
    ledger.forget(SessionId("aa"))

    assert ledger.sessions() == []
    assert not ledger.directory(SessionId("aa")).exists()


def test_state_is_private(ledger):
    ledger.write(session())

    assert ledger.directory(SessionId("aa")).stat().st_mode & 0o077 == 0


def test_one_owner_at_a_time(ledger):
    other = Ledger(ledger.root)

    assert ledger.claim(SessionId("aa"))
    assert ledger.claim(SessionId("aa")), "it is ours already"
    assert not other.claim(SessionId("aa"))
    ledger.release(SessionId("aa"))
    assert other.claim(SessionId("aa"))
    other.release(SessionId("aa"))
    other.release(SessionId("aa"))


def test_the_dead_own_nothing(ledger):
    code = (
        "import sys; from pathlib import Path; from seatrial.adapters.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1])); assert ledger.claim('aa'); print('mine', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(ledger.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout.readline() == b"mine\n"
        assert not ledger.claim(SessionId("aa"))
        owner.kill()
        owner.wait()
        assert ledger.claim(SessionId("aa"))
    ledger.release(SessionId("aa"))


def test_choosing_names_is_done_alone(ledger):
    order = []
    inside = threading.Event()

    def second():
        with Ledger(ledger.root).alone():
            order.append("second")

    with ledger.alone():
        thread = threading.Thread(target=second)
        thread.start()
        inside.wait(0.1)
        order.append("first")
    thread.join(5)

    assert order == ["first", "second"]


def test_state_directory():
    assert state_directory({"XDG_STATE_HOME": "/s"}) == Path("/s/seatrial")
    assert state_directory({"XDG_STATE_HOME": "s"}) == Path.home() / ".local/state/seatrial", "relative: to be ignored"
    assert state_directory({}) == Path.home() / ".local/state/seatrial"
