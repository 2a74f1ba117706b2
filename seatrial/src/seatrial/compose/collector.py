"""Write the logs of a Compose project's containers, and after a failure their descriptions, to the run directory."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from seatrial.model.errors import SeatrialError
from seatrial.model.redaction import HIDDEN, SECRETS
from seatrial.ports import ComposeProject, Object
from seatrial.readiness.container import container_name, service_of

__all__ = ["collect", "without_values"]

_READERS: Final = 4


def collect(
    compose: ComposeProject, containers: list[Object], run_dir: Path, *, since: int | None, bundle: Path | None
) -> dict[str, int]:
    """Write the log of each container to `logs/compose/SERVICE.log`, and `docker inspect` of all to `bundle`.

    The logs of a service with several containers are `SERVICE-NUMBER.log`. Each line begins with its time, as in the
    logs of a run in Kubernetes. Logs that cannot be read are left out.

    Args:
        compose: the project.
        containers: its containers.
        run_dir: directory of the run.
        since: seconds; older log lines are left out. None: all lines.
        bundle: directory for the descriptions; None: they are not written.

    Returns:
        Name of a container to the bytes of its log; without those that could not be read.
    """
    logs = run_dir / "logs" / "compose"
    logs.mkdir(parents=True, exist_ok=True)

    def write_log(container: Object) -> tuple[str, int] | None:
        name = container_name(container)
        try:
            text = compose.logs(name, since=since, timestamps=True)
        except SeatrialError:
            return None
        if text:
            service = service_of(container)
            if sum(service_of(each) == service for each in containers) > 1:
                service = f"{service}-{name.rpartition('-')[2]}"
            (logs / f"{service}.log").write_bytes(SECRETS.data(text))
        return name, len(text)

    with ThreadPoolExecutor(_READERS) as pool:
        read = dict(filter(None, pool.map(write_log, containers)))
    if bundle is not None:
        bundle.mkdir(parents=True, exist_ok=True)
        text = json.dumps([without_values(each) for each in containers], indent=1)
        (bundle / "containers.json").write_text(SECRETS.text(text))
    return read


def without_values(container: Object) -> Object:
    """Return `docker inspect` of a container with the values of its environment variables hidden."""
    config: dict[str, Any] = container.get("Config") or {}
    names = [str(each).partition("=")[0] for each in config.get("Env") or ()]
    return {**container, "Config": {**config, "Env": [f"{name}={HIDDEN}" for name in names]}}
