from __future__ import annotations

import http.server
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from seatrial.adapters.ledger import Ledger
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.reachable import registry_silence
from seatrial.cli.health import MachineFacts, Port, Tool, checks, summary
from seatrial.cli.machine_facts import listeners
from seatrial.model.names import SessionId
from seatrial.model.session import Session

GIB = 1024**3
SOUND = MachineFacts(
    tools=(
        Tool(name="docker", path="/usr/bin/docker", version="28.1.0"),
        Tool(name="kind", path="/usr/bin/kind", version="v0.33.0"),
        Tool(name="helm", path="/usr/bin/helm", version="v4.3.1"),
        Tool(name="kubectl"),
    ),
    engine="28.1.0",
    cgroup="2",
    cpus=8,
    memory=16 * GIB,
    disk=100 * GIB,
    disk_at="/var/lib/docker",
    limits={"max_user_instances": 8192, "max_user_watches": 524288},
    ports=(Port(address="127.0.0.1", port=8181),),
    registries={"registry-1.docker.io": ""},
    sessions=(("demo of /demo: kept", False),),
    strangers=("other",),
    location=("host", "nothing says otherwise"),
    configuration="/demo/seatrial.toml",
)


def changed(**changes) -> MachineFacts:
    values = {name: getattr(SOUND, name) for name in SOUND.__struct_fields__}
    return MachineFacts(**(values | changes))


def complaints(**changes) -> list[str]:
    return [str(check) for check in checks(changed(**changes)) if check.level != "ok"]


def test_a_sound_machine():
    found = checks(SOUND)

    assert summary(found) == {"ok": 15, "warning": 0, "problem": 0}
    assert "ok       docker: 28.1.0 at /usr/bin/docker" in map(str, found)
    assert "ok       cluster: other is not ours and is left alone" in map(str, found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"configuration": ""}, "warning  configuration: none in this directory or above; seatrial init"),
        ({"problems": ("seatrial.toml:1: x: unknown key",)},
         "problem  configuration: seatrial.toml:1: x: unknown key; seatrial config lint"),
        ({"tools": (Tool(name="kind"), Tool(name="kubectl"))},
         "problem  kind: is not on PATH; install it: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"),
        ({"tools": (Tool(name="helm", path="/h", version="v3.17.9"),)},
         "problem  helm: v3.17.9 is too old; install 3.18 or newer: https://helm.sh/docs/intro/install/"),
        ({"tools": (Tool(name="docker", path="/d", failure="no such file"),), "engine": "x"},
         "problem  docker: /d does not work: no such file; install it anew: https://docs.docker.com/engine/install/"),
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
        ({"cpus": 1}, "warning  processors: 1; two or more, or everything takes its time"),
        ({"memory": 2 * GIB},
         "warning  memory: 2.0 GiB available; 4 GiB or more: close programs, or use a smaller cluster"),
        ({"disk": 3 * GIB},
         "warning  disk: 3.0 GiB free in /var/lib/docker; 10 GiB or more: docker system df says what takes it"),
        ({"limits": {"max_user_instances": 128, "max_user_watches": 524288}},
         ("warning  inotify: fs.inotify.max_user_instances is 128: several nodes run out of inotify instances;"
         " sudo sysctl fs.inotify.max_user_instances=512")),
        ({"limits": {"max_user_instances": 512, "max_user_watches": 8192}},
         ("warning  inotify: fs.inotify.max_user_watches is 8192: several nodes run out of inotify watches;"
         " sudo sysctl fs.inotify.max_user_watches=524288")),
        ({"ports": (Port(address="127.0.0.1", port=80, taken_by="nginx (process 7)"),)},
         ("problem  port 127.0.0.1:80: is taken by nginx (process 7); end that, or change the port in the kind"
         " configuration")),
        ({"registries": {"ghcr.io": "timed out"}},
         ("warning  registry ghcr.io: does not answer (timed out); missing images cannot be pulled")),
        ({"sessions": (("demo of /demo: expired", True),)},
         "warning  environment: demo of /demo: expired; seatrial clean"),
        ({"wanted_cluster": "other"},
         ("problem  cluster: other has the configured name, and seatrial did not make it; kind delete cluster --name"
         " other, or another name under [cluster]")),
    ],
)  # fmt: skip
def test_what_is_not_well_and_what_to_do(changes, said):
    assert complaints(**changes) == [said]


@pytest.mark.parametrize(
    "changes",
    [
        {"cgroup": "1", "kubernetes": "1.34"},
        {"cgroup": "", "cpus": None, "memory": None, "disk": None, "limits": {}},
        {"tools": (), "engine": ""},
    ],
)
def test_what_cannot_be_found_out_is_no_complaint(changes):
    assert complaints(**changes) == []


def test_who_listens_on_a_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        holder = listeners(LocalProcesses())[listener.getsockname()[1]]

    assert "(process " in holder


@pytest.fixture
def registry():
    """A registry that answers as told, and its host."""

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200
        headers_sent: tuple[tuple[str, str], ...] = ()

        def do_GET(self) -> None:
            self.send_response(Handler.status)
            for name, value in Handler.headers_sent:
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Handler, f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "headers", "silence"),
    [
        (200, (), ""),
        (401, (("Www-Authenticate", "Bearer"),), ""),
        (403, (), "answers 403, which is no registry's answer"),
        (404, (), "answers 404, which is no registry's answer"),
    ],
)
def test_registries_that_answer(registry, status, headers, silence):
    handler, host = registry
    handler.status, handler.headers_sent = status, headers

    assert registry_silence(host, timeout=5) == silence


def test_a_registry_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "refused" in registry_silence(f"127.0.0.1:{port}", timeout=5)


DOCKER = """\
#!/bin/sh
case "$1" in
    --version) echo "Docker version 28.1.0, build 1" ;;
    info) echo '{"ServerVersion": "28.1.0", "CgroupVersion": "1", "DockerRootDir": "/"}' ;;
    ps) printf 'web\\t127.0.0.1:4999->80/tcp\\n' ;;
esac
"""


def test_the_whole_command(seatrial, tmp_path, monkeypatch):
    """Against stand-ins for the programs: which fact becomes which line."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "docker": DOCKER,
        "kind": '#!/bin/sh\n[ "$1" = version ] && echo "kind v0.33.0 go1.25" || printf "stranger\\ndemo\\n"\n',
        "helm": "#!/bin/sh\necho broken >&2; exit 3\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SEATRIAL_LOCATION", "host")
    monkeypatch.setattr("seatrial.cli.machine_facts.registry_silence", lambda host, timeout: f"{timeout:.0f} s without")
    Path("kind.yaml").write_text("nodes: [{extraPortMappings: [{hostPort: 4999}, {hostPort: 1, listenAddress: x}]}]")
    Path("seatrial.toml").write_text(
        '[cluster]\nimage = "node:v1.34.4"\nconfig = "kind.yaml"\n[runner]\nimage = "x:1"\n'
    )
    now = datetime.now(UTC)
    ledger = Ledger(tmp_path / "state/seatrial")
    common = {"project": "/p", "command": "up", "provider": "kind", "created": now, "expires": now + timedelta(hours=1)}
    ledger.write(Session(session=SessionId("a"), cluster="demo", **common))
    ledger.write(Session(session=SessionId("b"), cluster="held", **common))
    ledger.write(Session(session=SessionId("c"), cluster="kept", kept=True, **common))
    ledger.claim(SessionId("b"))
    said = seatrial("doctor")

    assert said.code == 4
    for line in (
        f"ok       configuration: {tmp_path}/seatrial.toml",
        f"problem  helm: {programs}/helm does not work: broken; install it anew: https://helm.sh/docs/intro/install/",
        "ok       engine: 28.1.0 answers",
        "ok       cgroup: version 1",
        "problem  port 0.0.0.0:4999: is taken by container web; end that, or change the port in the kind configuration",
        "ok       port x:1: is free",
        "warning  environment: demo of /p: left by a command that died; seatrial clean",
        "ok       environment: held of /p: in use",
        "ok       environment: kept of /p: kept",
        "ok       cluster: stranger is not ours and is left alone",
        "ok       location: host, because SEATRIAL_LOCATION says so",
    ):
        assert line in said.out.splitlines()
    ledger.release(SessionId("b"))

    document = json.loads(seatrial("doctor", "--json").out)
    assert document["summary"]["problem"] == 2
    assert {"level", "about", "message", "try"} == document["checks"][0].keys()
    assert all(not line.startswith("ok ") for line in seatrial("-q", "doctor").out.splitlines())


def test_a_machine_with_nothing(seatrial, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("seatrial.cli.machine_facts.registry_silence", lambda *_, **__: "")
    said = seatrial("doctor")

    assert said.code == 4
    assert sum(line.startswith("problem") for line in said.out.splitlines()) == 3
    assert "warning  configuration: none in this directory or above; seatrial init" in said.out
    Path("seatrial.toml").write_text("[runner]\n")
    assert "problem  configuration: seatrial.toml:1: runner.image: is missing" in seatrial("doctor").out
    monkeypatch.setenv("SEATRIAL_LOCATION", "moon")
    assert seatrial("doctor").err.startswith("seatrial: SEATRIAL_LOCATION is 'moon'")


def test_services_that_were_said_to_be_somewhere():
    facts = MachineFacts(
        tools=(),
        services={"web": ("w:1", "SEATRIAL_SERVICE_WEB says so"), "db": ("", "SEATRIAL_SERVICE_DB: 'd' is not")},
    )
    web, db = (check for check in checks(facts) if check.about.startswith("service "))

    assert (web.level, web.message) == ("ok", "w:1, because SEATRIAL_SERVICE_WEB says so")
    assert (db.level, db.message) == ("problem", "SEATRIAL_SERVICE_DB: 'd' is not")
