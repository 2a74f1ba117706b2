from __future__ import annotations

import pytest
from seatrial.pod.agent.wire import COLLECTED_MARK
from seatrial.runner.renderer.named_files import name_files


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"saved to {COLLECTED_MARK}/files/html/r.html\n", "saved to /home/my r.html\n"),
        (f"file://{COLLECTED_MARK}/files/html/r.html", "file:///home/my%20r.html"),
        (f"{COLLECTED_MARK}/files/x/y", "/runs/1/reports/x/y"),
        ("-" * 20 + f" {COLLECTED_MARK}/files/html/r.html " + "-" * 21, "-" * 12 + " /home/my r.html " + "-" * 12),
        (
            f"\x1b[32m=== {COLLECTED_MARK}/files/x/y ===\x1b[0m",
            "\x1b[32m========== /runs/1/reports/x/y ==========\x1b[0m",
        ),
        ("nothing", "nothing"),
    ],
    ids=["file", "address", "folder", "separator", "colored-separator", "nothing"],
)
def test_text_names_collected_files_by_their_host_paths(text: str, shown: str) -> None:
    paths = {"files/html/r.html": "/home/my r.html", "files/": "/runs/1/reports/"}

    assert name_files(text, paths, 41) == shown


def test_colored_title_keeps_its_colors() -> None:
    text = f"\x1b[1m--- {COLLECTED_MARK}/files/x ---\x1b[0m"

    assert name_files(text, {"files/": "/r/"}, 20) == "\x1b[1m------- /r/x -------\x1b[0m"


def test_title_that_is_wider_than_the_terminal_is_not_cut() -> None:
    assert name_files(f"- {COLLECTED_MARK}/files/x -", {"files/": "/a/long/path/"}, 5) == "- /a/long/path/x -"


def test_relative_host_path_is_not_made_an_address() -> None:
    """Only an absolute path can be a file URI."""
    assert name_files(f"file://{COLLECTED_MARK}/files/x", {"files/x": "out/x"}, 80) == "file://out/x"
