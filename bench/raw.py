"""The raw loops: the same writes without an engine, as fast as stdlib sqlite3 does them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

PAYLOAD = '{"frame":"' + "x" * 388 + '"}'
"""400 bytes, as a small frame takes."""


def connect(folder: Path) -> sqlite3.Connection:
    """A file with WAL and synchronous=FULL, as the SQLite store opens it."""
    db = sqlite3.connect(folder / "raw.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID")
    return db


def commits(folder: Path, *, count: int, puts: int) -> float:
    """Puts per second times 1/`puts`: commits per second of `puts` rows each."""
    db = connect(folder)
    sql = (
        "INSERT INTO kv VALUES (?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version"
    )
    began = time.perf_counter()
    for number in range(count):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(sql, [(f"k/{(number * puts + i) % 2_000:06d}", PAYLOAD, number) for i in range(puts)])
        db.execute("COMMIT")
    took = time.perf_counter() - began
    db.close()
    return count / took
