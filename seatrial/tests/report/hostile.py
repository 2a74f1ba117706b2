"""Texts that try to break out of a page, and a run in which every text that a pod decides is one of them."""

from __future__ import annotations

from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import ImageUsed, Problem

from .run_directories import Case, RunDirectory

MARKER = "seatrialowned"
ATTACKS = (
    f"</script><script>window.{MARKER}=1</script>",
    f'"><img src=x onerror="window.{MARKER}=1">',
    f"' onmouseover='window.{MARKER}=1' x='",
    f"</style><style>*{{display:none}}</style><svg onload=window.{MARKER}=1>",
    f"javascript:window.{MARKER}=1",
    f"{{{{ cycler.__init__.__globals__ }}}}{{% raw %}}<!--<script>{MARKER}",
    "\u202egnp.exe\u2066\u200b\x00\x07\x1b]0;title\x07\x9b31m\u2028",
    "]]>&lt;script&gt;&#x3c;",
    "../../../../etc/passwd",
    f"`</details><h1>{MARKER}</h1>` **bold** [link](javascript:alert(1)) | cell",
)


def hostile_run() -> RunDirectory:
    """Return a run with hostile names, messages, output, logs, findings and images."""
    tests = [
        Case(
            f"tests/{attack}.py::test_{attack}[{attack}]",
            "failed" if number % 2 else "skipped",
            start=number * 0.3,
            services=(attack.replace(" ", "_"),),
            lines=[f">   {attack}", f"E   {attack}", f"E       - {attack}"],
            message=attack,
            reason=attack,
            worker=attack,
            sections=[(attack, attack * 3)],
        )
        for number, attack in enumerate(ATTACKS)
    ]
    everything = " ".join(ATTACKS)
    finding = Finding(
        cause="Odd",
        subject=ObjectRef(kind="Pod", name=everything),
        message=everything,
        evidence=ATTACKS,
        hint=everything,
    )
    log = "\n".join(f"2026-01-31T15:45:4{number}.{number}00Z ERROR {attack}" for number, attack in enumerate(ATTACKS))
    return RunDirectory(
        tests=tests,
        verdict=everything,
        problem=Problem(message=everything, reason=everything, hint=everything, log=everything),
        findings=(finding,),
        warnings=ATTACKS,
        logs={f"default/web-0/{MARKER}\"'><b>.log": log},
        images=tuple(ImageUsed(reference=a, digest=a, stands_in_for=a) for a in ATTACKS),
    )
