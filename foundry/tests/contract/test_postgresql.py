"""Test the contract of Docker's official postgres image (https://hub.docker.com/_/postgres)."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

ARTIFACT = "postgresql"
PASSWORD = "a b'c$d"
QUICK = ["-c", "fsync=off", "-c", "full_page_writes=off"]
INITDB = {"POSTGRES_INITDB_ARGS": "--no-sync"}


def sql(box, text, *, user="postgres", database="postgres", password=PASSWORD, check=True):
    """Return psql's output for a query over TCP with a password."""
    words = ["psql", "-h", "127.0.0.1", "-U", user, "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc", text]
    return box.exec(*words, env={"PGPASSWORD": password}, check=check)


def ready(box):
    """Wait until the server answers over TCP, which it does only after setup."""
    deadline = time.monotonic() + 60
    while "accepting connections" not in box.exec("pg_isready", "-h", "127.0.0.1", "-U", "postgres", check=False):
        state = box.state()
        assert state["Running"], box.logs()
        assert time.monotonic() < deadline, box.logs()
        time.sleep(0.1)
    return box


@pytest.fixture
def scripts(tmp_path):
    """Provide init scripts of each supported kind."""
    (tmp_path / "1-executable.sh").write_text(
        '#!/bin/bash\nset -e\npsql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" '
        "-c 'CREATE TABLE steps (name text)' -c \"INSERT INTO steps VALUES ('executable')\"\n"
    )
    (tmp_path / "1-executable.sh").chmod(0o755)
    (tmp_path / "2-sourced.sh").write_text(
        "docker_process_sql -c \"INSERT INTO steps VALUES ('sourced')\"\nexport SOURCED=seen\n"
    )
    (tmp_path / "3-after.sh").write_text("docker_process_sql -c \"INSERT INTO steps VALUES ('$SOURCED')\"\n")
    (tmp_path / "4-plain.sql").write_text("INSERT INTO steps VALUES ('sql');\n")
    (tmp_path / "5-packed.sql").write_text("INSERT INTO steps VALUES ('gz');\n")
    subprocess.run(["gzip", tmp_path / "5-packed.sql"], check=True)
    (tmp_path / "6-ignored.txt").write_text("INSERT INTO steps VALUES ('txt');\n")
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="module")
def server(image, shared_boxes):
    """Provide a server with custom settings."""
    env = {"POSTGRES_PASSWORD": PASSWORD, "POSTGRES_USER": "owner", "POSTGRES_DB": "first", **INITDB}
    return ready(shared_boxes.run(image, *QUICK, "-c", "max_connections=17", name="server", env=env))


def test_environment_sets_user_and_database(server):
    assert sql(server, "SELECT current_user, current_database()", user="owner", database="first") == "owner|first"
    assert sql(server, "SELECT rolsuper FROM pg_roles WHERE rolname = 'owner'", user="owner", database="first") == "t"


def test_server_is_version_17_with_utf8_and_en_us(server):
    asked = "SELECT current_setting('server_version_num')::int / 10000, pg_encoding_to_char(encoding), datcollate"

    found = sql(server, f"{asked} FROM pg_database WHERE datname = 'first'", user="owner", database="first")

    assert found == "17|UTF8|en_US.utf8"


def test_arguments_are_passed_to_server(server):
    assert sql(server, "SHOW max_connections", user="owner", database="first") == "17"
    assert sql(server, "SHOW fsync", user="owner", database="first") == "off"


def test_server_runs_as_user_999_in_data_folder(server):
    assert server.exec("stat", "-c", "%u:%g %a", "/var/lib/postgresql/data") == "999:999 700"
    assert server.exec("id", "postgres") == "uid=999(postgres) gid=999(postgres) groups=999(postgres)" or (
        "ssl-cert" in server.exec("id", "postgres")  # upstream's user has an additional group
    )
    assert server.exec("cat", "/proc/1/comm") == "postgres"
    assert "\nUid:\t999\t999" in server.exec("cat", "/proc/1/status", user="999")
    assert server.exec("sh", "-c", "echo $PGDATA $PG_MAJOR") == "/var/lib/postgresql/data 17"


def test_network_client_needs_password(server, image, boxes):
    url = f"postgresql://owner@{server.name}/first"

    good = boxes.run(image, "psql", "-Atc", "SELECT 6 * 7", url, env={"PGPASSWORD": PASSWORD})
    bad = boxes.run(image, "psql", "-Atc", "SELECT 6 * 7", url, env={"PGPASSWORD": "wrong"})

    assert (good.wait(), good.logs()) == (0, "42")
    assert bad.wait() == 2
    assert "password authentication failed" in bad.logs()


def test_common_extensions_are_available(server):
    for extension in ("pg_trgm", "pgcrypto", "uuid-ossp", "hstore", "btree_gist", "postgres_fdw", "xml2"):
        sql(server, f'CREATE EXTENSION "{extension}"', user="owner", database="first")

    assert sql(server, "SELECT encode(digest('a', 'md5'), 'hex')", user="owner", database="first") == (
        "0cc175b9c0f1b6a831c399e269772661"
    )


def test_custom_hba_requires_password_for_all_connections(image, boxes, tmp_path: Path):
    """A chart's own rules apply from the first start, while init scripts log in with the superuser's password."""
    (tmp_path / "pg_hba.conf").write_text("local all all scram-sha-256\nhost all all all scram-sha-256\n")
    (tmp_path / "pg_hba.conf").chmod(0o644)
    (tmp_path / "init.sh").write_text("psql --username postgres -c 'CREATE TABLE made (by text)'\n")
    options = [
        f"--volume={tmp_path}/pg_hba.conf:/etc/postgresql/pg_hba.conf:ro",
        f"--volume={tmp_path}/init.sh:/docker-entrypoint-initdb.d/init.sh:ro",
    ]
    hba = ["-c", "hba_file=/etc/postgresql/pg_hba.conf"]
    box = ready(boxes.run(image, *QUICK, *hba, env={"POSTGRES_PASSWORD": PASSWORD, **INITDB}, options=options))

    assert sql(box, "SELECT count(*) FROM made") == "0"
    for where in ("127.0.0.1", "/var/run/postgresql"):
        said = box.exec("psql", "-w", "-h", where, "-U", "postgres", "-Atc", "SELECT 1", check=False)
        assert "no password supplied" in said


def test_missing_password_is_an_error(image, boxes):
    box = boxes.run(image)

    assert box.wait() == 1
    assert "superuser password is not specified" in box.logs()


def test_setting_and_file_together_are_an_error(image, boxes):
    box = boxes.run(image, env={"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/etc/hostname"})

    assert box.wait() == 1
    assert "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set" in box.logs()


def test_init_scripts_run_once_and_data_survives_restart(image, boxes, scripts):
    options = [f"--volume={scripts}:/docker-entrypoint-initdb.d:ro"]
    box = ready(boxes.run(image, *QUICK, env={"POSTGRES_PASSWORD": PASSWORD, **INITDB}, options=options))
    wanted = "executable\nsourced\nseen\nsql\ngz"

    assert sql(box, "SELECT name FROM steps") == wanted
    assert box.stop() == 0
    assert "fast shutdown request" in box.logs()

    box.start()

    assert sql(ready(box), "SELECT name FROM steps") == wanted
    assert "Skipping initialization" in box.logs()


def test_failing_init_script_stops_server(image, boxes, tmp_path: Path):
    (tmp_path / "bad.sql").write_text("SELECT nothing FROM nowhere;\n")
    tmp_path.chmod(0o755)

    box = boxes.run(
        image,
        env={"POSTGRES_PASSWORD": PASSWORD, **INITDB},
        options=[f"--volume={tmp_path}:/docker-entrypoint-initdb.d:ro"],
    )

    assert box.wait() == 3
    assert 'relation "nowhere" does not exist' in box.logs()


@pytest.mark.parametrize("user", ["999:999", "12345:0"])
def test_server_runs_as_arbitrary_user(image, boxes, user):
    options = [
        f"--user={user}",
        "--read-only",
        "--tmpfs=/tmp",
        "--tmpfs=/var/run/postgresql:mode=1777",
        "--tmpfs=/data:mode=1777",
        "--cap-drop=ALL",
    ]
    env = {"POSTGRES_PASSWORD_FILE": "/run/password", "PGDATA": "/data/pg", **INITDB}
    password = Path(__file__).parent / "password.txt"

    box = ready(boxes.run(image, env=env, options=[*options, f"--volume={password}:/run/password:ro"]))

    assert sql(box, "SELECT 1", password="from a file") == "1"
    assert box.stop() == 0


def test_sigterm_waits_for_sessions(image, boxes):
    box = ready(boxes.run(image, *QUICK, env={"POSTGRES_PASSWORD": PASSWORD, **INITDB}))

    assert box.stop("SIGTERM") == 0
    assert "smart shutdown request" in box.logs()
