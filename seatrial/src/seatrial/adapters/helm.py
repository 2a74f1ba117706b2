"""Run Helm 3.18 or newer, and Helm 4, through its command line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Object, Processes

__all__ = ["HelmCharts"]

_QUICK: Final = 30.0
_OLDEST: Final = (3, 18)
_LOOPBACK: Final = re.compile(r"oci://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?/")
_SELECTING: Final = ("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER")
"""Prefixes of variables that select another cluster, user, namespace or storage of releases for Helm."""


class HelmCharts:
    """Releases of one cluster.

    Args:
        processes: runs Helm.
        kubeconfig: of the cluster.
        context: in the kubeconfig.
        cwd: base of relative chart paths.
    """

    def __init__(self, processes: Processes, *, kubeconfig: Path, context: str, cwd: Path) -> None:
        self._processes = processes
        self._cluster = ["--kubeconfig", str(kubeconfig), "--kube-context", context]
        self._unfinished = kubeconfig.with_name("helm-unfinished")
        self._cwd = cwd
        self._prepared: set[Path] = set()
        self._version = ""

    def version(self) -> str:
        """Return Helm's version: `v4.3.1`.

        Raises:
            UsageError: Helm is not installed, or older than 3.18.
        """
        if not self._processes.find("helm"):
            raise UsageError(
                "helm is not on PATH", hint="install Helm 3.18 or newer: https://helm.sh/docs/intro/install/"
            )
        argv = ["helm", "version", "--template", "{{.Version}}"]
        done = self._processes.run(argv, deadline=Deadline.after(_QUICK), env=_environment())
        version = done.stdout.decode().strip()
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST:
            raise UsageError(
                f"helm {version} is not supported",
                reason="seatrial requires Helm 3.18 or newer",
                hint="upgrade Helm: https://helm.sh/docs/intro/install/",
            )
        self._version = version
        return version

    def prepare(self, release: ReleaseSpec, *, deadline: Deadline) -> None:
        """Download the dependencies of a chart of this project that are missing.

        Local dependencies (`file://…`) are packaged each time, because their archive may be older than their files.

        Raises:
            CommandFailed: the download failed.
            UsageError: Chart.yaml or Chart.lock cannot be read or is not YAML.
        """
        chart = self._cwd / release.chart
        if chart in self._prepared or not (chart / "Chart.yaml").is_file():
            return
        if _dependencies_missing(chart):
            how = "build" if (chart / "Chart.lock").is_file() else "update"
            self._processes.run(["helm", "dependency", how, str(chart)], deadline=deadline, env=_environment())
        self._prepared.add(chart)

    def render(self, release: ReleaseSpec, sets: Mapping[str, str], *, deadline: Deadline) -> list[Object]:
        """Return the objects of a release, including hooks, without a cluster.

        Raises:
            CommandFailed: the chart does not render; the reason is the last line of Helm.
        """
        import yaml  # noqa: PLC0415

        with _chart(release, sets) as chart:
            argv = ["helm", "template", release.name, *chart, "--namespace", release.namespace]
            done = self._processes.run(argv, deadline=deadline, cwd=self._cwd, env=_environment())
        documents = yaml.load_all(done.stdout, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return [document for document in documents if isinstance(document, dict) and document.get("kind")]

    def recover(self, release: ReleaseSpec, *, revision: int | None, deadline: Deadline) -> None:
        """Roll a pending release back to a revision; uninstall it if `revision` is None."""
        if revision is None:
            self._helm("uninstall", release.name, "--ignore-not-found", release=release, deadline=deadline)
        else:
            self._helm("rollback", release.name, str(revision), *self._force(), release=release, deadline=deadline)

    def install(
        self, release: ReleaseSpec, sets: Mapping[str, str], *, labels: Mapping[str, str], deadline: Deadline, log: Path
    ) -> None:
        """Install or upgrade a release, with labels on its release record. Waits for hooks, not for workloads.

        Raises:
            CommandFailed: Helm failed; the reason is its last line.
        """
        seconds = max(1, int(deadline.left))
        # Without values, an upgrade reuses those of the release: a removed value would stay.
        more = ["--reset-values", "--labels", ",".join(f"{key}={value}" for key, value in labels.items())]
        # By default Helm keeps ten revisions as Secrets, each with the whole chart.
        more += ["--history-max", "3", *self._force()]
        with _chart(release, sets) as chart:
            argv = ["upgrade", release.name, *chart, "--install", "--timeout", f"{seconds}s", *more]
            self._helm(*argv, release=release, deadline=deadline, log=log)

    def _force(self) -> list[str]:
        """Return the options that let Helm 4 overwrite fields of other field managers, as Helm 3 does.

        Without them, one `kubectl edit` makes every later upgrade fail with a field conflict.
        """
        version = self._version or self.version()
        return [] if version.startswith("v3.") else ["--server-side=true", "--force-conflicts"]

    def end_orphans(self) -> None:
        """Terminate a Helm process of a killed command: it would overwrite what the next command installs."""
        if self._unfinished.exists():
            self._processes.end_orphans("helm", self._cluster[1])
            self._unfinished.unlink(missing_ok=True)

    def _helm(self, *argv: str, release: ReleaseSpec, deadline: Deadline, log: Path | None = None) -> None:
        self._unfinished.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._unfinished.touch()
        try:
            self._processes.run(
                ["helm", *argv, "--namespace", release.namespace, *self._cluster],
                deadline=deadline,
                cwd=self._cwd,
                env=_environment(),
                log=log,
            )
        finally:
            # A killed command does not get here, and its Helm process keeps running.
            self._unfinished.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Return empty values for the variables in `_SELECTING`: Helm treats an empty variable as unset."""
    return {name: "" for name in os.environ if name.startswith(_SELECTING)}


def _dependencies_missing(chart: Path) -> bool:
    lock = chart / "Chart.lock"
    locked = _yaml(lock if lock.is_file() else chart / "Chart.yaml")
    return not all(_has(chart, entry) for entry in locked.get("dependencies") or ())


def _has(chart: Path, entry: Mapping[str, Any]) -> bool:
    """Whether the `charts` folder has the current version of a dependency."""
    name, charts = str(entry.get("name", "")), chart / "charts"
    if (charts / name).is_dir():
        return True
    if str(entry.get("repository", "")).startswith("file://"):
        return False
    return any(charts.glob(f"{name}-{entry.get('version', '*')}.tgz"))


def _yaml(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read {path}", reason=" ".join(str(error).split())) from error
    return found if isinstance(found, dict) else {}


@contextmanager
def _chart(release: ReleaseSpec, sets: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the arguments for a chart and its values.

    Text values may be secrets, and process arguments are visible on the machine. So they are passed in files that only
    this user can read. `--set-file` has precedence over `--set-json`, whatever their order.
    """
    argv = [release.chart]
    if release.repository:
        argv += ["--repo", release.repository]
    if release.version:
        argv += ["--version", release.version]
    if _LOOPBACK.match(release.chart):
        # Like Docker: a registry on loopback has no TLS.
        argv.append("--plain-http")
    for path in release.values:
        argv += ["--values", str(path)]
    with TemporaryDirectory(prefix="seatrial-helm-") as directory:
        for number, (key, value) in enumerate({**release.set, **sets}.items()):
            if isinstance(value, str):
                file = Path(directory) / str(number)
                file.write_bytes(value.encode())
                argv += ["--set-file", f"{key}={file}"]
            else:
                argv += ["--set-json", f"{key}={json.dumps(value)}"]
        yield argv
