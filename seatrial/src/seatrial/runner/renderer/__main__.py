"""Run the renderer: `python -m seatrial.runner.renderer FILE`, with settings in FILE and sizes of the logs on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seatrial.runner.renderer.rendering_session import run_host_session

__all__ = ["main"]


def main(settings: str) -> int:
    """Show the run of the settings file; return 0 if it was shown completely."""
    return run_host_session(json.loads(Path(settings).read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
