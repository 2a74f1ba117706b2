"""Why an image is not on a node."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.images import pull_failure
from seatrial.model.finding import ObjectRef

REF = ObjectRef(kind="Pod", name="web-1", namespace="shop", container="web")


@pytest.mark.parametrize(
    ("message", "cause", "detail"),
    [
        ("failed to resolve reference: shop/web:1: not found", "ImageNotFound", "the registry has no such image"),
        ("manifest unknown: manifest unknown", "ImageNotFound", "the registry has no such image"),
        ("failed to fetch oauth token: 401 Unauthorized", "ImageUnauthorized", "credentials"),
        ("no basic auth credentials", "ImageUnauthorized", "credentials"),
        (
            'failed to do request: Head "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host',
            "RegistryUnreachable", "lookup r on 10.0.0.1:53: no such host",
        ),
        ("net/http: TLS handshake timeout", "RegistryUnreachable", "the registry cannot be reached"),
        ("x509: certificate signed by unknown authority", "RegistryUnreachable", "the registry cannot be reached"),
        ("unexpected media type", "ImagePull", ""),
    ],
)  # fmt: skip
def test_message_of_the_runtime_decides_the_cause(message, cause, detail):
    found = pull_failure(REF, "shop/web:1", "ImagePullBackOff", message)

    assert (found.cause, found.evidence) == (cause, (message,))
    assert detail in found.message


def test_invalid_name_without_a_message_is_named():
    found = pull_failure(REF, "shop/Web:1", "InvalidImageName", "")

    assert (found.message, found.evidence) == ("image shop/Web:1 is not a valid image name", ())
