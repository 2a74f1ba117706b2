from __future__ import annotations

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.spec import Project, RunnerSpec
from seatrial.runner.sent_places import sent_places


def places(root, *before, sync=("tests", "src/")):
    return sent_places(Project(root=root, runner=RunnerSpec(image="t:1", sync=sync)), before)


def test_existing_folders_follow_those_that_were_sent_before(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "src").mkdir()

    assert places(tmp_path, "old") == ("old", "tests", "src")


def test_folder_that_does_not_exist_is_left_out(tmp_path):
    assert places(tmp_path) == ()


def test_file_is_a_usage_error(tmp_path):
    (tmp_path / "tests").write_text("")

    with pytest.raises(UsageError, match="names tests, which is a file"):
        places(tmp_path)


def test_link_is_a_usage_error(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "tests").symlink_to("real")

    with pytest.raises(UsageError, match="which is a symbolic link"):
        places(tmp_path)
