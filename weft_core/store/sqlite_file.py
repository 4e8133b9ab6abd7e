"""The SQLite file behind a store: opening it, knowing it as ours, and the table from SQLite's errors to our own."""

from __future__ import annotations

import os
import sqlite3
from typing import NoReturn

from weft_core.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from weft_core.store.port import Batch

APPLICATION_ID = 0x57454654
"""`PRAGMA application_id` of a Weft store ("WEFT")."""
LAYOUT = 1
"""`PRAGMA user_version`: the layout of the tables."""
BUSY_MS = 25
"""How long SQLite may block the event loop waiting for another process's lock; then we wait without blocking."""
CACHE_KIB = 16_384
"""Page cache of one connection."""

_SCHEMA = f"""
CREATE TABLE kv(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE weft_store(number INTEGER NOT NULL, holder TEXT NOT NULL);
INSERT INTO weft_store(number, holder) VALUES(0, '');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {LAYOUT};
"""


def connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(
        path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False, cached_statements=64
    )


def prepare(connection: sqlite3.Connection, path: str, durability: str) -> None:
    """Check that the file is ours or empty, create the tables, set the connection up."""
    connection.execute("BEGIN")  # one moment for both questions: another process may be making its tables right now
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if application_id != APPLICATION_ID:
        if tables or application_id:
            raise StoreCorrupt(f"{path} is a SQLite database, but not a Weft store; give Weft a file of its own")
        connection.execute("PRAGMA journal_mode = WAL")  # stays in the file; anything else works too, only slower
        connection.execute("BEGIN IMMEDIATE")
        try:
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            if application_id != APPLICATION_ID:  # nobody else was faster
                for statement in _SCHEMA.strip().rstrip(";").split(";\n"):
                    connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout != LAYOUT:
        raise StoreError(f"{path} has layout {layout}, this version of Weft knows {LAYOUT}: use a matching version")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'strict' else 'NORMAL'}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema = OFF")


def find_out(connection: sqlite3.Connection, batch: Batch, number: int, data_version: int) -> bool | None:
    """Whether the commit `number`, whose COMMIT failed and was rolled back, is in the file; None when that is not known.

    Looking is not enough: after a failed fsync its frames may stand in the write-ahead log, and whoever opens the file
    next would take them up. So a commit of our own goes to the very place in the log where they would be.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            alone = connection.execute("PRAGMA data_version").fetchone() == (data_version,)
            applied = _applied(connection, batch, number, alone)
            # Past `number` too: its reservation may have been rolled back, and a number is never used twice.
            connection.execute("UPDATE weft_store SET number = max(number, ?) + 1", (number,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error:
        return None
    return applied


def _applied(connection: sqlite3.Connection, batch: Batch, number: int, alone: bool) -> bool | None:
    """What the file shows of a batch. `alone`: nobody else has written since, so that it shows all there is to know."""
    for key, value in batch.put.items():
        row = connection.execute("SELECT value, version FROM kv WHERE key = ?", (key,)).fetchone()
        if row == (value, number):
            return True
        if row is not None and row[1] < number:
            return False  # versions only grow
    if not alone:
        return None  # others may have removed the traces
    if batch.put:
        return False
    left = any(connection.execute("SELECT 1 FROM kv WHERE key = ?", (key,)).fetchone() for key in batch.delete)
    within = "SELECT 1 FROM kv WHERE key >= ? AND key < ?"
    return not left and not any(connection.execute(within, bounds).fetchone() for bounds in batch.delete_range)


def identity(path: str) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when Python's module itself objects."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def raise_translated(error: sqlite3.Error, path: str, *, applied: bool | None) -> NoReturn:
    """The one table from SQLite's result codes to our errors. `applied`: what is known unless the code says more."""
    translated: StoreError
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            translated = StoreUnavailable(f"{path} is locked by another process that does not let go", applied=False)
        case sqlite3.SQLITE_FULL:
            translated = StoreFull(f"no room left for {path}: free some space; nothing was written")
        case sqlite3.SQLITE_CORRUPT:
            translated = StoreCorrupt(f"{path} is damaged ({error}); restore a backup, or try sqlite3's .recover")
        case sqlite3.SQLITE_NOTADB:
            translated = StoreCorrupt(f"{path} is not a SQLite database")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            translated = StoreUnavailable(f"{path} cannot be written: check the permissions", applied=False)
        case sqlite3.SQLITE_CANTOPEN if not os.path.isdir(os.path.dirname(path)):
            translated = StoreUnavailable(f"{path}: the directory does not exist; create it first", applied=False)
        case sqlite3.SQLITE_CANTOPEN:
            translated = StoreUnavailable(f"{path} cannot be opened: check the permissions", applied=False)
        case sqlite3.SQLITE_TOOBIG:
            translated = StoreError(f"a value is larger than SQLite allows ({error}); nothing was written")
        case sqlite3.SQLITE_IOERR:
            translated = StoreUnavailable(f"{path}: reading or writing failed ({error})", applied=applied)
        case _:
            translated = StoreUnavailable(f"{path}: {error}", applied=applied)
    raise translated from error
