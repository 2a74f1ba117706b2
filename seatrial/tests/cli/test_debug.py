from __future__ import annotations


def test_debug_without_a_command_needs_a_terminal(seatrial, project):
    printed = seatrial("debug")

    assert printed.code == 4
    assert "a shell needs a terminal" in printed.err


def test_debug_returns_the_exit_code_of_the_command(seatrial, project, monkeypatch):
    called = {}

    def run_in_debug_pod(this, project, namespace, argv, **more):
        called.update(namespace=namespace, argv=argv, image=more["image"], terminal=more["terminal"])
        return 7

    monkeypatch.setattr("seatrial.app.debug_command.run_in_debug_pod", run_in_debug_pod)

    assert seatrial("debug", "--image", "busybox:1", "--namespace", "pr-42", "--", "ls", "-l").code == 7
    assert called == {"namespace": "pr-42", "argv": ("ls", "-l"), "image": "busybox:1", "terminal": False}
