"""Measure blame on one kept cluster: `make check-blame`.

60 causes are planted while a test of each runs, by kubectl and docker alone. Then 200 tests fail by their own fault
while unrelated pods restart. The check fails if fewer than 57 causes are named, one is put on the wrong class, or an
honest failure is blamed on the cluster, or if a cause is named while the recorder is switched off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from blame_mechanisms import MECHANISMS, Target

PROJECT: Final = Path(__file__).parent / "blame_project"
CACHE: Final = Path(
    os.environ.get("FOUNDRY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foundry"
)
ENVIRONMENT: Final = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SEATRIAL_")},
    "PATH": f"{CACHE / 'bin'}{os.pathsep}{os.environ['PATH']}",
}
NAMED_AT_LEAST: Final = 57
HONEST: Final = 200
BATCH: Final = 12
"""Causes that one session of pytest meets."""

SAVED: Final = PROJECT / ".seatrial" / "check-blame.json"


@dataclass
class Verdict:
    """What seatrial said of one test.

    Attributes:
        observed: what Kubernetes showed, by kubectl.
    """

    name: str
    observed: str
    expected: str
    said: str
    fault: str
    right: bool
    wrong_class: bool


def seatrial(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "-C", str(PROJECT), *argv], env=ENVIRONMENT, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise SystemExit(f"seatrial {' '.join(argv)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def events(process: subprocess.Popen[bytes], started: float) -> Iterator[dict[str, Any]]:
    """Yield the events of the run that a process started, as they are written."""
    latest = PROJECT / ".seatrial" / "runs" / "latest"
    while not ((latest / "events.jsonl").exists() and (latest / "events.jsonl").stat().st_ctime >= started):
        if process.poll() is not None:
            return
        time.sleep(0.05)
    with (latest.resolve() / "events.jsonl").open() as file:
        rest = ""
        while True:
            ended = process.poll() is not None
            rest += file.read()
            *lines, rest = rest.split("\n")
            for line in lines:
                yield json.loads(line)["body"]
            if ended:
                return
            time.sleep(0.03)


class Planter:
    """Plants and repairs causes when the events of a run say that their tests start and end."""

    def __init__(self, api: str, stacks: dict[str, str]) -> None:
        self.api = api
        self.stacks = stacks
        self.observed: dict[str, str] = {}
        self.problems: list[str] = []
        self.targets: dict[tuple[str, str], Target] = {}
        for stack in sorted(set(stacks.values())):
            for name in ("web", "db"):
                target = self.targets[stack, name] = Target(f"stack-{stack}", name, api)
                target.remember()
                target.delete_rules()

    def follow(self, argv: tuple[str, ...], extra: dict[str, str]) -> dict[str, Any]:
        """Run tests, plant what they wait for, and return result.json."""
        log = (PROJECT / ".seatrial" / "check-blame.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "seatrial", "-C", str(PROJECT), *argv], env=ENVIRONMENT | extra, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        threads = []
        for body in events(process, time.time()):
            nodeid = body.get("nodeid", "")
            if "test_planted[" not in nodeid:
                continue
            name = nodeid.partition("[")[2].rstrip("]")
            kind, outcome = body["body"], body.get("outcome")
            work = None
            if kind == "TestStarted":
                work = self.plant
            elif kind == "TestReported" and body["when"] == "call":
                work = self.heal
            if work is not None:
                threads.append(threading.Thread(target=self.guarded, args=(work, name, outcome)))
                threads[-1].start()
        process.wait()
        for thread in threads:
            thread.join()
        return json.loads((PROJECT / ".seatrial" / "runs" / "latest" / "result.json").read_text())

    def guarded(self, work: Any, name: str, outcome: str) -> None:
        try:
            work(name, outcome)
        except Exception as error:  # noqa: BLE001 - printed with the table
            self.problems.append(f"{name}: {work.__name__}: {error}")

    def parts(self, name: str) -> tuple[Any, Target]:
        mechanism, _, where = name.rpartition("-")
        return MECHANISMS[mechanism], self.targets[self.stacks[name], where]

    def plant(self, name: str, _outcome: str) -> None:
        mechanism, target = self.parts(name)
        # After the test's first answers.
        time.sleep(0.5)
        target.ask("/heal")
        mechanism.plant(target)

    def heal(self, name: str, _outcome: str) -> None:
        mechanism, target = self.parts(name)
        # A repair at once would be one more problem at the time of the failure, and hide the first from the kubelet.
        time.sleep(4)
        self.observed[name] = mechanism.observed(target)
        mechanism.heal(target)
        target.restore()
        target.ask("/break?what=repaired")


def judge(name: str, blame: dict[str, Any] | None, observed: str) -> Verdict:
    """Compare what seatrial said with what was done."""
    mechanism = MECHANISMS[name.rpartition("-")[0]]
    causes = (blame or {}).get("causes") or [{}]
    first = causes[0]
    proven = first.get("word") == "caused by"
    cause = (first.get("finding") or {}).get("cause", "")
    fault = (blame or {}).get("fault", "test")
    right = proven and cause in mechanism.causes and fault == mechanism.fault
    expected = f"{mechanism.fault}: {' or '.join(mechanism.causes)}"
    said = f"{first.get('word', 'nothing')} {first.get('fault', '')}: {first.get('service', '')} {cause}".strip(": ")
    return Verdict(name, observed, expected, said, fault, right, proven and fault != mechanism.fault)


class Noise:
    """Restarts pods that no test asks, one every other second."""

    def __init__(self, api: str) -> None:
        self.targets = [Target(f"stack-{stack}", "noise", api) for stack in "abc"]
        self.stop = threading.Event()
        self.restarts = 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def run(self) -> None:
        while not self.stop.wait(2):
            target = self.targets[self.restarts % 3]
            if self.restarts % 2:
                target.delete_pod()
            else:
                target.ask("/break?what=exit3")
            self.restarts += 1


def table(planted: list[Verdict]) -> str:
    words = ("NO", "yes")
    rows = [
        f"| {each.name} | {each.observed[:70].strip()} | {each.expected} | {each.said} | {words[each.right]} |"
        for each in planted
    ]
    return "\n".join(
        ["| planted | Kubernetes shows | expected | seatrial says | right |", "| --- | --- | --- | --- | --- |", *rows]
    )


@dataclass(frozen=True)
class Result:
    """What the check measured.

    Attributes:
        planted: the verdicts on planted causes.
        failed: number of honest failures.
        blamed: honest failures that were blamed on the cluster.
        coincidences: honest failures with a problem that coincided.
        restarted: unrelated pods that were restarted during these.
        unrecorded: causes that were named with the recorder switched off.
    """

    planted: list[Verdict]
    failed: int = 0
    blamed: int = 0
    coincidences: int = 0
    restarted: int = 0
    unrecorded: int = 0

    def passed(self, *, honest: bool) -> bool:
        right = sum(each.right for each in self.planted)
        enough = right >= min(NAMED_AT_LEAST, len(self.planted)) and not any(each.wrong_class for each in self.planted)
        return enough and not self.unrecorded and (not honest or (self.failed == HONEST and not self.blamed))

    def summary(self) -> str:
        right, wrong = sum(each.right for each in self.planted), sum(each.wrong_class for each in self.planted)
        return (
            f"{right} of {len(self.planted)} planted causes named, {wrong} on the wrong class. {self.blamed} of"
            f" {self.failed} honest failures blamed on the cluster, {self.coincidences} with a coincidence, while"
            f" {self.restarted} unrelated pods restarted. {self.unrecorded} causes named without the recorder."
        )


def unrecorded() -> dict[str, str]:
    """Return variables that switch the recorder off, by replacing one method when Python starts."""
    folder = PROJECT / ".seatrial" / "no-recorder"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "from seatrial.stages.context import Ctx\nCtx.record_cluster = lambda self: None\n"
    )
    return {"PYTHONPATH": str(folder)}


def plant(planter: Planter, names: list[str], extra: dict[str, str], *options: str) -> list[Verdict]:
    """Run the tests of planted causes, and judge what seatrial says of them."""
    ids = [f"tests/test_stack_{planter.stacks[name]}.py::test_planted[{name}]" for name in names]
    result = planter.follow(("test", *options, *ids), extra) if names else {"blame": []}
    blames = {each["nodeid"].partition("[")[2].partition("]")[0]: each for each in result["blame"]}
    return [judge(name, blames.get(name), planter.observed.get(name, "")) for name in names]


def honest_failures(planter: Planter) -> dict[str, int]:
    """Run the tests that fail by their own fault, and count what is blamed."""
    with Noise(planter.api) as noise:
        result = planter.follow(("test", "tests/test_honest.py"), {})
    return {
        "failed": result["counts"]["failed"],
        "blamed": sum(each["fault"] != "test" for each in result["blame"]),
        "coincidences": sum(bool(each["causes"]) for each in result["blame"]),
        "restarted": noise.restarts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", default="", help="only planted causes whose names contain this")
    parser.add_argument("--no-honest", action="store_true", help="skip the honest failures")
    parser.add_argument("--no-recorder", action="store_true", help="switch the recorder off: the check must fail")
    parser.add_argument("--output", type=Path, help="page whose table is replaced")
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted check measured")
    parser.add_argument("--keep", action="store_true", help="keep the cluster")
    asked = parser.parse_args()
    began = time.monotonic()
    sys.path.insert(0, str(PROJECT / "tests"))
    from plants import plants  # noqa: PLC0415

    stacks = {f"{name}-{target}": stack for stack, name, target, _ in plants()}
    wanted = [name for name in stacks if re.search(asked.k, name)]
    shutil.rmtree(PROJECT / ".seatrial" / "runs", ignore_errors=True)
    seatrial("up")
    env = ENVIRONMENT | json.loads(seatrial("env", "--json").stdout)
    with subprocess.Popen(["kubectl", "proxy", "--port=0"], env=env, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            port = proxy.stdout.readline().rpartition(":")[2].strip()
            return check(Planter(f"http://127.0.0.1:{port}", stacks), asked, wanted, began)
        finally:
            proxy.terminate()


def check(planter: Planter, asked: argparse.Namespace, wanted: list[str], began: float) -> int:
    """Plant all that is wanted, measure, and return the exit code.

    What is measured is saved after each session of pytest. `--resume` measures only the rest.
    """
    saved: dict[str, Any] = {"planted": {}, "honest": {}, "unrecorded": None, "seconds": 0}
    if asked.resume and SAVED.exists():
        saved = json.loads(SAVED.read_text())
    extra = unrecorded() if asked.no_recorder else {}
    missing = [name for name in wanted if name not in saved["planted"]]

    def save() -> None:
        nonlocal began
        now = time.monotonic()
        saved["seconds"], began = saved["seconds"] + now - began, now
        SAVED.write_text(json.dumps(saved, indent=1))

    together = [name for name in missing if planter.stacks[name] != "d"]
    alone = [name for name in missing if planter.stacks[name] == "d"]
    for names in (
        *(together[start : start + BATCH] for start in range(0, len(together), BATCH)),
        *([n] for n in alone),
    ):
        options = ("-n3", "--dist=loadfile") if len(names) > 1 else ()
        saved["planted"] |= {each.name: asdict(each) for each in plant(planter, names, extra, *options)}
        save()
    if not (asked.no_honest or saved["honest"]):
        saved["honest"] = honest_failures(planter)
        save()
    if not asked.k and saved["unrecorded"] is None:
        saved["unrecorded"] = sum(each.right for each in plant(planter, wanted[:2], unrecorded()))
        save()
    verdicts = [Verdict(**saved["planted"][name]) for name in wanted]
    result = Result(verdicts, **saved["honest"], unrecorded=saved["unrecorded"] or 0)
    took = f"{saved['seconds']:.0f} s on {machine()}, commit {commit()}."
    print(table(verdicts), result.summary(), took, *planter.problems, sep="\n")
    if asked.output and not asked.k:
        write(asked.output, f"{result.summary()} {took}\n\n{table(verdicts)}")
    if not asked.keep:
        seatrial("down")
    return 0 if result.passed(honest=not asked.no_honest) else 1


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}"


def commit() -> str:
    argv = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def write(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    before, mark, rest = page.read_text().partition("<!-- measured -->\n")
    _, end, after = rest.partition("<!-- end -->")
    page.write_text(f"{before}{mark}\n{text}\n\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
