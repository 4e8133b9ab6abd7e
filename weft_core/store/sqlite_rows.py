"""Reading and writing rows of SQLite's table `kv`, few or many: what a transaction of the store is made of."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from weft_core.store.port import Batch

KEYS_PER_QUERY = 256
"""Keys looked up by one statement; a power of two, because statements are padded to powers of two and cached."""
ROWS_PER_STATEMENT = 32
"""Rows put or deleted by one statement where there are so many: half the time a row of one statement for each takes."""

_KEY, _TEXT = itemgetter(0), itemgetter(1)
Many = Callable[[str, list[Any]], sqlite3.Cursor]
"""`executemany` of a connection."""


def _puts(rows: int, on_conflict: str = "") -> str:
    return f"INSERT INTO kv(key, value, version) VALUES {', '.join(['(?, ?, ?)'] * rows)}{on_conflict}"


_REPLACE = " ON CONFLICT(key) DO UPDATE SET value = excluded.value, version = excluded.version"
UPSERT, _UPSERT_MANY = _puts(1, _REPLACE), _puts(ROWS_PER_STATEMENT, _REPLACE)
_INSERT, _INSERT_MANY = _puts(1), _puts(ROWS_PER_STATEMENT)
_DELETE = "DELETE FROM kv WHERE key = ?"
_DELETE_MANY = f"DELETE FROM kv WHERE key IN ({', '.join(['?'] * ROWS_PER_STATEMENT)})"
_DELETE_EXPECTED = "DELETE FROM kv WHERE key = ? AND version = ?"
DELETE_RANGE = "DELETE FROM kv WHERE key >= ? AND key < ?"


def select(
    execute: Callable[[str, list[str]], sqlite3.Cursor], columns: str, keys: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The chosen columns of those `keys` that exist; in one statement per `KEYS_PER_QUERY`."""
    for at in range(0, len(keys), KEYS_PER_QUERY):
        chunk = keys[at : at + KEYS_PER_QUERY]
        places = 1 << (len(chunk) - 1).bit_length()
        sql = f"SELECT {columns} FROM kv WHERE key IN ({'?,' * (places - 1)}?)"
        yield from execute(sql, [*chunk, *([chunk[-1]] * (places - len(chunk)))])


def upsert(many: Many, rows: Iterable[tuple[str, str]], number: int) -> None:
    """Put rows that may be there."""
    _put(many, UPSERT, _UPSERT_MANY, rows, number)


def insert(many: Many, rows: Iterable[tuple[str, str]], number: int) -> None:
    """Put rows that are not there. `sqlite3.IntegrityError` when one is."""
    _put(many, _INSERT, _INSERT_MANY, rows, number)


def _put(many: Many, one: str, together: str, rows: Iterable[tuple[str, str]], number: int) -> None:
    # In the order of their keys they lie side by side in the index (measured: new rows take less than half the time).
    ordered = sorted(rows)
    values = [*chain.from_iterable(zip(map(_KEY, ordered), map(_TEXT, ordered), repeat(number)))]
    size = 3 * ROWS_PER_STATEMENT
    rest = len(values) - len(values) % size
    if rest:
        many(together, [values[at : at + size] for at in range(0, rest, size)])
    if rest < len(values):
        many(one, [values[at : at + 3] for at in range(rest, len(values), 3)])


def delete(many: Many, keys: Iterable[str]) -> None:
    """Delete rows; those that are not there are passed over."""
    ordered = sorted(keys)
    size = ROWS_PER_STATEMENT
    rest = len(ordered) - len(ordered) % size
    if rest:
        many(_DELETE_MANY, [ordered[at : at + size] for at in range(0, rest, size)])
    if rest < len(ordered):
        many(_DELETE, [(key,) for key in ordered[rest:]])


def delete_expected(many: Many, rows: list[tuple[str, int]]) -> bool:
    """Delete rows of these versions. False, with a transaction to roll back, when some row is not there or another."""
    return many(_DELETE_EXPECTED, sorted(rows)).rowcount == len(rows)


def deletes_what_it_puts(batch: Batch) -> bool:
    """Whether some key is both deleted and put, so that the order matters."""
    if not batch.put:
        return False
    if not batch.delete.isdisjoint(batch.put):
        return True
    if not batch.delete_range:
        return False
    put = sorted(batch.put)
    return any(bisect_left(put, start) < bisect_left(put, end) for start, end in batch.delete_range)
