"""What a run is told: names of the seed, places, and the few choices its caller has."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flow.errors import USAGE, Failure

NAMESPACE = "floe"
RELEASE = "floe-infra"
IMAGE = "floe-test"
POD = "test-runner"

HELP = """\
All tests inside an ephemeral kind cluster: create it, build the test image, bring the images to the nodes, install the
chart, wait until it is ready, run pytest in a pod, fetch the results into .seatrial/runs/latest, remove everything.
junit.xml and coverage.xml are in test-results/, too.

  run-all-tests.sh                                        the whole suite
  run-all-tests.sh -- uv run pytest tests/ -k s3          another command in the pod
  KEEP=on-failure run-all-tests.sh                        the cluster stays if anything fails; KEEP=always: in any case
  run-all-tests.sh --reuse                                tests again in the cluster that stayed; images are built anew
  run-all-tests.sh --down                                 remove the cluster that stayed

exit codes: 0 passed, 1 tests failed, 2 to 5 as pytest, 4 also: something was wrong before anything was created,
10 the environment failed, 11 out of time, 12 passed without proof, 130 interrupted"""


class Keep(StrEnum):
    """When the cluster outlives the run."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run."""

    root: Path
    cluster: str
    kind_config: Path
    values: tuple[Path, ...]
    command: tuple[str, ...]
    keep: Keep
    reuse: bool
    down: bool
    state: Path
    registry_data: Path
    run: Path

    @property
    def chart(self) -> Path:
        """The chart that production installs."""
        return self.root / "charts" / "floe-infrastructure"

    @property
    def gate(self) -> Path:
        """Pods on every node that are ready once names resolve and nodes reach each other."""
        return self.root / "testing" / "k8s" / "manifests" / "network-check.yaml"

    @property
    def runner(self) -> Path:
        """The pod that runs the tests."""
        return self.root / "testing" / "k8s" / "test-runner.yaml"

    @property
    def reports(self) -> Path:
        """Where the reports of the last run are, too."""
        return self.root / "test-results"

    @property
    def kubeconfig(self) -> Path:
        """The run's own; nobody's default context is touched."""
        return self.state / f"{self.cluster}.kubeconfig"

    @property
    def registry(self) -> str:
        """The name of the container that serves images to the nodes."""
        return f"{self.cluster}-registry"


def parse(arguments: Sequence[str], environment: Mapping[str, str], root: Path) -> Settings:
    """Read the command line and the environment.

    `CLUSTER_NAME` and `KIND_CONFIG` are for a second cluster beside the usual one: host ports belong to one at a time.

    Raises:
        Failure: KEEP or a file is wrong. A wrong command line ends the process with 2's text and exit code 4.
    """
    parser = _Parser(prog="run-all-tests.sh", usage=HELP, add_help=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--values", action="append", default=[], type=Path)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--down", action="store_true")
    parser.add_argument("command", nargs="*")
    told = parser.parse_args(arguments)
    if told.help:
        print(HELP)
        raise SystemExit(0)
    try:
        keep = Keep(environment.get("KEEP") or Keep.NEVER)
    except ValueError:
        raise Failure(
            f"KEEP={environment['KEEP']} means nothing", hint=f"one of {', '.join(Keep)}", code=USAGE
        ) from None
    generated = root / ".foundry" / "values-images.yaml"
    values = [root / "testing" / "k8s" / "values-test.yaml", *([generated] if generated.exists() else []), *told.values]
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    state = Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "floe"
    settings = Settings(
        root=root,
        cluster=environment.get("CLUSTER_NAME") or "floe-test",
        kind_config=Path(environment.get("KIND_CONFIG") or root / "testing" / "k8s" / "kind-config.yaml"),
        values=tuple(values),
        command=tuple(told.command),
        keep=Keep.ALWAYS if told.reuse else keep,
        reuse=told.reuse,
        down=told.down,
        state=state,
        registry_data=cache / "floe" / "registry",
        run=root / ".seatrial" / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}",
    )
    for path in (settings.kind_config, settings.chart, settings.gate, settings.runner, *settings.values):
        if not path.exists():
            raise Failure(f"{path} is not there", code=USAGE)
    return settings


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise Failure(f"run-all-tests.sh: {message}", hint="run-all-tests.sh --help", code=USAGE)
