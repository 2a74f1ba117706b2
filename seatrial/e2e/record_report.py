"""Record a red run of `examples/orders-api` and take the pictures of its report for the documentation.

    .venv/bin/python seatrial/e2e/record_report.py

While one of its tests runs, the script deletes the pod of the database. The run directory is copied to
`/tmp/orders-api-report/recorded`, the files that the report's tests read to `tests/report/recorded/`, the pictures to
`docs/screenshots/`. With `--pictures DIR` it only takes pictures of a run directory. The script requires Docker, kind,
Helm, kubectl and a browser (scripts/browser.sh), and takes three minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local_images import SETTINGS, present
from playwright.sync_api import Page, sync_playwright
from record_runs import configuration_of_the_readme

SEATRIAL: Final = Path(__file__).resolve().parents[1]
PICTURES: Final = SEATRIAL / "docs" / "screenshots"
# The report contains this directory, so it must not be a user's home.
PROJECT: Final = Path("/tmp/orders-api-report/orders-api")
RECORDED: Final = PROJECT.parent / "recorded"
FOR_TESTS: Final = SEATRIAL / "tests" / "report" / "recorded"
# Fingerprints in facts.json are made with the key of this machine.
READ_BY_TESTS: Final = ("events.jsonl", "frames", "result.json", "timeline.jsonl", "logs/pods")
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
DISTURBED: Final = "test_orders_stay_available"
SECONDS: Final = 120

TESTS: Final = '''
"""Tests that fail: one by itself, one because the database is deleted while it runs."""

from __future__ import annotations

import time

import httpx
import pytest


def test_receipt_lists_the_items(api: httpx.Client) -> None:
    order = api.post("/orders", json={"item": "tea", "quantity": 2}).json()
    print(f"created order {order['id']}")
    receipt = {"item": order["item"], "quantity": order["quantity"], "total": 2 * 350, "currency": "EUR"}

    assert receipt == {"item": "tea", "quantity": 2, "total": 720, "currency": "EUR", "tax": 19}


@pytest.mark.skip(reason="needs the payment provider")
def test_payment() -> None:
    raise AssertionError


def test_orders_stay_available(api: httpx.Client) -> None:
    for number in range(40):
        answer = api.post("/orders", json={"item": "coffee", "quantity": 1 + number})
        print(f"order {number}: {answer.status_code} {answer.text.strip()[:60]}")
        assert answer.status_code == httpx.codes.CREATED
        time.sleep(0.25)
'''


def environment() -> dict[str, str]:
    """Return the environment of the commands."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEATRIAL_", "PYTEST_", "CI"))}
    return {**kept, "NO_COLOR": "1", **(SETTINGS if present() else {})}


def seatrial(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of seatrial in the project."""
    argv = [sys.executable, "-m", "seatrial", *words]
    return subprocess.run(argv, cwd=PROJECT, env=dict(env), check=False, capture_output=True, text=True)


def record() -> None:
    """Run the tests on a new cluster, delete the database meanwhile, and copy the run directory."""
    shutil.rmtree(PROJECT.parent, ignore_errors=True)
    shutil.copytree(SEATRIAL / "examples" / "orders-api", PROJECT)
    (PROJECT / "seatrial.toml").write_text(f'{configuration_of_the_readme()}\n[cluster]\nname = "orders-api-report"\n')
    (PROJECT / "tests" / "test_receipts.py").write_text(TESTS.lstrip())
    env = environment()
    try:
        up = seatrial("up", env=env)
        if up.returncode:
            sys.exit(up.stderr)
        match = re.search(r"KUBECONFIG=(\S+)", seatrial("env", env=env).stdout)
        if match is None:
            sys.exit("seatrial env does not name a kubeconfig")
        before = (PROJECT / ".seatrial" / "runs" / "latest").resolve()
        argv = [sys.executable, "-m", "seatrial", "test"]
        tests = subprocess.Popen(argv, cwd=PROJECT, env=env, start_new_session=True)
        disturb(before, kubeconfig=match[1].strip("'\""), env=env)
        print(f"seatrial test: exit code {tests.wait(timeout=SECONDS)}")
        shutil.copytree(PROJECT / ".seatrial" / "runs" / "latest", RECORDED)
        copy_for_tests()
    finally:
        seatrial("down", env=env)


def copy_for_tests() -> None:
    """Copy the files of the recorded run that `tests/report/test_recorded_run.py` reads."""
    shutil.rmtree(FOR_TESTS, ignore_errors=True)
    for name in READ_BY_TESTS:
        source, target = RECORDED / name, FOR_TESTS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def disturb(before: Path, *, kubeconfig: str, env: Mapping[str, str]) -> None:
    """Delete the pod of the database two seconds after the disturbed test started."""
    latest, deadline = PROJECT / ".seatrial" / "runs" / "latest", time.monotonic() + SECONDS
    started = re.compile(rf'"TestStarted","nodeid":"[^"]*::{DISTURBED}"')
    while time.monotonic() < deadline:
        events = latest / "events.jsonl"
        if latest.resolve() != before and events.exists() and started.search(events.read_text()):
            time.sleep(2)
            argv = ["kubectl", "--kubeconfig", kubeconfig, "delete", "pod", "--all-namespaces", "--now", "--wait=false"]
            argv += ["--field-selector", "metadata.name=postgresql-0"]
            subprocess.run(argv, env=dict(env), check=True)
            return
        time.sleep(0.1)
    sys.exit(f"{DISTURBED} did not start")


def take_pictures(directory: Path) -> None:
    """Write the report of a run and take its pictures."""
    argv = [sys.executable, "-m", "seatrial", "report", str(directory)]
    path = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    browser_path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser_path is None:
        sys.exit("no browser; install one: scripts/browser.sh")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, scheme, width, height in (
            ("report", "light", 1280, 900),
            ("report-dark", "dark", 1280, 900),
            ("report-narrow", "light", 420, 900),
        ):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(f"file://{path}")
            page.screenshot(path=PICTURES / f"{name}.png")
            if name == "report":
                picture_of_a_failure(page)
            context.close()
        browser.close()


def picture_of_a_failure(page: Page) -> None:
    """Take the picture of the failure that the cluster caused."""
    page.set_viewport_size({"width": 1280, "height": 1100})
    # The bar of the filter would cover a part of it.
    page.locator("#filter").evaluate("form => { form.style.position = 'static'; }")
    failure = page.locator("article", has_text=DISTURBED).last
    failure.scroll_into_view_if_needed()
    box = failure.bounding_box()
    if box is None:
        sys.exit(f"{DISTURBED} did not fail")
    top = box["y"] + page.evaluate("scrollY") - 10
    clip = {"x": 0.0, "y": top, "width": 1280.0, "height": min(box["height"] + 20, 1100)}
    page.screenshot(path=PICTURES / "report-failure.png", full_page=True, clip=clip)  # type: ignore[arg-type]


def main() -> None:
    """Record a run and take pictures of its report."""
    # A job in the background ignores Ctrl-C, and so would the run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[1:2] == ["--pictures"]:
        take_pictures(Path(sys.argv[2]).resolve())
        return
    record()
    take_pictures(RECORDED)


if __name__ == "__main__":
    main()
