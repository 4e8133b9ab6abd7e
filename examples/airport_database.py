"""The database that the import writes to. It belongs to the demo, not to Weft, and it counts everything it is given.

`records.writes` says how often a row was written, `deliveries.times` how often a batch arrived: a batch that arrives
twice under one key (because somebody was killed before he could note that it had arrived) is applied once. `report`
reads from them whether every row arrived exactly once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    key TEXT PRIMARY KEY, data TEXT NOT NULL, run_id TEXT NOT NULL, number INTEGER NOT NULL, writes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    key TEXT PRIMARY KEY, run_id TEXT NOT NULL, number INTEGER NOT NULL, rows INTEGER NOT NULL, times INTEGER NOT NULL,
    at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS summaries (run_id TEXT PRIMARY KEY, data TEXT NOT NULL, writes INTEGER NOT NULL);
"""
GROUPED_BY = ("state", "country", "region", "type")
"""The first of these columns that a file has is counted in the summary."""


def open_database(path: str | None = None) -> sqlite3.Connection:
    """The database at `path`, else at $AIRPORTS_DB, else `airports.db` in the working directory."""
    connection = sqlite3.connect(path or os.environ.get("AIRPORTS_DB", "airports.db"), timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(SCHEMA)
    return connection


def look_up(db: sqlite3.Connection, keys: list[str]) -> list[str]:
    """Which of these keys are there."""
    query = "SELECT key FROM records WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key"
    return [key for (key,) in db.execute(query, (json.dumps(keys),))]


def write_batch(
    db: sqlite3.Connection, batch_key: str, run_id: str, number: int, heading: list[str], rows: list[list[str]]
) -> dict[str, Any]:
    """Write a batch, once per `batch_key`; a repetition changes nothing but its count and gets the same receipt."""
    with db:
        repeated = db.execute("UPDATE deliveries SET times = times + 1 WHERE key = ?", (batch_key,)).rowcount == 1
        if not repeated:
            db.execute(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?, 1, ?)", (batch_key, run_id, number, len(rows), time.time())
            )
            db.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET writes = writes + 1",
                [(row[0], json.dumps(dict(zip(heading, row, strict=True))), run_id, number) for row in rows],
            )
    return {"number": number, "rows": len(rows)}


def write_summary(db: sqlite3.Connection, run_id: str, summary: dict[str, Any]) -> dict[str, Any]:
    """Store the summary of a run, with how its rows are spread; a repetition changes nothing but its count."""
    top: dict[str, Any] = {}
    first = db.execute("SELECT data FROM records WHERE run_id = ? LIMIT 1", (run_id,)).fetchone()
    column = next((c for c in GROUPED_BY if first and c in json.loads(first[0])), None)
    if column is not None:
        counted = db.execute(
            "SELECT json_extract(data, ?) AS value, count(*) AS n FROM records WHERE run_id = ? "
            "GROUP BY value ORDER BY n DESC, value LIMIT 5",
            (f'$."{column}"', run_id),
        )
        top = {"column": column, "values": dict(counted.fetchall())}
    stored = {**summary, "top": top}
    with db:
        db.execute(
            "INSERT INTO summaries VALUES (?, ?, 1) ON CONFLICT (run_id) DO UPDATE SET writes = writes + 1",
            (run_id, json.dumps(stored)),
        )
    return stored


def report(db: sqlite3.Connection, run_id: str) -> dict[str, Any]:
    """What arrived of one run: counts, and the check that every row was written exactly once."""
    rows, most, least = db.execute(
        "SELECT count(*), coalesce(max(writes), 0), coalesce(min(writes), 0) FROM records WHERE run_id = ?", (run_id,)
    ).fetchone()
    batches, delivered, repeated = db.execute(
        "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(times), 0) - count(*) FROM deliveries WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    summary = db.execute("SELECT data FROM summaries WHERE run_id = ?", (run_id,)).fetchone()
    return {
        "rows": rows,
        "batches": batches,
        "repeated_deliveries": repeated,
        "writes_per_row_most": most,
        "exactly_once": rows == delivered and (rows == 0 or most == least == 1),
        "summary": None if summary is None else json.loads(summary[0]),
    }


METHODS: dict[str, Callable[..., Any]] = {
    "look_up": look_up,
    "write_batch": write_batch,
    "write_summary": write_summary,
    "report": report,
}


def call(method: str, *, path: str | None = None, **arguments: Any) -> Any:
    """Open the database, call one of `METHODS`, close it. `LookupError` for another name."""
    if method not in METHODS:
        raise LookupError(f"the database has no {method!r}; it has {', '.join(METHODS)}")
    with closing(open_database(path)) as db:
        return METHODS[method](db, **arguments)
