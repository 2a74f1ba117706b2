"""Pods that run an older image, or whose pull failed before a push, are recreated."""

from __future__ import annotations

import pytest
from fakes import FakeKube
from seatrial.images.outdated_pods import recreate_outdated_pods, retry_failed_pulls, stale_images
from seatrial.model.errors import EnvironmentFailed


def db_pod(name, image="base:1", image_id="", owned=True, **status):
    meta = {"name": name, "namespace": "shop", "uid": name}
    if owned:
        meta["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    containers = [{"name": "c", "imageID": image_id, **status}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "c", "image": image}]},
        "status": {"phase": "Running" if image_id else "Pending", "containerStatuses": containers},
    }


DELIVERED = {"base:1": "sha256:new"}


def waiting(image, reason, **more):
    return db_pod("db-0", image, state={"waiting": {"reason": reason}}, **more)


class TestRetryFailedPulls:
    @pytest.mark.parametrize(
        ("image", "reason", "owned", "recreated"),
        [
            ("base:1", "ImagePullBackOff", True, True),
            ("docker.io/library/base:1@sha256:aa", "ErrImagePull", True, True),
            ("base:1", "ContainerCreating", True, False),
            ("base:1", "CrashLoopBackOff", True, False),
            ("base:2", "ImagePullBackOff", True, False),
            ("base:1", "ImagePullBackOff", False, False),
        ],
    )
    def test_pod_is_recreated_if_its_image_was_pushed_since(self, image, reason, owned, recreated):
        kube, warnings = FakeKube(waiting(image, reason, owned=owned)), []
        retry_failed_pulls(kube, ["shop"], {"base:1"}, warnings.append)

        assert (kube.get("v1/Pod", "db-0", "shop") is None) is recreated
        assert bool(warnings) is recreated

    def test_no_pod_is_listed_if_nothing_was_pushed(self):
        kube = FakeKube()
        kube.objects = None  # type: ignore[assignment]
        retry_failed_pulls(kube, ["shop"], set(), print)


class TestRecreateOutdatedPods:
    def test_pod_with_an_older_image_is_deleted_once(self):
        old = db_pod("db-0", image_id="docker.io/library/base@sha256:old")
        kube, warnings = FakeKube(old, db_pod("db-1", image_id="docker.io/library/base@sha256:new")), []

        assert recreate_outdated_pods(kube, ["shop"], DELIVERED, warnings.append)
        assert kube.deleted == [("v1/Pod", "shop", "db-0")]
        assert warnings == ["pod db-0 runs an older image base:1; recreating it"]
        assert not recreate_outdated_pods(kube, ["shop"], DELIVERED, warnings.append)

    def test_pod_without_a_controller_is_an_error(self):
        kube = FakeKube(db_pod("lone", image_id="docker.io/library/base@sha256:old", owned=False))

        with pytest.raises(EnvironmentFailed, match="pod lone runs an older image"):
            recreate_outdated_pods(kube, ["shop"], DELIVERED, print)


@pytest.mark.parametrize(
    ("image", "image_id", "stale"),
    [
        ("web:1", "docker.io/library/web@sha256:old", ["web:1"]),
        ("web:1", "docker.io/library/web@sha256:new", []),
        ("web:1", "sha256:imported", []),
        ("other:1", "x@sha256:old", []),
    ],
)
def test_image_is_stale_if_another_digest_was_delivered_under_its_name(image, image_id, stale):
    delivered = {"docker.io/library/web:1": "sha256:new"}

    assert list(stale_images(db_pod("web", image, image_id), delivered)) == stale


def test_images_of_a_pod_that_ended_are_not_stale():
    pod = db_pod("web", "web:1", "x@sha256:old")
    pod["status"]["phase"] = "Succeeded"

    assert list(stale_images(pod, {"web:1": "sha256:new"})) == []
