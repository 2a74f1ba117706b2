"""Who may use Go's caches while something is taken out of them."""

from foundry.golang import Uses


def test_something_is_done_only_while_nobody_uses_it():
    uses, done = Uses(), []

    with uses:
        uses.if_none(lambda: done.append("in use"))
        with uses:
            uses.if_none(lambda: done.append("used twice"))
        uses.if_none(lambda: done.append("still in use"))
    uses.if_none(lambda: done.append("free"))

    assert done == ["free"]
