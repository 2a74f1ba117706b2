"""`python -m seatrial.inpod.replay FILE`: FILE holds the settings, stdin tells how far the logs have come."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seatrial.inpod.replay.show import show

if __name__ == "__main__":
    sys.exit(show(json.loads(Path(sys.argv[1]).read_text())))
