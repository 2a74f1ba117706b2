"""Keep the stock; listen some seconds after the start, as a database does."""

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

DATA = json.loads(Path("/files/data.json").read_text())
START = 2
HELD = b"x" * (20 << 20)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(DATA["stock"]).encode())

    def log_message(self, *args):
        pass


time.sleep(START)
print("started", flush=True)
HTTPServer(("", 9000), Handler).serve_forever()
