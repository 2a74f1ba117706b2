"""Objects in a bundle contain no values of environment variables and no copies of the objects as they were sent."""

from __future__ import annotations

from seatrial.collection.redacted_objects import without_secrets

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_values_of_variables_are_hidden_and_references_kept():
    reference = {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    pod = {"spec": {"containers": [{"name": "c", "env": [{"name": "PASSWORD", "value": "x"}, reference]}]}}
    redacted = without_secrets(pod)["spec"]["containers"][0]

    assert redacted == {"name": "c", "env": [{"name": "PASSWORD", "value": "***"}, reference]}


def test_copy_of_the_sent_object_is_hidden():
    redacted = without_secrets({"metadata": {"annotations": {LAST_APPLIED: '{"password": "x"}', "other": "kept"}}})

    assert redacted == {"metadata": {"annotations": {LAST_APPLIED: "***", "other": "kept"}}}
