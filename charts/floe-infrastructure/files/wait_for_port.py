"""Wait until a Service takes a connection, that is until one of its pods is ready: ``wait_for_port.py HOST PORT``.

A Service without a ready pod refuses connections, so that this asks the pods' readiness probes. Exit code 1 after four
minutes.
"""

from __future__ import annotations

import signal
import socket
import sys
import time

SECONDS = 240


def main(host: str, port: int) -> int:
    """Return 0 once `host`:`port` takes a connection, 1 if that does not happen in time."""
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
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # process 1 of a container ignores what it does not handle
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
