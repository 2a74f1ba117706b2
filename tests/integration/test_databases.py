"""Test PostgreSQL and its two databases, each owned by a role of the same name."""

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

pytestmark = pytest.mark.service("postgresql")


@pytest.fixture
def scratch(dagster_database, unique):
    """Provide a committed table (id primary key, note); it is dropped afterwards."""
    name = sql.Identifier(unique)
    dagster_database.execute(sql.SQL("create table {} (id integer primary key, note text)").format(name))
    dagster_database.commit()
    yield name
    dagster_database.rollback()
    dagster_database.execute(sql.SQL("drop table {}").format(name))
    dagster_database.commit()


def test_dagster_role_owns_its_database(dagster_database):
    who = dagster_database.execute("select current_user, current_database()").fetchone()

    assert who == ("dagster", "dagster")


def test_polaris_role_owns_its_database(polaris_database):
    who = polaris_database.execute("select current_user, current_database()").fetchone()

    assert who == ("polaris", "polaris")


def test_server_version_equals_production(dagster_database):
    assert dagster_database.info.server_version // 10000 == 17


def test_roles_have_no_elevated_privileges(dagster_database, polaris_database):
    for connection in (dagster_database, polaris_database):
        rights = connection.execute(
            "select rolsuper, rolcreaterole, rolreplication from pg_roles where rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False)


def test_role_cannot_connect_to_other_database(dagster_database, endpoints):
    # The role is valid: its own database accepted it just before.
    elsewhere = make_conninfo(endpoints.dagster_database, dbname="polaris")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(elsewhere, connect_timeout=3)


def test_only_committed_rows_are_visible_to_others(dagster_database, endpoints, scratch):
    insert = sql.SQL("insert into {} values (%s, %s)").format(scratch)
    count = sql.SQL("select count(*) from {}").format(scratch)
    with psycopg.connect(endpoints.dagster_database, connect_timeout=3, autocommit=True) as other:
        dagster_database.execute(insert, (1, "first"))
        assert other.execute(count).fetchone() == (0,)
        dagster_database.commit()
        assert other.execute(count).fetchone() == (1,)
        dagster_database.execute(insert, (2, "second"))
        dagster_database.rollback()
        assert other.execute(count).fetchone() == (1,)


def test_duplicate_key_is_an_error(dagster_database, scratch):
    insert = sql.SQL("insert into {} values (7, 'x')").format(scratch)
    dagster_database.execute(insert)

    with pytest.raises(errors.UniqueViolation):
        dagster_database.execute(insert)


def test_notification_reaches_listener(dagster_database, endpoints, unique):
    # Dagster's PostgreSQL storage watches its event log with notifications.
    with psycopg.connect(endpoints.dagster_database, connect_timeout=3, autocommit=True) as listener:
        listener.execute(sql.SQL("listen {}").format(sql.Identifier(unique)))
        dagster_database.execute("select pg_notify(%s, 'run-1')", (unique,))
        dagster_database.commit()

        heard = list(listener.notifies(timeout=5, stop_after=1))

    assert [(note.channel, note.payload) for note in heard] == [(unique, "run-1")]
