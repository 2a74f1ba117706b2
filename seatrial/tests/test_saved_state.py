"""State files survive file names that are not UTF-8 and content that cannot be decoded."""

from __future__ import annotations

from seatrial.image_inputs.working_tree import Entry
from seatrial.saved_state import Installed, read, write


def test_entries_are_kept_as_they_are(tmp_path):
    entry = Entry("f", 0o644, 1, "x")
    write(tmp_path / "x.json", {"a\udcff": entry})

    assert read(tmp_path / "x.json", dict[str, Entry]) == {"a\udcff": entry}


def test_memory_that_is_not_understood_is_forgotten(tmp_path):
    path = tmp_path / "deep" / "it.json"
    installed = Installed(digest="d", revision=1, objects={}, targets=[("Pod", "shop", "p")])
    write(path, installed)
    assert read(path, Installed) == installed

    path.write_text('{"digest": 1}')
    assert read(path, Installed) is None
    assert read(tmp_path / "none", Installed) is None
