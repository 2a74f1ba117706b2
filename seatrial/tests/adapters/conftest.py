"""A Kubernetes API that serves, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from seatrial.adapters.api_streams import ApiStreams
from seatrial.adapters.kube_api import KubeApi

from .fake_api import FakeApi, serving


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def kube(api):
    with serving(api) as access:
        client = KubeApi(access)
        yield client
        client.close()


@pytest.fixture
def streams(kube: KubeApi) -> Iterator[ApiStreams]:
    made = kube.streams()
    yield made
    made.close()
