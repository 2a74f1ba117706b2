import os
import socket

import pytest
from shop import stock


def test_stock():
    assert stock("http://web:8080") == 42


def test_in_a_pod():
    assert os.environ["SEATRIAL_LOCATION"] == "pod"


def test_secret_arrives():
    assert os.environ["SHOP_PASSWORD"] == "sesame"


def test_full_name():
    assert socket.gethostbyname("web.shop.svc.cluster.local") == socket.gethostbyname("web")


@pytest.mark.parametrize("name", ["plain", "sp ace", "ümläut", "a/b::c[d]"])
def test_names(name):
    assert name
