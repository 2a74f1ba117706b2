from __future__ import annotations

from datetime import date

from seatrial.model.comparison import AcceptedBy, Box, ComparedSide, Comparison, Difference, Kind


def test_blockers_are_what_counts_and_nobody_accepted():
    counts = Difference(kind=Kind.IMAGE, subject="web", left="a", right="b")
    natural = Difference(kind=Kind.HOSTNAME, subject="tests", left="a", right="b", counts=False)
    by = AcceptedBy(owner="o", reason="r", expires=date(2026, 1, 1))
    accepted = Difference(kind=Kind.USER, subject="web", left="a", right="b", accepted=by)
    side = ComparedSide(name="a", kind="kubernetes", runs=(), exits=(), tests=0, passed=0, facts=False)
    box = Box(text="t", proven=True, proof="p")
    comparison = Comparison(
        verdict="v", ready=True, left=side, right=side, boxes=(box,) * 4, differences=(counts, natural, accepted)
    )

    assert comparison.blockers == (counts,)


def test_key_names_kind_and_subject():
    assert Difference(kind=Kind.VARIABLE, subject="web MODE", left="a", right="b").key == "variable web MODE"
