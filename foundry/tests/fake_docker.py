"""Imitate the `docker` command without an engine. Images live in a JSON file; pulls behave as the test defines.

`FAKE_DOCKER` is a folder. `images.json` maps a name to an image as `docker image inspect` prints it. `pulls.json` maps
a name to the steps of its pulls. Each pull takes the next step; the last step repeats. A step has `"after"` (seconds
before the registry answers), `"together"` (number of pulls that wait for each other), `"layers"` (seconds per layer) or
`"fail"` (the error). The name `*` applies to all other names. `calls` gets a line at the start and the end of each
command.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
FOLDER = Path(os.environ["FAKE_DOCKER"])


def change(name: str, edit: Callable[[dict[str, Any]], T]) -> T:
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = FOLDER / name
        document = json.loads(file.read_text()) if file.exists() else {}
        result = edit(document)
        file.write_text(json.dumps(document))
    return result


def fail(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)


def main(words: list[str]) -> None:
    began = time.time()
    try:
        command(words)
    finally:
        with (FOLDER / "calls").open("a") as calls:
            calls.write(json.dumps({"began": began, "ended": time.time(), "words": words}) + "\n")


def command(words: list[str]) -> None:
    match words:
        case ["version", *_]:
            print("27.5.1")
        case ["image", "inspect", *names]:
            images = change("images.json", dict)
            found = [image for image in images.values() if any(n in names for n in [*image["RepoTags"], image["Id"]])]
            print(json.dumps(list({image["Id"]: image for image in found}.values())))
            if missing := [name for name in names if not any(name in [*i["RepoTags"], i["Id"]] for i in found)]:
                fail(f"Error: No such image: {missing[0]}")
        case ["pull", platform, name]:
            pull(name, platform.rpartition("/")[2])
        case ["tag", image, name]:
            change("images.json", lambda images: tag(images, image, name))
        case ["image", "rm", name]:
            change("images.json", lambda images: remove(images, name))
        case ["info", *_]:
            print(json.dumps(change("info.json", dict)))
        case ["ps", *_] | ["rm", *_]:
            pass
        case _:
            fail(f"fake docker does not support: {' '.join(words)}")


def pull(name: str, arch: str) -> None:
    def step(pulls: dict[str, Any]) -> dict[str, Any]:
        steps = pulls.get(name) or pulls.get("*") or [{}]
        if len(steps) > 1:
            pulls[name] = steps[1:]
        found: dict[str, Any] = steps[0]
        return found

    behavior = change("pulls.json", step)
    time.sleep(behavior.get("after", 0))
    if "fail" in behavior:
        fail(f"Error response from daemon: {behavior['fail']}")
    bare = name.partition("@")[0]
    repository, _, tagged = bare.rpartition(":") if ":" in bare.rpartition("/")[2] else (bare, "", "")
    print(f"{tagged or name}: Pulling from {repository}", flush=True)
    meet(behavior.get("together", 1))
    for number, seconds in enumerate(behavior.get("layers", [0])):
        print(f"layer{number}: Pulling fs layer", flush=True)
        time.sleep(seconds)
        print(f"layer{number}: Pull complete", flush=True)
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    image = {
        "Id": digest,
        "Architecture": arch,
        "Size": 1_000_000,
        "RepoTags": [] if "@" in name else [name],
        "RepoDigests": [f"{repository}@{name.partition('@')[2] or digest}"],
        "Config": {"Labels": behavior.get("labels")},
    }
    if "@" in name:
        # docker does not do this, but it makes the image available under the pulled reference.
        image["RepoTags"] = [name]
    change("images.json", lambda images: images.setdefault(digest, image))
    print(f"Status: Downloaded newer image for {name}")


def meet(count: int, keep_waiting: float = 20.0) -> None:
    """Wait until `count` pulls have reached this point; continue alone after `keep_waiting` seconds."""
    arrived = change("met.json", lambda met: met.update(count=met.get("count", 0) + 1) or met["count"])
    wanted = -(-arrived // count) * count
    end = time.monotonic() + keep_waiting
    while change("met.json", lambda met: met["count"]) < wanted and time.monotonic() < end:
        time.sleep(0.05)


def tag(images: dict[str, Any], image: str, name: str) -> None:
    found = next((one for one in images.values() if image in [*one["RepoTags"], one["Id"]]), None)
    if found is None:
        fail(f"Error response from daemon: No such image: {image}")
        return
    remove(images, name)
    found["RepoTags"].append(name)


def remove(images: dict[str, Any], name: str) -> None:
    for image in images.values():
        image["RepoTags"] = [one for one in image["RepoTags"] if one != name]


if __name__ == "__main__":
    main(sys.argv[1:])
