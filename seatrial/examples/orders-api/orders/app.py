"""Define the HTTP API. `python -m orders.app` serves it on port 8080."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import psycopg
from flask import Flask, Response, jsonify, request
from psycopg.rows import dict_row

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0)
)
"""


def connect() -> psycopg.Connection[dict[str, Any]]:
    """Return a connection to the database in PGHOST, PGUSER and related variables."""
    connection = psycopg.connect(connect_timeout=5, row_factory=dict_row)
    connection.execute("SELECT pg_advisory_xact_lock(1)")  # concurrent first requests would both create the table
    connection.execute(SCHEMA)
    connection.commit()
    return connection


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)

    @app.get("/health")
    def health() -> tuple[Response, int]:
        try:
            with connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            return jsonify(status="unavailable", reason=str(error)), 503
        return jsonify(status="ok"), 200

    @app.get("/orders")
    def index() -> Response:
        with connect() as connection:
            return jsonify(connection.execute("SELECT * FROM orders ORDER BY id").fetchall())

    @app.post("/orders")
    def create() -> tuple[Response, int]:
        body = request.get_json()
        try:
            with connect() as connection:
                row = connection.execute(
                    "INSERT INTO orders (item, quantity) VALUES (%(item)s, %(quantity)s) RETURNING *", body
                ).fetchone()
        except (psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation, KeyError) as error:
            return jsonify(error=str(error)), 422
        return jsonify(row), 201

    @app.get("/orders/<int:number>")
    def read(number: int) -> tuple[Response, int]:
        with connect() as connection:
            row = connection.execute("SELECT * FROM orders WHERE id = %s", (number,)).fetchone()
        return (jsonify(row), 200) if row else (jsonify(error="no such order"), 404)

    @app.delete("/orders/<int:number>")
    def delete(number: int) -> tuple[str, int]:
        with connect() as connection:
            gone = connection.execute("DELETE FROM orders WHERE id = %s", (number,)).rowcount
        return "", 204 if gone else 404

    return app


if __name__ == "__main__":
    from waitress import serve

    # The first process of a container has no default handler. Without this one, Kubernetes kills it after 30 s.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(create_app(), host="0.0.0.0", port=int(os.environ.get("PORT", "8080")))  # noqa: S104 - it is a server
