from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.marks import CONFTEST, lifetime_in


def test_marks_report_lifetime_of_process(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(f"from __future__ import annotations{CONFTEST}")
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")

    began = time.time()
    argv = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    ended = time.time()
    life = lifetime_in(done.stdout + done.stderr)

    # The kernel measures the start in hundredths of a second.
    assert began - 0.02 <= life.began < life.ended <= ended
    assert life.seconds == pytest.approx(life.ended - life.began)


@pytest.mark.parametrize(("text", "count"), [("", 0), ("benchmark: lived 1.0 2.0\n" * 2, 2)])
def test_lifetime_in_requires_exactly_one_report(text: str, count: int) -> None:
    with pytest.raises(ValueError, match=f"^{count} processes"):
        lifetime_in(text)
