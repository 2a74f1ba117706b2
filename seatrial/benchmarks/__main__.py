"""Measure scenarios, print a table, and write the samples to a file: `python -m benchmarks [SCENARIO …]`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import compare, machine, table
from benchmarks.commands import Failed, Shell
from benchmarks.place import Place
from benchmarks.scenarios import Scenario, Side, cold, compose, fail, layer, tag, test
from benchmarks.values import Measured, Report, Sample

_SCENARIOS = {each.SCENARIO.name: each.SCENARIO for each in (cold, test, compose, layer, fail, tag)}
_EPILOG = """\
examples:
  python -m benchmarks                     measure all scenarios
  python -m benchmarks layer tag           measure some of them
  python -m benchmarks cold --rounds 5     take more samples of each side
  python -m benchmarks --show FILE …       show the tables of earlier measurements

The benchmarks use copies of the projects in ~/.cache/seatrial-benchmarks and clusters named seatrial-benchmark-*. They
delete them at the end. The next start deletes leftovers of a killed one. Exit code 1: a measurement failed. A missed
goal is reported and is not a failure."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurements and return the exit code."""
    asked = _arguments(argv)
    if asked.show:
        show = table.markdown if asked.markdown else table.render
        for path in asked.show:
            print(show(msgspec.json.decode(path.read_bytes(), type=Report)))
        return 0
    # Handle SIGTERM like Ctrl-C. A shell's background process ignores SIGINT, and its children inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    place = Place(lock=asked.lock)
    chosen = [_SCENARIOS[name] for name in dict.fromkeys(asked.scenarios or _SCENARIOS)]
    try:
        place.remove_all()
        try:
            whole = _measure_all(chosen, place, asked)
        finally:
            _say("deleting benchmark resources")
            place.remove_all()
    except (Failed, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0 if whole else 1


def _measure_all(chosen: Sequence[Scenario], place: Place, asked: argparse.Namespace) -> bool:
    """Measure scenarios; return whether all succeeded.

    After a failed scenario, the next one is measured. The file is rewritten after each scenario.
    """
    started, shell = machine.now(), place.shell()
    where, commit = machine.describe(shell), machine.commit_of(Shell(place.root, shell.env))
    file: Path = asked.json or place.work / f"{started:%Y%m%d-%H%M%S}.json"
    done: tuple[Measured, ...] = ()
    for scenario in chosen:
        try:
            with place.alone():
                done = (*done, _measure(scenario, place, asked.rounds or scenario.rounds))
        except (Failed, ValueError, TimeoutError, OSError) as error:
            print(f"{scenario.name}: not measured: {error}", file=sys.stderr, flush=True)
            place.keep_evidence(scenario.name)
            place.remove_all()
            continue
        report = Report(started=started, commit=commit, machine=where, scenarios=done)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
        print("\n".join(table.scenario_lines(done[-1])), end="\n\n", flush=True)
    print("\n".join(table.machine_lines(where)))
    print(f"written to {file}", flush=True)
    return len(done) == len(chosen)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the speed of seatrial against the commands that it replaces on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"one of {', '.join(_SCENARIOS)}; default: all"
    )
    parser.add_argument("--rounds", type=_positive, metavar="N", help="number of samples of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="output file of the samples")
    parser.add_argument(
        "--lock",
        type=Path,
        metavar="FILE",
        help="hold a lock on this file (as flock(1) does), except while waiting for a timeout",
    )
    parser.add_argument("--show", type=Path, nargs="+", metavar="FILE", help="print the tables of these files")
    parser.add_argument("--markdown", action="store_true", help="with --show: print a Markdown table")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.scenarios if name not in _SCENARIOS]:
        parser.error(f"unknown scenario {', '.join(unknown)}; known: {', '.join(_SCENARIOS)}")
    return asked


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _measure(scenario: Scenario, place: Place, rounds: int) -> Measured:
    """Take all samples of a scenario, alternating between the sides."""
    _say(f"{scenario.name}: setting up")
    samples: list[Sample] = []
    with scenario.sides(place) as sides:
        order = compare.schedule([side.enough for side in sides], rounds)
        for count, (number, index) in enumerate(order, 1):
            with place.deleting_replaced_image():
                samples.append(_sample(sides[index], number))
            took = ", ".join(f"{figure} {seconds:.2f} s" for figure, seconds in samples[-1].seconds.items())
            _say(f"{scenario.name}: {count} of {len(order)}: {samples[-1].side}: {took}")
    return Measured(
        scenario=scenario.name,
        title=scenario.title,
        sides=tuple(side.info for side in sides),
        goals=scenario.goals,
        samples=tuple(samples),
    )


def _sample(side: Side, number: int) -> Sample:
    machine.settle()
    load = machine.load()
    taken = side.take()
    parts = {name: round(seconds, 3) for name, seconds in taken.parts.items()}
    seconds = {figure: round(value, 3) for figure, value in taken.seconds.items()}
    return Sample(side=side.info.name, round=number, seconds=seconds, parts=parts, load=load)


def _say(text: str) -> None:
    print(f"{machine.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
