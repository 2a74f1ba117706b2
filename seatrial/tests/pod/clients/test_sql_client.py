"""The SQL client of debug pods against a PostgreSQL server, and SQLite through SQLAlchemy."""

from __future__ import annotations

import pytest

from pod.fake_postgres import database


def test_sql_prints_rows_with_column_names(client):
    with database("scram") as (port, _):
        uri = f"postgresql://dagster:pass%20word%2F1@127.0.0.1:{port}/runs"
        done = client("sql", "SHOP_URI", "SELECT 1", SHOP_URI=uri)
        assert (done.returncode, done.stdout, done.stderr) == (0, "one\ttwo\n1\tNULL\n", "SELECT 1\n")
        assert client("sql", uri, "SELEC 1").stderr == "sql: syntax error\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["NOT_SET"], "sql: 'NOT_SET' is neither a URL nor a variable with a URL; list variables: env | grep ://\n"),
        (["postgresql://127.0.0.1:1/x"], "sql: [Errno 111] Connection refused\n"),
    ],
)
def test_sql_prints_an_error_in_one_line(client, argv, said):
    done = client("sql", *argv)

    assert (done.returncode, done.stderr) == (1, said)


def test_sql_uses_sqlalchemy_for_other_databases(client, tmp_path):
    done = client("sql", f"sqlite:///{tmp_path}/x.db", "SELECT 1 AS one, NULL AS two")
    assert (done.returncode, done.stdout) == (0, "one\ttwo\n1\tNULL\n")
    done = client("sql", f"sqlite:///{tmp_path}/x.db", "SELEC 1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "syntax error" in done.stderr
