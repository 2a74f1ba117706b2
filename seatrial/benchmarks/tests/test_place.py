from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from benchmarks.place import Place


def is_free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_waiting_releases_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    place = Place(lock=lock)

    with place.alone():
        assert not is_free(lock)
        with place.waiting():
            assert is_free(lock)
        assert not is_free(lock)
    assert is_free(lock)


def test_copy_replaces_earlier_copy(tmp_path: Path) -> None:
    source = tmp_path / "project"
    (source / "tests" / "__pycache__").mkdir(parents=True)
    (source / "tests" / "test_it.py").write_text("")
    (source / "Dockerfile").write_text("FROM scratch")
    (source / "secret").write_text("")
    place = Place(work=tmp_path / "work")
    (place.folder("it") / "left").mkdir(parents=True)

    folder = place.copy("it", source, ("Dockerfile", "tests"))

    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "Dockerfile",
        "tests",
        "tests/test_it.py",
    ]


def test_shell_ignores_user_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    place = Place(work=tmp_path)

    env = place.shell("it").env

    assert env["SEATRIAL_CLUSTER_NAME"] == "seatrial-benchmark-it"
    assert env["KUBECONFIG"] == str(tmp_path / "kubeconfig")
    assert not {"PYTEST_CURRENT_TEST", "PYTHONDONTWRITEBYTECODE"} & env.keys()


@pytest.mark.parametrize(("ids", "deleted"), [(("", "b"), []), (("a", "a"), []), (("a", "b"), ["rmi a"])])
def test_image_that_lost_its_name_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: tuple[str, str], deleted: list[str]
) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$1" = image ] && cat {tmp_path}/id || echo "$@" >> {tmp_path}/log\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    (tmp_path / "id").write_text(ids[0])

    with Place(work=tmp_path).deleting_replaced_image():
        (tmp_path / "id").write_text(ids[1])

    log = tmp_path / "log"
    assert (log.read_text().splitlines() if log.exists() else []) == deleted
