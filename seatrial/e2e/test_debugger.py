"""Test `--pdb` and `breakpoint()` from a terminal, on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shop_project import ENVIRONMENT, Shop
from typist import Typist

STOPS = """\
def test_before():
    pass


def test_stops():
    dozen = 12
    breakpoint()
    assert dozen == 13
"""


@contextmanager
def more_tests(shop: Shop, text: str) -> Iterator[None]:
    """Add a test file for the duration of the block."""
    path = shop.root / "tests" / "test_debugged.py"
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


def at_a_terminal(shop: Shop, *argv: str) -> Typist:
    return Typist(shop.command(*argv), env=ENVIRONMENT, cwd=shop.root)


def test_breakpoint_accepts_commands_and_continues(shop):
    with more_tests(shop, STOPS), at_a_terminal(shop, "test", "tests/test_debugged.py", "-v") as terminal:
        assert "test_before PASSED" in terminal.expect("(Pdb) ")
        terminal.type("p dozen * 7\n")
        terminal.expect("84")
        terminal.expect("(Pdb) ")
        terminal.type("dozen += 1\n")
        terminal.expect("(Pdb) ")
        terminal.type("c\n")
        terminal.expect("2 passed")
        assert terminal.ends() == 0
    assert shop.result["counts"]["passed"] == 2


def test_ctrl_c_in_debugger_interrupts_only_its_command(shop):
    with more_tests(shop, STOPS), at_a_terminal(shop, "test", "tests/test_debugged.py") as terminal:
        terminal.expect("(Pdb) ")
        terminal.type("import time; time.sleep(600)\n")
        terminal.expect("sleep(600)")
        terminal.type("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.expect("(Pdb) ")
        terminal.type("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.expect("(Pdb) ")
        terminal.type("dozen = 13\n")
        terminal.expect("(Pdb) ")
        terminal.type("c\n")
        terminal.expect("2 passed")
        assert terminal.ends() == 0


def test_ctrl_c_during_tests_ends_them_as_in_pytest(shop):
    text = "import time\n\n\ndef test_before():\n    pass\n\n\ndef test_long():\n    time.sleep(600)\n"
    with more_tests(shop, text), at_a_terminal(shop, "test", "tests/test_debugged.py", "-v") as terminal:
        terminal.expect("test_before PASSED")
        terminal.expect("test_long")
        terminal.type("\x03")
        terminal.expect("KeyboardInterrupt")
        assert terminal.ends() == 130
    assert shop.result["exit"] == 2


def test_pdb_opens_post_mortem(shop):
    text = "def test_fails():\n    where = 'here'\n    assert where == 'there'\n"
    with more_tests(shop, text), at_a_terminal(shop, "test", "--pdb", "tests/test_debugged.py") as terminal:
        assert "assert 'here' == 'there'" in terminal.expect("(Pdb) ")
        terminal.type("p where * 2\n")
        terminal.expect("'herehere'")
        terminal.expect("(Pdb) ")
        terminal.type("q\n")
        terminal.expect("1 failed")
        # As pytest's own process ends after its debugger was quit.
        assert terminal.ends() == 2
    assert shop.result["counts"]["failed"] == 1


def test_pdb_without_terminal_is_an_error(shop):
    assert "--pdb needs a terminal" in shop("test", "--pdb", code=4).err
    with more_tests(shop, STOPS):
        done = shop("test", "tests/test_debugged.py", code=1)
    assert "breakpoint() needs a terminal" in done.out
    assert "1 failed, 1 passed" in done.out
