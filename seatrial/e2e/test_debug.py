"""Test `seatrial debug` on a real cluster."""

from __future__ import annotations

from shop_project import ENVIRONMENT
from typist import Typist


def pods(shop):
    return shop.kubectl("get", "pods", "-l", "seatrial.dev/debug-pod", "-o", "name").split()


def test_debug_clients_work_and_pod_is_deleted(shop):
    done = shop("debug", "--", "http", "web:8080/stock")
    assert done.out.strip() == "42"
    assert done.err.startswith("200 ")

    assert "web.shop.svc.cluster.local.  A  10." in shop("debug", "--", "dns", "web").out
    assert "NXDOMAIN" in shop("debug", "--", "dns", "wbe", code=1).out
    assert "Connection refused" in shop("debug", "--", "sql", "postgresql://127.0.0.1:1/x", code=1).err
    assert pods(shop) == []


def test_debug_returns_exit_code_of_command(shop):
    done = shop("debug", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    assert (done.out, done.err) == ("out\n", "err\n")


def test_debug_opens_shell_at_terminal(shop):
    with Typist(shop.command("debug"), env=ENVIRONMENT, cwd=shop.root) as terminal:
        terminal.expect("http, dns and sql are on its PATH")
        terminal.expect("$ ")
        terminal.type("http web:8080/stock; echo said $?\n")
        assert "200 " in terminal.expect("said 0")
        assert len(pods(shop)) == 1
        terminal.type("exit 3\n")
        assert terminal.ends(seconds=20) == 3
    assert pods(shop) == []


def test_debug_impossible_requests_are_errors(shop):
    assert "a shell needs a terminal" in shop("debug", code=4).err
    done = shop("debug", "--image", "nowhere.invalid/none:1", "--", "true", code=10)
    assert "image nowhere.invalid/none:1 cannot be pulled" in done.err
    assert pods(shop) == []
