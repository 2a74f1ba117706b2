from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from benchmarks.table import markdown, render
from benchmarks.values import OURS, Figure, Goal, Machine, Measured, Report, Sample, SideInfo

REPORT = Report(
    started=datetime(2026, 1, 31, 15, 45, tzinfo=UTC),
    commit="0123abc",
    machine=Machine(
        cpus=2,
        cpu="Some CPU",
        memory=24 << 30,
        system="Debian GNU/Linux 12",
        kernel="Linux 6.1",
        versions={"Docker": "20.10.24", "kind": "0.33.0"},
    ),
    scenarios=(
        Measured(
            scenario="cold",
            title="nothing there, everything gone",
            sides=(SideInfo(name=OURS, commands=("seatrial run",)), SideInfo(name="plain", commands=("kind", "helm"))),
            goals=(
                Goal(figure=Figure.WHOLE, times=1 / 2.5, peer="plain"),
                Goal(figure=Figure.AFTER, seconds=1.0),
                Goal(figure=Figure.NAMED, seconds=3.0),
            ),
            samples=(
                Sample(side=OURS, round=0, seconds={Figure.WHOLE: 40.0, Figure.AFTER: 1.25}, load=0.5),
                Sample(side="plain", round=0, seconds={Figure.WHOLE: 120.0}, load=2.0),
                Sample(side=OURS, round=1, seconds={Figure.WHOLE: 44.0, Figure.AFTER: 1.35}, load=1.0),
                Sample(side="plain", round=1, seconds={Figure.WHOLE: 110.0}, load=1.0),
            ),
        ),
    ),
)

EXPECTED = """\
2 CPUs (Some CPU), 24 GiB, Debian GNU/Linux 12, Linux 6.1
Docker 20.10.24, kind 0.33.0
2026-01-31 15:45 UTC, commit 0123abc

cold: nothing there, everything gone
  from start to end
    seatrial     42.0 s  (40.0 to 44.0, 2 times)
    plain       115.0 s  (110.0 to 120.0, 2 times)         x 2.8 (2.5 to 3.0)
  from pytest's end to the end
    seatrial     1.30 s  (1.25 to 1.35, 2 times)
  met     from start to end at most 1/2.5 of plain: 1/2.8
  MISSED  from pytest's end to the end at most 1 s: 1.30 s
  MISSED  from the kubelet's event to the output at most 3 s: not measured
  load before a sample: 0.5 to 2.0
"""


MARKDOWN = """\
Measured on 2026-01-31, commit 0123abc:
2 CPUs (Some CPU), 24 GiB, Debian GNU/Linux 12, Linux 6.1, Docker 20.10.24, kind 0.33.0.

| scenario | figure | side | seconds (least to most) | ratio (least to most) | samples | goal |
| --- | --- | --- | --- | --- | --- | --- |
| `cold` | from start to end | seatrial | 42.0 (40.0 to 44.0) |  | 2 |  |
| `cold` | from start to end | plain | 115.0 (110.0 to 120.0) | x 2.8 (2.5 to 3.0) | 2 | x 2.5: met |
| `cold` | from pytest's end to the end | seatrial | 1.30 (1.25 to 1.35) |  | 2 | 1 s: missed |
"""


def test_markdown_has_row_per_side_and_figure() -> None:
    assert markdown(REPORT) == MARKDOWN


def test_render_report() -> None:
    assert render(REPORT) == EXPECTED


def test_report_round_trips_through_file() -> None:
    written = msgspec.json.encode(REPORT)

    assert msgspec.json.decode(written, type=Report) == REPORT
