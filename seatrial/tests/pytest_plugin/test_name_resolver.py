"""Resolve service names on the host, for each client library that is installed.

The list is in docs/how-to/from-the-host.md.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

BY_NAME = {
    "urllib": "import urllib.request\nassert urllib.request.urlopen(URL, timeout=5).status == 200",
    "http.client": (
        "import http.client\nc = http.client.HTTPConnection('web', 18090, timeout=5)\nc.request('GET', '/')\n"
        "assert c.getresponse().read() == b'ok'\nc.close()"
    ),
    "urllib3": "import urllib3\nwith urllib3.PoolManager() as p:\n    assert p.request('GET', URL).status == 200",
    "requests": "import requests\nwith requests.Session() as s:\n    assert s.get(URL, timeout=5).status_code == 200",
    "httpx": "import httpx\nassert httpx.get(URL, timeout=5).status_code == 200",
    "httpx, async": (
        "import asyncio, httpx\nasync def go():\n    async with httpx.AsyncClient() as c:\n"
        "        return (await c.get(URL)).status_code\nassert asyncio.run(go()) == 200"
    ),
    "asyncio": (
        "import asyncio\nasync def go():\n    r, w = await asyncio.open_connection('web', 18090)\n"
        "    w.write(b'GET / HTTP/1.0\\r\\n\\r\\n')\n    line = await r.readline()\n    w.close()\n"
        "    await w.wait_closed()\n    return line\nassert b'200' in asyncio.run(go())"
    ),
    "boto3": (
        "import boto3\nfrom botocore.config import Config\n"
        "settings = Config(retries={'total_max_attempts': 1}, s3={'addressing_style': 'path'})\n"
        "s3 = boto3.client('s3', endpoint_url='http://web:18090', region_name='r', aws_access_key_id='a',"
        " aws_secret_access_key='b', config=settings)\n"
        "s3.head_bucket(Bucket='x')\ns3.close()"
    ),
    # The server is not a database and does not answer. An unresolved name is another error.
    "psycopg": (
        "import psycopg\ntry:\n    psycopg.connect('postgresql://a@web:18090/b', connect_timeout=2)\n"
        "except psycopg.errors.ConnectionTimeout:\n    pass"
    ),
}

BY_ENDPOINT = {
    "pyarrow S3": (
        "from pyarrow import fs\ndef connect(address):\n"
        "    s3 = fs.S3FileSystem(endpoint_override=address, scheme='http', region='r', access_key='a', secret_key='b',"
        " request_timeout=5, connect_timeout=5, retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1))\n"
        "    return s3.get_file_info('x').type\n"
    ),
    "grpc": (
        "import grpc\ndef connect(address):\n    with grpc.insecure_channel(address) as channel:\n"
        "        try:\n            channel.unary_unary('/a/b', lambda x: x, lambda x: x)(b'', timeout=5)\n"
        "        except grpc.RpcError as error:\n"
        "            said = error.details()\n"
        "            if 'resolution' in said or 'lookup' in said: raise OSError(said) from None\n"
        "            return said\n"
    ),
    "libpq": (
        "import psycopg2\ndef connect(address):\n    host, _, port = address.rpartition(':')\n"
        "    try:\n        psycopg2.connect(host=host, port=port, user='a', dbname='b', connect_timeout=2)\n"
        "    except psycopg2.OperationalError as error:\n        said = str(error)\n"
        "    if 'translate host name' in said: raise OSError(said)\n    return said\n"
    ),
    "a program": (
        "import subprocess, sys\ndef connect(address):\n"
        "    code = 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)'\n"
        "    done = subprocess.run([sys.executable, '-c', code, 'http://' + address], capture_output=True, text=True)\n"
        "    if done.returncode: raise OSError(done.stderr)\n    return 'ok'\n"
    ),
}


@pytest.fixture
def web(pods):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"ok")

        do_HEAD = do_GET  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        it.daemon_threads = True
        threading.Thread(target=it.serve_forever, args=(0.02,), daemon=True).start()
        pods.servers["web-1", 8080] = it.server_address[1]
        yield
        it.shutdown()


def indented(code):
    return "\n".join(f"    {line}" for line in code.splitlines())


def test_clients_connect_by_service_name(project, web):
    tests = [f"def test_{number}():\n{indented(code)}\n" for number, code in enumerate(BY_NAME.values())]
    project.write("URL = 'http://web:18090/'\n\n" + "\n".join(tests))

    assert f"{len(BY_NAME)} passed" in project.pytest("-W", "ignore")


def test_clients_that_connect_by_endpoint_only(project, web):
    """The name fails and the endpoint does not. If a library changes, the list in the docs has to change."""
    tests = [
        f"{code}\n{name} = connect\n"
        f"def test_{name}_by_name():\n    with pytest.raises(OSError):\n        {name}('web:18090')\n"
        f"def test_{name}_by_endpoint(service):\n    assert {name}(service('web', check=False).address)\n"
        for name, code in ((f"connect_{number}", code) for number, code in enumerate(BY_ENDPOINT.values()))
    ]
    project.write("import pytest\n" + "\n".join(tests))

    assert f"{2 * len(BY_ENDPOINT)} passed" in project.pytest("-W", "ignore")
