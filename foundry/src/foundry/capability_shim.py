"""Run runc with a request reduced to the capabilities that this machine can grant. An OCI runtime.

`--privileged` requests every capability that the kernel knows. If the engine's bounding set lacks one (in some virtual
machines and containers), runc fails with "unable to apply caps: operation not permitted". This program removes the
missing capabilities from the request, then executes runc.

The engine runs a copy of this file from its own folder, several times for each container start. The program therefore
uses the standard library only and imports little. Command lines and file formats:
https://github.com/opencontainers/runc/blob/v1.1.5/main.go and
https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config.md#linux-process
"""

# ruff: noqa: PTH105, PTH118, PTH123 - importing pathlib takes as long as all the rest of this program

import os
import sys

# Ordered by number: https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/capability.h
NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
RUNC = ("/usr/local/sbin/runc", "/usr/local/bin/runc", "/usr/sbin/runc", "/usr/bin/runc")
GLOBAL_OPTIONS_WITH_VALUE = ("--root", "--log", "--log-format", "--criu", "--rootless")


def missing(bounding: int, last: int) -> frozenset[str]:
    """Return the capabilities up to number `last` that a bounding set (a bit mask) lacks, as `CAP_…` names."""
    known = NAMES[: last + 1]
    return frozenset(f"CAP_{name}" for number, name in enumerate(known) if not bounding >> number & 1)


def without_capabilities(process: dict[str, object], unwanted: frozenset[str]) -> dict[str, object]:
    """Return an OCI process with the unwanted capabilities removed from its sets."""
    sets = process.get("capabilities")
    if not isinstance(sets, dict):
        return process
    kept = {name: [one for one in wanted if one not in unwanted] for name, wanted in sets.items() if wanted is not None}
    return {**process, "capabilities": kept}


def request(argv: list[str]) -> tuple[str, str]:
    """Find the file with the capabilities in a runc command line: ("bundle" | "process" | "", path)."""
    words = iter(argv)
    command = ""
    for word in words:
        if not word.startswith("-"):
            command = word
            break
        if word in GLOBAL_OPTIONS_WITH_VALUE:
            next(words, None)
    rest = list(words)
    if command in ("create", "run"):
        return "bundle", os.path.join(option(rest, "--bundle", "-b") or ".", "config.json")
    if command == "exec" and (path := option(rest, "--process", "-p")):
        return "process", path
    return "", ""


def option(words: list[str], long: str, short: str) -> str:
    """Return the value of an option, written `--name value`, `--name=value` or `-n value`; empty if absent."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in (long, short, long[1:]):
            return value if equals else (words[number + 1] if number + 1 < len(words) else "")
    return ""


def rewrite(kind: str, path: str, unwanted: frozenset[str]) -> None:
    """Remove capabilities from a bundle's configuration or a process file, atomically."""
    import json  # noqa: PLC0415 - most runtime calls need no JSON

    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if kind == "bundle":
        document["process"] = without_capabilities(document.get("process") or {}, unwanted)
    else:
        document = without_capabilities(document, unwanted)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.replace(temporary, path)


def bounding_set() -> tuple[int, int]:
    """Return this process's bounding set as a bit mask, and the number of the kernel's last capability."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        mask = next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd:"))
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as last:
        return mask, int(last.read())


def main() -> None:
    """Execute runc with a reduced request."""
    kind, path = request(sys.argv[1:])
    if kind:
        unwanted = missing(*bounding_set())
        if unwanted:
            rewrite(kind, path, unwanted)
    runc = next((program for program in RUNC if os.access(program, os.X_OK)), "runc")
    os.execvp(runc, ["runc", *sys.argv[1:]])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
