"""Example runner pods, as objects."""

from __future__ import annotations

from seatrial.model.spec import RunnerSpec
from seatrial.ports import LocalImage
from seatrial.runner_pod.manifest import PodInputs, runner_objects

SPEC = RunnerSpec(
    image="t",
    namespace="shop",
    env={"A": "1"},
    env_from={"P": "secret/db/password", "C": "configmap/c/k", "N": "namespace"},
)
LOCAL = LocalImage(reference="t:1", digest="sha256:a", size=1, labels={}, workdir="/app", env={}, user="1001:0")


def pod_inputs(**more):
    given = {"image": "t:1", "digest": "sha256:m", "local": LOCAL, "agent": {"agent.py": "1"}}
    return PodInputs(**{**given, "directories": ("tests",), "labels": {"seatrial.dev/owner": "seatrial"}, **more})


def objects(spec=SPEC, **more):
    return {obj["kind"]: obj for obj in runner_objects(spec, pod_inputs(**more))}


def pod(spec=SPEC, **more):
    return objects(spec, **more)["Pod"]


def container(name, spec=SPEC, **more):
    return next(each for each in pod(spec, **more)["spec"]["containers"] if each["name"] == name)
