"""Serve HTTP on 8080: `server.py [LATE_SECONDS]`. In its first life, GET /well fails with 500 after three seconds."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LIVED = Path("/state/lived")
SICK_AFTER_SECONDS = 3.0


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        sick = self.path == "/well" and not again and time.monotonic() - began > SICK_AFTER_SECONDS
        self.send_response(500 if sick else 404 if self.path == "/never" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


began = time.monotonic()
again = LIVED.exists()
LIVED.touch()
time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
server = ThreadingHTTPServer(("", 8080), Answers)
print("listening", flush=True)
server.serve_forever()
