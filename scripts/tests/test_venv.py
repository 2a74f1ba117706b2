"""Test that `scripts/venv.sh` names missing packages and changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "venv.sh"

LACKS_VENV = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec {sys.executable} "$@"
"""
OLD = """#!/bin/sh
case "$*" in -V) echo Python 3.9.2 ;; *) exit 1 ;; esac
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (LACKS_VENV, "sudo apt-get install python3."),
        (OLD, "needs Python 3.11 or newer; 'python3' is Python 3.9.2"),
        ("", "'python3' is not installed. Install Python 3.11 or newer"),
    ],
)
def test_venv_script_without_usable_python_gives_hint(tmp_path, program, said):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")
    if program:
        (programs / "python3").write_text(program)
    for file in programs.iterdir():
        file.chmod(0o755)

    # The PATH has no apt-get, so that the test installs no package.
    argv = ["/bin/bash", SCRIPT, "python3"]
    done = subprocess.run(argv, cwd=tmp_path, env={"PATH": str(programs)}, capture_output=True, text=True, check=False)

    assert done.returncode == 4
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()
