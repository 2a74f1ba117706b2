"""Test that Secrets reach containers as files and variables, and that no pod spec contains a secret value."""

import re

import pytest

pytestmark = pytest.mark.service("kubernetes")
SECRET = re.compile(r"PASSWORD|SECRET|CREDENTIAL|TOKEN", re.IGNORECASE)


def test_secret_is_mounted_as_file(client_report):
    assert client_report["file"] == "correct horse"


def test_secret_is_set_as_variable(client_report):
    assert client_report["environment"] == "correct horse"


@pytest.mark.service("polaris")
def test_catalog_signing_key_file_is_private(floe_pods):
    (pod, *_) = floe_pods("polaris")

    volumes = {volume.name: volume.secret for volume in pod.spec.volumes if volume.secret}
    mounts = {mount.mount_path: mount for mount in pod.spec.containers[0].volume_mounts}
    mount = mounts["/run/polaris/token-broker"]
    assert mount.read_only
    assert volumes[mount.name].secret_name == "polaris-token-broker"
    assert volumes[mount.name].default_mode == 0o440


def test_no_container_spec_has_plain_secret(floe_pods):
    found = [
        f"{pod.metadata.name} {variable.name}"
        for pod in floe_pods()
        for container in [*(pod.spec.init_containers or []), *pod.spec.containers]
        for variable in container.env or []
        if SECRET.search(variable.name) and variable.value is not None and variable.name not in PLAIN
    ]

    assert not found


# Names of settings that contain such a word but are not secret.
PLAIN = {"CATALOG_INCLUDE__CREDENTIALS"}
