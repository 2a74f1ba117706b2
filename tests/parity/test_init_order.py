"""Test the order of init containers and hook Jobs."""

import pytest


@pytest.mark.service("kubernetes")
def test_container_starts_after_init_container(scene, client_report):
    pod = scene.pod("client")

    waited = pod.status.init_container_statuses[0].state.terminated
    assert waited.exit_code == 0
    assert waited.finished_at <= pod.status.container_statuses[0].state.terminated.started_at
    assert set(client_report["answers"].values()) >= {"200"}


@pytest.mark.service("kubernetes", "polaris")
def test_catalog_starts_after_database_answers(floe_pods):
    (pod, *_) = floe_pods("polaris")

    states = {status.name: status.state.terminated for status in pod.status.init_container_statuses or []}
    waited = states["wait-for-postgresql"]
    assert waited.exit_code == 0
    state = pod.status.container_statuses[0].state
    assert waited.finished_at <= (state.running or state.terminated).started_at


@pytest.mark.service("postgresql")
def test_migrations_were_applied_in_order(dagster_database):
    applied = dagster_database.execute("select name from floe.migration order by applied_at").fetchall()

    assert [name for (name,) in applied] == ["001_datasets", "002_retention"]


@pytest.mark.service("postgresql")
def test_seed_data_has_all_datasets(dagster_database):
    names = {name for (name,) in dagster_database.execute("select name from floe.dataset").fetchall()}

    assert names >= {"shop.orders", "shop.customers", "web.visits"}


@pytest.mark.service("postgresql")
def test_seed_data_follows_migrations(dagster_database):
    (migrated,) = dagster_database.execute("select min(applied_at) from floe.migration").fetchone()
    (seeded,) = dagster_database.execute("select min(created_at) from floe.dataset").fetchone()

    assert migrated < seeded
