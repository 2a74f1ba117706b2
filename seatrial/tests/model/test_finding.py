from __future__ import annotations

from seatrial.model.finding import ObjectRef


def test_object_reference_is_written_as_by_kubectl_with_its_container() -> None:
    assert str(ObjectRef(kind="Pod", name="web-0", namespace="shop")) == "pod/web-0"
    assert str(ObjectRef(kind="StatefulSet", name="db", container="sql")) == "statefulset/db container sql"
