"""`python -m fuzz.run [--seconds N] [TARGET …]` in seatrial/tests: feed targets with mutated bytes for some time.

With the package atheris in reach, mutations follow the coverage of the code; without, they are
random changes of the seeds, with a fixed beginning. Input that breaks a promise is written to a file and named.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz.targets import SEEDS, TARGETS

_PIECES = (
    b"\0", b"\xff" * 8, b"\n", b"[", b"]", b"{", b"}", b'"', b",", b"\\u001b", b"\\ud800", b"\\", b"null", b"-1",
    b"1e999", b"99999999999999999999", b"..", b"/", b"../", b"GNU.sparse.major=1\n", b"path=", b"size=", b"x", b"g",
    b"L", b"K", b"S", b"1", b"2", b"77777777777\0", b"\x80" + b"\0" * 11, b"::error::", b"##[", b"NaN",
)  # fmt: skip


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Return a seed with some changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(data) + 1)
        end = min(len(data), place + rng.choice((0, 0, 1, 4, 12, 100, 512)))
        piece = rng.choice((rng.choice(_PIECES), rng.choice(_PIECES) * rng.randrange(300), rng.randbytes(4), b""))
        other = rng.choice(seeds)
        if rng.random() < 0.1:
            begin = rng.randrange(len(other))
            piece = other[begin : begin + rng.randrange(600)]
        data[place:end] = piece
    if data[257:262] == b"ustar" and rng.random() < 0.8:
        _correct_checksums(data)
    return bytes(data)


def _correct_checksums(data: bytearray) -> None:
    """Let the headers of an archive be ones: with a wrong checksum nothing behind it is read."""
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])


def fuzz(name: str, seconds: float, start: int = 0) -> int:
    """Run a target until the time is over; return how often."""
    target, seeds = TARGETS[name], list(SEEDS[name]())
    for seed in seeds:
        target(seed)
    until, number = time.monotonic() + seconds, start
    while time.monotonic() < until:
        data = mutated(random.Random(number), seeds)  # to be repeated, not to be secret
        try:
            target(data)
        except BaseException:
            with tempfile.NamedTemporaryFile(prefix=f"seatrial-fuzz-{name}-", delete=False) as file:
                file.write(data)
            print(f"{name}: input {number} breaks a promise: {file.name}", file=sys.stderr)
            raise
        number += 1
    return number - start


def guided(name: str, seconds: float) -> None:
    """Run a target by atheris, which ends the process."""
    atheris: Any = importlib.import_module("atheris")
    for module in ("tarfile", *(each for each in sys.modules if each.startswith(("seatrial.pod", "seatrial.runner")))):
        for value in vars(sys.modules[module]).values():
            if getattr(value, "__module__", "") == module and callable(value) and hasattr(value, "__code__"):
                atheris.instrument_func(value)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[name]()):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", "-max_len=16384", corpus], TARGETS[name])
        atheris.Fuzz()


def main() -> int:
    """Read the command line; run each target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=" or ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target")
    parser.add_argument("--start", type=int, default=0, help="number of the first random input")
    parser.add_argument("--guided", action="store_true", help="by atheris")
    args = parser.parse_args()
    for name in args.targets or list(TARGETS):
        if args.guided:
            # It ends its process.
            code = f"import sys; from fuzz.run import guided; guided({name!r}, {args.seconds})"
            done = subprocess.run([sys.executable, "-c", code], check=False)
            if done.returncode:
                return done.returncode
        else:
            print(f"{name}: {fuzz(name, args.seconds, args.start)} inputs kept all promises", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
