"""Secrets reach containers as files and as environment, and nothing secret is written into a pod's description."""

import re

import pytest

pytestmark = pytest.mark.service("kubernetes")
SECRET = re.compile(r"PASSWORD|SECRET|CREDENTIAL|TOKEN", re.IGNORECASE)


def test_a_secret_as_a_file(said):
    assert said["file"] == "correct horse"


def test_a_secret_as_environment(said):
    assert said["environment"] == "correct horse"


@pytest.mark.service("polaris")
def test_the_catalogs_signing_key_is_a_file_that_others_may_not_read(floe_pods):
    (pod, *_) = floe_pods("polaris")

    volumes = {volume.name: volume.secret for volume in pod.spec.volumes if volume.secret}
    mounts = {mount.mount_path: mount for mount in pod.spec.containers[0].volume_mounts}
    mount = mounts["/run/polaris/token-broker"]
    assert mount.read_only
    assert volumes[mount.name].secret_name == "polaris-token-broker"
    assert volumes[mount.name].default_mode == 0o440


def test_no_container_has_a_secret_in_plain_sight(floe_pods):
    found = [
        f"{pod.metadata.name} {variable.name}"
        for pod in floe_pods()
        for container in [*(pod.spec.init_containers or []), *pod.spec.containers]
        for variable in container.env or []
        if SECRET.search(variable.name) and variable.value is not None and variable.name not in PLAIN
    ]

    assert not found


# Names of settings that speak of secrets and are none.
PLAIN = {"CATALOG_INCLUDE__CREDENTIALS"}
