"""Build the services of the runner for a Compose file. Pure.

They correspond to the containers of the runner pod. Service `RUNNER` waits for requests and runs them. Service
`RUNNER-keeper` outlives it and mounts the same volumes, so the reports and files of the tests survive it. Service
`RUNNER-seed` runs first: it gives the volumes to the user of the tests and copies the synced folders of the image to
them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial.compose.project_file import escaped
from seatrial.model.errors import UsageError
from seatrial.model.quantity import bytes_of, cores_of
from seatrial.model.spec import ComposeSpec, RunnerSpec
from seatrial.pod.agent.wire import AGENT_DIRECTORY, DEFAULT_STATE_DIRECTORY, SEED_DIRECTORY, STATE_VARIABLE
from seatrial.pod.fixtures.location import LOCATION_VARIABLE
from seatrial.ports import LocalImage, Object
from seatrial.runner.agent_files import agent_argv

__all__ = ["DIGEST", "RunnerInputs", "keeper_of", "own_services", "runner_services", "seed_of", "variables_of"]

DIGEST: Final = "seatrial.dev/digest"
"""Label of the runner's containers: digest over everything that they were created from."""

_USER: Final = 1000
_SMALL: Final = 256 << 20
"""Bytes of memory for the keeper: coverage.py makes a report there when container `tests` was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInputs:
    """Inputs of the runner that are not in its configuration.

    Attributes:
        image: its reference on the engine.
        local: the image on the engine; None: Compose pulls it.
        agent: directory with the agent's files on the host, mounted read-only.
        agent_digest: digest of these files.
        directories: folders below the working directory that changed files may be sent to.
        generation: changes when the runner has to be created again from the same inputs.
    """

    image: str
    local: LocalImage | None
    agent: Path
    agent_digest: str
    directories: tuple[str, ...]
    generation: int = 0


def keeper_of(runner: str) -> str:
    """Return the name of the keeper's service."""
    return f"{runner}-keeper"


def seed_of(runner: str) -> str:
    """Return the name of the service that fills the volumes of the tests."""
    return f"{runner}-seed"


def own_services(runner: str) -> tuple[str, ...]:
    """Return the names of the services that seatrial adds to a project."""
    return runner, keeper_of(runner), seed_of(runner)


def runner_services(spec: RunnerSpec, compose: ComposeSpec, inputs: RunnerInputs) -> Object:
    """Return `services` and `volumes` of the runner.

    Raises:
        UsageError: a variable has no value in Compose, or a limit is not a quantity.
    """
    variables = variables_of(spec, compose)
    user, local = _numeric_user(inputs.local), inputs.local
    workdir = spec.workdir or (local.workdir if local else "") or "/"
    base: dict[str, Any] = {
        "image": inputs.image,
        "pull_policy": "missing",
        "working_dir": workdir,
        "command": [],
        "restart": "no",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "1s",
    }
    agent = {"type": "bind", "source": str(inputs.agent), "target": AGENT_DIRECTORY, "read_only": True}
    environment = {
        LOCATION_VARIABLE: "compose",
        STATE_VARIABLE: DEFAULT_STATE_DIRECTORY,
        "HOME": DEFAULT_STATE_DIRECTORY,
    }
    limits = {"memory": "", "cpu": "", **spec.resources.limits}
    tests: dict[str, Any] = {
        **base,
        "hostname": spec.pod,
        "user": f"{user}:{user}",
        "entrypoint": [*agent_argv("serve")],
        "environment": {name: escaped(value) for name, value in {**environment, **variables}.items()},
        **({"mem_limit": str(bytes_of(limits["memory"]))} if limits["memory"] else {}),
        **({"cpus": cores_of(limits["cpu"])} if limits["cpu"] else {}),
    }
    seeds = [*agent_argv("seed-as", str(user), SEED_DIRECTORY, *inputs.directories)]
    # Volumes of another runner have its files: each runner gets new ones.
    digest = hashlib.sha256(
        json.dumps(
            [tests, seeds, local.digest if local else "", inputs.agent_digest, inputs.generation], sort_keys=True
        ).encode()
    ).hexdigest()
    state = f"{spec.pod}-{digest[:8]}"
    trees = {directory: f"{state}-{index}" for index, directory in enumerate(inputs.directories)}
    mounts = [agent, _volume(state, DEFAULT_STATE_DIRECTORY)]

    def tree(read_only: bool) -> list[Object]:
        return [
            {**_volume(volume, f"{workdir.rstrip('/')}/{directory}"), **({"read_only": True} if read_only else {})}
            for directory, volume in trees.items()
        ]

    labels, after = {DIGEST: digest}, {seed_of(spec.pod): {"condition": "service_completed_successfully"}}
    return {
        "services": {
            seed_of(spec.pod): {
                **base,
                "user": "0:0",
                "cap_add": ["CHOWN", "SETGID", "SETUID"],
                "entrypoint": seeds,
                "environment": environment,
                "volumes": [
                    *mounts,
                    *(_volume(volume, f"{SEED_DIRECTORY}/{directory}") for directory, volume in trees.items()),
                ],
                "labels": labels,
            },
            spec.pod: {**tests, "volumes": [*mounts, *tree(read_only=False)], "labels": labels, "depends_on": after},
            keeper_of(spec.pod): {
                **base,
                "user": f"{user}:{user}",
                "entrypoint": [*agent_argv("keep")],
                "environment": environment,
                "volumes": [*mounts, *tree(read_only=True)],
                "mem_limit": str(_SMALL),
                "labels": labels,
                "depends_on": after,
            },
        },
        "volumes": {volume: {} for volume in (state, *trees.values())},
    }


def variables_of(spec: RunnerSpec, compose: ComposeSpec) -> Mapping[str, str]:
    """Return the variables of the tests.

    Raises:
        UsageError: a variable that comes from an object of the cluster has no value in Compose.
    """
    found = {**spec.values, **compose.env}
    if missing := sorted(spec.references.keys() - found.keys()):
        raise UsageError(
            f"variable {missing[0]} of the tests has no value in Compose",
            reason="runner.env-from takes it from an object of the cluster",
            hint=f'add {missing[0]} = "…" to [compose.env]',
        )
    return found


def _volume(name: str, target: str) -> Object:
    # Docker fills an empty volume with the files of the image, whose owner may be another user.
    return {"type": "volume", "source": name, "target": target, "volume": {"nocopy": True}}


def _numeric_user(image: LocalImage | None) -> int:
    """Return the user of the image if it is a number other than 0, and else the default user."""
    user = image.user.partition(":")[0] if image else ""
    return int(user) if user.isdigit() and int(user) else _USER
