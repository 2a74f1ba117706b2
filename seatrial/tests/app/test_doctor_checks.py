from __future__ import annotations

import pytest
from seatrial.app.doctor_checks import ComposeTool, MachineFacts, Port, Tool, checks, summary

GIB = 1024**3
SOUND = MachineFacts(
    tools=(
        Tool(name="docker", path="/usr/bin/docker", version="28.1.0"),
        Tool(name="kind", path="/usr/bin/kind", version="v0.33.0"),
        Tool(name="helm", path="/usr/bin/helm", version="v4.3.1"),
        Tool(name="kubectl"),
    ),
    compose=ComposeTool(program="docker compose", version="2.40.3"),
    engine="28.1.0",
    cgroup="2",
    cpus=8,
    memory=16 * GIB,
    disk=100 * GIB,
    disk_at="/var/lib/docker",
    limits={"max_user_instances": 8192, "max_user_watches": 524288},
    ports=(Port(address="127.0.0.1", port=8181),),
    registries={"registry-1.docker.io": ""},
    environments=(("demo of /demo: kept", False),),
    strangers=("other",),
    location=("host", "nothing says otherwise"),
    configuration="/demo/seatrial.toml",
)


def changed(**changes) -> MachineFacts:
    values = {name: getattr(SOUND, name) for name in SOUND.__struct_fields__}
    return MachineFacts(**(values | changes))


def complaints(**changes) -> list[str]:
    return [str(check) for check in checks(changed(**changes)) if check.level != "ok"]


def test_checks_of_a_sound_machine_are_ok():
    found = checks(SOUND)

    assert summary(found) == {"ok": 16, "warning": 0, "problem": 0}
    assert "ok       docker: 28.1.0 at /usr/bin/docker" in map(str, found)
    assert "ok       compose: 2.40.3, the command docker compose" in map(str, found)
    assert "ok       cluster: other was not created by seatrial and is not touched" in map(str, found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"configuration": ""}, "warning  configuration: not found in this directory or above; seatrial init"),
        ({"problems": ("seatrial.toml:1: x: unknown key",)},
         "problem  configuration: seatrial.toml:1: x: unknown key; seatrial config lint"),
        ({"tools": (Tool(name="kind"), Tool(name="kubectl"))},
         "problem  kind: is not on PATH; install it: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"),
        ({"tools": (Tool(name="helm", path="/h", version="v3.17.9"),)},
         "problem  helm: v3.17.9 is too old; install 3.18 or newer: https://helm.sh/docs/intro/install/"),
        ({"tools": (Tool(name="docker", path="/d", failure="no such file"),), "engine": "x"},
         "problem  docker: /d does not work: no such file; reinstall it: https://docs.docker.com/engine/install/"),
        ({"compose": ComposeTool(is_required=True, failure="Docker Compose 2 is not installed", hint="install it")},
         "problem  compose: Docker Compose 2 is not installed; install it"),
        ({"engine": "", "silence": "permission denied"},
         "problem  engine: permission denied; start Docker, or set DOCKER_HOST"),
        ({"engine": ""}, "problem  engine: does not answer; start Docker, or set DOCKER_HOST"),
        ({"cgroup": "1"},
         ("warning  cgroup: version 1, on which the kubelet of Kubernetes 1.35 and later does not start;"
         " boot with cgroup"
         " v2, or set cluster.image to a node image of 1.34")),
        ({"cgroup": "1", "kubernetes": "1.36"},
         ("warning  cgroup: version 1, on which the kubelet of Kubernetes 1.36 does not start; boot with"
         " cgroup v2, or set"
         " cluster.image to a node image of 1.34")),
        ({"cpus": 1}, "warning  processors: 1; use two or more"),
        ({"memory": 2 * GIB},
         "warning  memory: 2.0 GiB available; use 4 GiB or more: close programs, or use a smaller cluster"),
        ({"disk": 3 * GIB},
         "warning  disk: 3.0 GiB free in /var/lib/docker; use 10 GiB or more; see docker system df"),
        ({"limits": {"max_user_instances": 128, "max_user_watches": 524288}},
         ("warning  inotify: fs.inotify.max_user_instances is 128: several nodes run out of inotify instances;"
         " sudo sysctl fs.inotify.max_user_instances=512")),
        ({"limits": {"max_user_instances": 512, "max_user_watches": 8192}},
         ("warning  inotify: fs.inotify.max_user_watches is 8192: several nodes run out of inotify watches;"
         " sudo sysctl fs.inotify.max_user_watches=524288")),
        ({"ports": (Port(address="127.0.0.1", port=80, taken_by="nginx (process 7)"),)},
         ("problem  port 127.0.0.1:80: in use by nginx (process 7); stop it, or change the port in the kind"
         " configuration")),
        ({"registries": {"ghcr.io": "timed out"}},
         ("warning  registry ghcr.io: does not answer (timed out); missing images cannot be pulled")),
        ({"environments": (("demo of /demo: expired", True),)},
         "warning  environment: demo of /demo: expired; seatrial clean"),
        ({"wanted_cluster": "other"},
         ("problem  cluster: other has the configured name, and seatrial did not create it; kind delete cluster --name"
         " other, or another name under [cluster]")),
    ],
)  # fmt: skip
def test_check_names_the_problem_and_a_hint(changes, said):
    assert complaints(**changes) == [said]


@pytest.mark.parametrize(
    "changes",
    [
        {"cgroup": "1", "kubernetes": "1.34"},
        {"cgroup": "", "cpus": None, "memory": None, "disk": None, "limits": {}},
        {"tools": (), "engine": ""},
        {"compose": None},
        {"compose": ComposeTool(failure="Docker Compose 2 is not installed", hint="install it")},
    ],
)
def test_unknown_facts_give_no_warning(changes):
    assert complaints(**changes) == []


def test_checks_show_services_that_variables_set():
    facts = MachineFacts(
        tools=(),
        services={"web": ("w:1", "SEATRIAL_SERVICE_WEB is set"), "db": ("", "SEATRIAL_SERVICE_DB: 'd' is not")},
    )
    web, db = (check for check in checks(facts) if check.about.startswith("service "))

    assert (web.level, web.message) == ("ok", "w:1, because SEATRIAL_SERVICE_WEB is set")
    assert (db.level, db.message) == ("problem", "SEATRIAL_SERVICE_DB: 'd' is not")
