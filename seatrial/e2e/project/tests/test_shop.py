import os
import socket
from pathlib import Path

import pytest
from shop import stock


def test_stock():
    assert stock("http://web:8080") == 42


def test_in_a_pod():
    assert os.environ["SEATRIAL_LOCATION"] == "pod"


def test_secret_arrives():
    assert os.environ["SHOP_PASSWORD"] == "sesame"


def test_full_name():
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    place = next(line.split()[1] for line in lines if line.startswith("search "))
    assert place.endswith(".svc.cluster.local")
    assert socket.gethostbyname(f"web.{place}") == socket.gethostbyname("web")


@pytest.mark.parametrize("name", ["plain", "sp ace", "ümläut", "a/b::c[d]"])
def test_names(name):
    assert name
