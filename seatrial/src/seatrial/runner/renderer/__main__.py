"""`python -m seatrial.runner.renderer FILE`: FILE holds the settings, stdin tells how far the logs have come."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seatrial.runner.renderer.host_session import run_host_session

__all__ = ["main"]


def main(settings: str) -> int:
    """Show the run that the file `settings` describes; return 0 if all of it was shown."""
    return run_host_session(json.loads(Path(settings).read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
