from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seatrial.adapters.ledger import Ledger
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.names import EnvironmentId

DOCKER = """\
#!/bin/sh
case "$1" in
    --version) echo "Docker version 28.1.0, build 1" ;;
    compose) echo 2.40.3 ;;
    info) echo '{"ServerVersion": "28.1.0", "CgroupVersion": "1", "DockerRootDir": "/"}' ;;
    ps) printf 'web\\t127.0.0.1:4999->80/tcp\\n' ;;
esac
"""


def test_doctor_prints_the_checks_of_this_machine(seatrial, tmp_path, monkeypatch):
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
    monkeypatch.setattr("seatrial.app.doctor_facts.registry_problem", lambda host, timeout: f"{timeout:.0f} s without")
    # Only what the fake engine publishes: any port of this machine may be in use.
    monkeypatch.setattr("seatrial.adapters.listeners._PROC_NET", ())
    Path("kind.yaml").write_text("nodes: [{extraPortMappings: [{hostPort: 4999}, {hostPort: 1, listenAddress: x}]}]")
    Path("seatrial.toml").write_text(
        '[cluster]\nimage = "node:v1.34.4"\nconfig = "kind.yaml"\n[runner]\nimage = "x:1"\n'
    )
    now = datetime.now(UTC)
    ledger = Ledger(tmp_path / "state/seatrial")
    common: dict[str, Any] = {
        "project": "/p",
        "command": "up",
        "provider": "kind",
        "created": now,
        "expires": now + timedelta(hours=1),
    }
    ledger.write(EnvironmentRecord(id=EnvironmentId("a"), cluster="demo", **common))
    ledger.write(EnvironmentRecord(id=EnvironmentId("b"), cluster="held", **common))
    ledger.write(EnvironmentRecord(id=EnvironmentId("c"), cluster="kept", kept=True, **common))
    ledger.claim(EnvironmentId("b"))
    said = seatrial("doctor")

    assert said.code == 4
    for line in (
        f"ok       configuration: {tmp_path}/seatrial.toml",
        f"problem  helm: {programs}/helm does not work: broken; reinstall it: https://helm.sh/docs/intro/install/",
        "ok       compose: 2.40.3, the command docker compose",
        "ok       engine: 28.1.0 answers",
        "ok       cgroup: version 1",
        "problem  port 0.0.0.0:4999: in use by container web; stop it, or change the port in the kind configuration",
        "ok       port x:1: free",
        "warning  environment: demo of /p: left by a killed command; seatrial clean",
        "ok       environment: held of /p: in use",
        "ok       environment: kept of /p: kept",
        "ok       cluster: stranger was not created by seatrial and is not touched",
        "ok       location: host, because SEATRIAL_LOCATION is set",
    ):
        assert line in said.out.splitlines()
    ledger.release(EnvironmentId("b"))

    document = json.loads(seatrial("doctor", "--json").out)
    assert document["summary"]["problem"] == 2
    assert {"level", "about", "message", "try"} == document["checks"][0].keys()
    assert all(not line.startswith("ok ") for line in seatrial("-q", "doctor").out.splitlines())


def test_doctor_reports_missing_programs_and_configuration(seatrial, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("seatrial.app.doctor_facts.registry_problem", lambda *_, **__: "")
    said = seatrial("doctor")

    assert said.code == 4
    assert sum(line.startswith("problem") for line in said.out.splitlines()) == 3
    assert "warning  configuration: not found in this directory or above; seatrial init" in said.out
    missing = "compose: Docker Compose 2 is not installed; "
    assert f"ok       {missing}only --env compose requires it" in said.out
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n[compose]\nfile = "compose.yaml"\n')
    Path("compose.yaml").write_text("services: {}\n")
    said = seatrial("doctor")
    assert f"problem  {missing}install Docker's Compose plugin: https://docs.docker.com/compose/install/" in said.out
    Path("seatrial.toml").write_text("[runner]\n")
    assert "problem  configuration: seatrial.toml:1: runner.image: is missing" in seatrial("doctor").out
    monkeypatch.setenv("SEATRIAL_LOCATION", "moon")
    assert seatrial("doctor").err.startswith("seatrial: SEATRIAL_LOCATION is 'moon'")


def test_doctor_reports_version_of_compose_that_is_too_old(seatrial, tmp_path, monkeypatch):
    program = tmp_path / "docker-compose"
    program.write_text("#!/bin/sh\necho 1.29.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("seatrial.app.doctor_facts.registry_problem", lambda *_, **__: "")
    monkeypatch.setattr("seatrial.adapters.listeners._PROC_NET", ())
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n[compose]\nfile = "compose.yaml"\n')
    Path("compose.yaml").write_text("services: {}\n")

    assert (
        "problem  compose: Docker Compose 2 is not installed"
        " (docker-compose 1.29.2 does not read current Compose files);"
        " install Docker's Compose plugin: https://docs.docker.com/compose/install/"
    ) in seatrial("doctor").out
