"""Missing tables, columns and buckets are explained with the steps that one side lacks."""

from __future__ import annotations

import pytest

from comparison.recorded_sides import container, explained, fact, facts


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('psycopg.errors.UndefinedTable: relation "orders" does not exist', "UndefinedTable"),
        ('ERROR:  column "amount" does not exist', 'column "amount" does not exist'),
        ("sqlite3.OperationalError: no such table: orders", "no such table"),
        ("botocore: An error occurred (NoSuchBucket) when calling", "NoSuchBucket"),
    ],
)
def test_what_is_missing_is_explained(text, missing):
    explanation = explained(text)

    assert explanation.rule == "init-or-migration"
    assert explanation.cause == f"{missing} in after"


def test_missing_order_is_no_missing_table():
    assert explained("order 7 does not exist") is None


def test_one_off_step_of_one_side_is_explained():
    other = facts(container(), container(name="migrate", names=(), once=True))

    assert fact(other, facts(), "service").explanation.cause == "the one-off step migrate runs on one side only"


def test_missing_service_is_no_one_off_step():
    assert fact(facts(container(), container(name="db", names=())), facts(), "service").explanation is None
