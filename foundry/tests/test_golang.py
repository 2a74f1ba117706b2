"""Test that the Go caches are deleted only while no build uses them."""

from foundry.golang import UseCount


def test_use_count_runs_action_only_if_unused():
    uses, done = UseCount(), []

    with uses:
        uses.run_if_unused(lambda: done.append("in use"))
        with uses:
            uses.run_if_unused(lambda: done.append("used twice"))
        uses.run_if_unused(lambda: done.append("still in use"))
    uses.run_if_unused(lambda: done.append("free"))

    assert done == ["free"]
