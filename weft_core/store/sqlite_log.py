"""Keeping the file of SQLite's write-ahead log longer than it is used.

Every commit waits until its part of the log is on the disk. Where that makes the file longer the file system has to
write its own books too, and the commit takes two to three times as long (measured on ext4). SQLite uses the log again
from its start once it is LOG_PAGES long, and deletes it with the last connection: so each process began with a
thousand slow commits. A transaction that does not fit into the cache leaves its pages in the log when it is taken
back: they count for nothing, and the file stays as long as it is.
"""

from __future__ import annotations

import os
import sqlite3

LOG_PAGES = 1_000
"""Pages of the log after which SQLite begins again at its start (its own default)."""
FIRST_PAGES = 64
"""By how much the log is made longer at first; it doubles from then on."""
COMMITS_BEFORE = 8
"""Commits of a connection that go before: whoever writes little has no use for a long log."""
LOOK_EVERY = 16
"""Commits between two looks at the file."""
_NEVER = 1 << 62
_CACHE_PAGES = 4


class LogAhead:
    """Makes the log of one connection longer, piece by piece, ahead of its commits. `left` commits until the next look."""

    __slots__ = ("_connection", "_filled", "_path", "_unused", "left")

    def __init__(self, connection: sqlite3.Connection, path: str, *, wanted: bool) -> None:
        self.left = COMMITS_BEFORE if wanted else _NEVER
        self._connection = connection
        self._path = f"{path}-wal"
        self._filled = 0
        self._unused = 0

    def look(self) -> None:
        """Make the log longer if its end has been reached. A disk without room for that has none for commits either."""
        try:
            (page,) = self._connection.execute("PRAGMA page_size").fetchone()
            pages = os.path.getsize(self._path) // page
            if pages >= LOG_PAGES:
                self.left = LOG_PAGES  # somebody may make it short again
                return
            self._unused -= LOOK_EVERY  # a commit takes a page at the least
            if pages > self._filled or self._unused < LOOK_EVERY:
                self._unused = min(max(pages, FIRST_PAGES), LOG_PAGES - pages)
                self._lengthen(self._unused * page)
                self._filled = os.path.getsize(self._path) // page
            self.left = LOOK_EVERY
        except (sqlite3.Error, OSError):
            self.left = LOG_PAGES

    def _lengthen(self, size: int) -> None:
        execute = self._connection.execute
        (cache,) = execute("PRAGMA cache_size").fetchone()
        execute(f"PRAGMA cache_size = {_CACHE_PAGES}")
        try:
            execute("BEGIN IMMEDIATE")
            try:
                execute("INSERT INTO kv(key, value, version) VALUES('', zeroblob(?), 0)", (size,))
            finally:
                execute("ROLLBACK")
        finally:
            execute(f"PRAGMA cache_size = {cache}")
