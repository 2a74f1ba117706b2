"""PostgreSQL with its two databases, each owned by a role of the same name."""

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

pytestmark = pytest.mark.service("postgresql")


@pytest.fixture
def scratch(dagster_database, unique):
    """A table (id primary key, note), committed; removed afterwards."""
    name = sql.Identifier(unique)
    dagster_database.execute(sql.SQL("create table {} (id integer primary key, note text)").format(name))
    dagster_database.commit()
    yield name
    dagster_database.rollback()
    dagster_database.execute(sql.SQL("drop table {}").format(name))
    dagster_database.commit()


def test_dagster_is_at_home_in_its_database(dagster_database):
    who = dagster_database.execute("select current_user, current_database()").fetchone()

    assert who == ("dagster", "dagster")


def test_polaris_is_at_home_in_its_database(polaris_database):
    who = polaris_database.execute("select current_user, current_database()").fetchone()

    assert who == ("polaris", "polaris")


def test_the_server_is_the_version_production_runs(dagster_database):
    assert dagster_database.info.server_version // 10000 == 17


def test_no_role_is_more_than_an_owner(dagster_database, polaris_database):
    for connection in (dagster_database, polaris_database):
        rights = connection.execute(
            "select rolsuper, rolcreaterole, rolreplication from pg_roles where rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False)


def test_a_role_is_kept_out_of_the_other_database(dagster_database, endpoints):
    # The role is who it is: its own database let it in just now.
    elsewhere = make_conninfo(endpoints.dagster_database, dbname="polaris")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(elsewhere, connect_timeout=3)


def test_what_is_committed_is_seen_by_others_and_what_is_not_is_not(dagster_database, endpoints, scratch):
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


def test_a_key_cannot_be_used_twice(dagster_database, scratch):
    insert = sql.SQL("insert into {} values (7, 'x')").format(scratch)
    dagster_database.execute(insert)

    with pytest.raises(errors.UniqueViolation):
        dagster_database.execute(insert)


def test_a_notification_reaches_who_listens(dagster_database, endpoints, unique):
    # Dagster's PostgreSQL storage watches its event log this way.
    with psycopg.connect(endpoints.dagster_database, connect_timeout=3, autocommit=True) as listener:
        listener.execute(sql.SQL("listen {}").format(sql.Identifier(unique)))
        dagster_database.execute("select pg_notify(%s, 'run-1')", (unique,))
        dagster_database.commit()

        heard = list(listener.notifies(timeout=5, stop_after=1))

    assert [(note.channel, note.payload) for note in heard] == [(unique, "run-1")]
