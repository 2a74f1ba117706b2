"""Records of a pytest session, as the agent writes them."""

from __future__ import annotations

from typing import Any

SESSION: list[Any] = [
    "session",
    {
        "options": {"verbose": 0}, "ini": {}, "terminal": True, "verbatim": False, "showfspath": None,
        "rootdir": "/app", "directory": "/app", "platform": "platform pod", "workers": False,
        "ci": False,
    },
]  # fmt: skip
"""The record of a session with all options that the renderer reads."""


def loud(number: int, size: int) -> list[Any]:
    """Return the records of a passed test with `size` times its number as output."""
    name = f"test_a.py::test_{number}"
    report = {"nodeid": name, "location": ["test_a.py", number, name], "keywords": {}, "outcome": "passed",
              "longrepr": None, "when": "call", "user_properties": [], "duration": 0.1, "start": 1.0, "stop": 1.1,
              "sections": [["Captured stdout call", str(number) * size]], "$report_type": "TestReport"}  # fmt: skip
    return [["s", f"{name}\0test_a.py\0{name}", number], ["report", report], ["f", name]]


RECORDS: list[list[Any]] = [
    SESSION,
    ["session", {**SESSION[1], "options": {"verbose": 1, "capture": "no", "tbstyle": "long"},
                 "ini": {"console_output_style": "count", "junit_family": "xunit1"}}],
    *loud(1, 3),
    ["collected", 2, 2, [[["<A>", "a.py::x", "doc"]]], ["line"]],
    ["warning", {"text": "w", "category": "UserWarning", "module": "m", "filename": "/etc/hostname", "lineno": 1,
                 "line": "", "suffix": "", "when": "runtest", "nodeid": "a", "location": ["a", 1, "b"]}],
    ["report", {"nodeid": "a", "outcome": "failed", "when": "call", "location": ["a", 1, "b"], "keywords": {},
                "longrepr": "boom", "sections": [["Captured", {"$blob": 1}]], "$report_type": "TestReport",
                "user_properties": [["a", "b"]], "duration": 0.1, "start": 1.0, "stop": 1.1}],
    ["blob", 1, "text"], ["text", "text", 0, 0], ["text", "text", 2, None], ["header", ["h"]], ["collecting"],
    ["collect", {"nodeid": "a", "outcome": "failed", "longrepr": "x", "result": None, "sections": [],
                 "$report_type": "CollectReport"}, 3],
    ["deselected", 3], ["verbose", 3], ["count", 3, 3], ["worker", "gw0", {"id": "gw0"}], ["debugger"],
    ["property", "a", "b"], ["attribute", "a", "b", "c"], ["imports", {"a": ["b", "c"]}], ["looped"],
    ["interrupt", {"type": "Exit", "text": "x", "path": "a", "line": 1, "message": "m"}], ["internal", "x"],
    ["o", 3], ["finishing", 1, "", ""],
    ["end", {"frames": 1, "exit": 0, "collected": 1, "collect_only": False, "tally": {}, "seconds": 1.0}],
]  # fmt: skip
"""Records of all kinds."""
