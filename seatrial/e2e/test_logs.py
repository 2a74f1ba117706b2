"""Test `seatrial logs` on a real cluster."""

from __future__ import annotations

from shop_project import ENVIRONMENT
from typist import Typist


def test_logs_of_runner_are_output_of_pytest(shop):
    shop("test", "-k", "stock")
    out = shop("logs", "runner", "--tail", "1").out

    assert "1 passed" in out
    assert "==>" not in out


def test_logs_follow_includes_new_pods_until_ctrl_c(shop):
    argv = shop.command("logs", "web", "--follow", "--tail", "1")
    old = shop.kubectl("get", "pods", "-l", "app=web", "-o", "name").strip().removeprefix("pod/")
    with Typist(argv, env=ENVIRONMENT, cwd=shop.root) as terminal:
        terminal.expect(f"{old}/web | ")
        shop.kubectl("delete", "pod", old, "--wait=false")
        until = "GET /stock"
        while old in (shown := terminal.expect("/web | ")) or until not in terminal.expect("\n"):
            assert len(shown) < 10_000
        terminal.type("\x03")
        assert terminal.ends(seconds=10) == 130
    assert "Traceback" not in terminal.shown
    shop("up")


def test_logs_unknown_name_lists_known_ones(shop):
    assert "one of: test-runner, web, runner" in shop("logs", "wbe", code=4).err
    assert "no container was restarted" in shop("logs", "web", "--previous").err
