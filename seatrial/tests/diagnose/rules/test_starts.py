"""Why a container cannot be created or started."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.starts import cannot_start, start_error


def pod(**container):
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", **container}]},
    }


def test_missing_secret_of_env_from_is_named():
    found = cannot_start(
        pod(envFrom=[{"secretRef": {"name": "login"}}]), "web", "CreateContainerConfigError", 'secret "login" not found'
    )

    assert found.message.endswith("Secret login does not exist (needed by envFrom)")
    assert found.hint == "create Secret login before the pod, or correct its name"


def test_missing_key_without_a_variable_is_named():
    message = "couldn't find key b in ConfigMap shop/settings"
    found = cannot_start(pod(), "web", "CreateContainerConfigError", message)

    assert found.message.endswith("ConfigMap settings has no key b")
    assert "kubectl -n shop describe configmap settings" in found.hint


def test_unknown_problem_of_the_configuration_is_quoted():
    found = cannot_start(pod(), "web", "CreateContainerConfigError", 'failed to prepare subPath for volumeMount "data"')

    assert (found.cause, "failed to prepare subPath" in found.message) == ("CreateContainerConfigError", True)


def test_failed_hook_without_a_specification_is_named():
    found = cannot_start(pod(), "web", "PostStartHookError", "PostStartHook failed")

    assert found.message == "the postStart hook of container web failed"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('runc create failed: exec: "webb": executable file not found in $PATH', "CommandNotFound"),
        ('exec: "/app": stat /app: no such file or directory', "CommandNotFound"),
        ('exec: "/app": permission denied', "CommandNotFound"),
        ('exec: "/app": exec format error', "ExecFormatError"),
        ("runc create failed: error mounting: not a directory", "StartError"),
    ],
)
def test_message_of_the_runtime_decides_why_a_process_did_not_start(message, cause):
    assert start_error(pod(), "web", message).cause == cause
