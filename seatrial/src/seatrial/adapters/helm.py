"""Helm 3.18 and later, and 4, by its command line."""

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
_ELSEWHERE: Final = ("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER")
"""How variables begin that lead Helm to another cluster, user, namespace or store of releases."""


class HelmCharts:
    """Releases of one cluster.

    Args:
        kubeconfig: of the cluster.
        context: the context in it.
        cwd: where chart paths that are not absolute start.
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
            UsageError: there is no Helm, or one too old.
        """
        if not self._processes.find("helm"):
            raise UsageError(
                "helm is not on PATH", hint="install Helm 3.18 or newer: https://helm.sh/docs/intro/install/"
            )
        argv = ["helm", "version", "--template", "{{.Version}}"]
        done = self._processes.run(argv, deadline=Deadline.after(_QUICK), env=_only_ours())
        version = done.stdout.decode().strip()
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST:
            raise UsageError(f"helm {version} is too old", hint="install Helm 3.18 or newer")
        self._version = version
        return version

    def prepare(self, release: ReleaseSpec, *, deadline: Deadline) -> None:
        """Fetch what a chart of this project depends on, unless it is there already.

        Dependencies in this project (`file://…`) are packed each time: their archive does not follow their files.

        Raises:
            CommandFailed: Helm cannot have them.
            UsageError: Chart.yaml or Chart.lock is not YAML.
        """
        chart = self._cwd / release.chart
        if chart in self._prepared or not (chart / "Chart.yaml").is_file():
            return
        if _dependencies_missing(chart):
            how = "build" if (chart / "Chart.lock").is_file() else "update"
            self._processes.run(["helm", "dependency", how, str(chart)], deadline=deadline, env=_only_ours())
        self._prepared.add(chart)

    def render(self, release: ReleaseSpec, sets: Mapping[str, str], *, deadline: Deadline) -> list[Object]:
        """Return the objects that a release would make, hooks too, without a cluster.

        Raises:
            CommandFailed: the chart does not render; Helm says why.
        """
        import yaml  # noqa: PLC0415

        with _chart(release, sets) as chart:
            argv = ["helm", "template", release.name, *chart, "--namespace", release.namespace]
            done = self._processes.run(argv, deadline=deadline, cwd=self._cwd, env=_only_ours())
        documents = yaml.load_all(done.stdout, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return [document for document in documents if isinstance(document, dict) and document.get("kind")]

    def recover(self, release: ReleaseSpec, *, good: int | None, deadline: Deadline) -> None:
        """Take back what a killed run left pending: to revision `good`, or away altogether if there never was one."""
        if good is None:
            self._helm("uninstall", release.name, "--ignore-not-found", release=release, deadline=deadline)
        else:
            self._helm("rollback", release.name, str(good), *self._force(), release=release, deadline=deadline)

    def install(
        self, release: ReleaseSpec, sets: Mapping[str, str], *, labels: Mapping[str, str], deadline: Deadline, log: Path
    ) -> None:
        """Install or upgrade a release, with labels on Helm's own record of it. Hooks are awaited, the rest is not.

        Raises:
            CommandFailed: Helm failed; its last line is the reason.
        """
        seconds = max(1, int(deadline.left))
        # An upgrade that is given no values takes over those of the release: a value taken away would stay.
        more = ["--reset-values", "--labels", ",".join(f"{key}={value}" for key, value in labels.items())]
        # Without a limit Helm keeps ten revisions as Secrets, each with the whole chart.
        more += ["--history-max", "3", *self._force()]
        with _chart(release, sets) as chart:
            argv = ["upgrade", release.name, *chart, "--install", "--timeout", f"{seconds}s", *more]
            self._helm(*argv, release=release, deadline=deadline, log=log)

    def _force(self) -> list[str]:
        """Return what makes Helm 4 take fields back that somebody edited by hand, as Helm 3 does without a word.

        Without it, one `kubectl edit` makes every further upgrade fail with a field conflict.
        """
        version = self._version or self.version()
        return [] if version.startswith("v3.") else ["--server-side=true", "--force-conflicts"]

    def end_left_behind(self) -> None:
        """End the Helm that a killed command left running: it would overwrite what the next command installs."""
        if self._unfinished.exists():
            self._processes.end_left_behind("helm", self._cluster[1])
            self._unfinished.unlink(missing_ok=True)

    def _helm(self, *argv: str, release: ReleaseSpec, deadline: Deadline, log: Path | None = None) -> None:
        self._unfinished.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._unfinished.touch()
        try:
            self._processes.run(
                ["helm", *argv, "--namespace", release.namespace, *self._cluster],
                deadline=deadline,
                cwd=self._cwd,
                env=_only_ours(),
                log=log,
            )
        finally:
            # Not reached by a command that is killed: its Helm lives on.
            self._unfinished.unlink(missing_ok=True)


def _only_ours() -> dict[str, str]:
    """Return variables that take back those of the user that lead Helm elsewhere: to Helm, empty ones are not set."""
    return {name: "" for name in os.environ if name.startswith(_ELSEWHERE)}


def _dependencies_missing(chart: Path) -> bool:
    lock = chart / "Chart.lock"
    locked = _yaml(lock if lock.is_file() else chart / "Chart.yaml")
    return not all(_has(chart, entry) for entry in locked.get("dependencies") or ())


def _has(chart: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a chart has a dependency, as it is now."""
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
    """Yield the arguments that say which chart with which values.

    Texts may be secrets, and the arguments of a program are no secret on its machine: they go by files that only this
    user can read. `--set-file` takes precedence over `--set-json` whatever their order, as `--set-string` did.
    """
    argv = [release.chart]
    if release.repository:
        argv += ["--repo", release.repository]
    if release.version:
        argv += ["--version", release.version]
    if _LOOPBACK.match(release.chart):
        # As Docker does: a registry on this machine has no TLS.
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
