"""Wait until a Service accepts a connection, i.e. until one of its pods is ready: ``wait_for_port.py HOST PORT``.

A Service without a ready pod refuses connections, so this checks the readiness probes. Exits 1 after four minutes.
"""

from __future__ import annotations

import signal
import socket
import sys
import time

SECONDS = 240


def main(host: str, port: int) -> int:
    """Return 0 once `host`:`port` accepts a connection, 1 on timeout."""
    deadline = time.monotonic() + SECONDS
    said = ""
    while True:
        try:
            with socket.create_connection((host, port), timeout=2):
                return 0
        except OSError as error:
            why = f"waiting for {host}:{port}: {error}"
        if why != said:
            print(why, flush=True)
            said = why
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.2)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # process 1 of a container ignores unhandled signals
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
