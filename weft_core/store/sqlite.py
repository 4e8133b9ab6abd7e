"""A store in one SQLite file. Commits run inline on the event loop: a thread hop costs more than most of them.

    kv          the rows, a rowid table (measured: with rows of 400 B and more, `WITHOUT ROWID` inserts at a quarter of
                its rate)
    weft_store  one row: the commit numbers handed out so far, and what to say about the owner
    PATH.owner  a second, empty database; whoever holds its exclusive lock is the engine. The lock is the operating
                system's, so it is free the moment its holder dies.

Commit numbers must only ever grow, also across processes and deletes, but writing a counter with each commit would
cost a third page. So a connection reserves a block of numbers in the file, and takes a new block whenever somebody
else has written in between (`PRAGMA data_version` tells, under the write lock): numbers are skipped, never reused.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Literal

from weft_core.errors import Conflict, StoreOwned, StoreUnavailable
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row
from weft_core.store.sqlite_file import connect, find_out, identity, is_busy, prepare, raise_translated
from weft_core.store.sqlite_log import LogAhead
from weft_core.store.sqlite_rows import (
    DELETE_RANGE,
    KEYS_PER_QUERY,
    UPSERT,
    delete,
    delete_expected,
    deletes_what_it_puts,
    insert,
    select,
    upsert,
)

NUMBERS_RESERVED = 256
"""Commit numbers taken from the file at a time."""
BUSY_ATTEMPTS_MAX = 150
"""How often a locked file is tried again before `StoreUnavailable`: about ten seconds."""
BUSY_PAUSE_S = 0.04
"""Seconds between two such attempts."""
OWNER_POLL_S = 0.05
"""Seconds between two looks at a guard somebody else holds."""
WATCH_POLL_S = 0.02
"""Seconds between two looks for commits of other processes, while there are some."""
WATCH_POLL_IDLE_S = 0.1
"""The same when the last `WATCH_IDLE_LOOKS` looks found nothing."""
WATCH_IDLE_LOOKS = 50
STEPS_TRUSTED = 16
"""Steps of runs in a row, between two looks for news, for which it is not asked again whether the file is still there."""
VERIFIED_MAX = 16
"""Preconditions remembered to hold as long as nobody else writes into the file: the fence of every commit."""
_UPDATE = "UPDATE kv SET value = ?, version = ? WHERE key = ? AND version = ?"

_open_stores: dict[tuple[int, int], list[SqliteStore]] = {}
"""Open stores of this process by the identity of their file: they ring each other at once, without polling."""


class SqliteStore:
    """A `Store` in a SQLite file. Use it from one thread; several processes may open the same file."""

    def __init__(self, path: str, connection: sqlite3.Connection, durability: Literal["strict", "relaxed"]) -> None:
        """Made by `open`."""
        self.path = path
        self.url = "sqlite:///" + path
        self._connection = connection
        self._execute = connection.execute
        self._many = connection.executemany
        self._log = LogAhead(connection, path, wanted=durability == "strict")
        self._closed = False
        self._next = 1
        self._reserved = 0
        self._data_version = -1
        self._verified: dict[str, int] = {}
        self._guard: sqlite3.Connection | None = None
        self._watchers: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poll: asyncio.TimerHandle | None = None
        self._seen_data_version = -1
        self._idle_looks = 0
        self._identity = identity(path)
        self._trusted = 0
        self._peers = _open_stores.setdefault(self._identity, [])
        self._peers.append(self)

    @classmethod
    async def open(cls, path: str, *, durability: Literal["strict", "relaxed"] = "strict") -> SqliteStore:
        """Open the file, creating it (but not its directory).

        `strict` is `synchronous=FULL`, `relaxed` is `synchronous=NORMAL`, both in WAL mode.
        """
        path = os.path.abspath(path)
        attempts = 0
        while True:
            connection = None
            try:
                connection = connect(path)
                prepare(connection, path, durability)
                return cls(path, connection, durability)
            except sqlite3.Error as error:
                if connection is not None:
                    connection.close()
                attempts += 1
                if not is_busy(error) or attempts > BUSY_ATTEMPTS_MAX:
                    raise_translated(error, path, applied=False)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            await asyncio.sleep(BUSY_PAUSE_S)

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        self._check_open()
        if not keys:
            return {}
        attempts = 0
        while True:
            try:
                if len(keys) <= KEYS_PER_QUERY:
                    return {
                        key: Row(key, value, version)
                        for key, value, version in select(self._execute, "key, value, version", keys)
                    }
                self._execute("BEGIN")
                try:
                    return {
                        key: Row(key, value, version)
                        for key, value, version in select(self._execute, "key, value, version", keys)
                    }
                finally:
                    self._execute("ROLLBACK")
            except sqlite3.Error as error:
                attempts = await self._retry(error, attempts)

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        self._check_open()
        if limit <= 0:
            return []
        order = "DESC" if reverse else "ASC"
        sql = f"SELECT key, value, version FROM kv WHERE key >= ? AND key < ? ORDER BY key {order} LIMIT ?"
        attempts = 0
        while True:
            try:
                return list(map(Row._make, self._execute(sql, (start, end, limit))))
            except sqlite3.Error as error:
                attempts = await self._retry(error, attempts)

    async def commit(self, batch: Batch) -> int:
        self._check_open()
        attempts, writes = 0, bool(batch)
        while True:
            try:
                self._execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                break
            except sqlite3.Error as error:
                attempts = await self._retry(error, attempts)
        number, committing = 0, False
        try:
            if not writes:
                self._check(batch.expect)
                self._execute("ROLLBACK")
                return 0
            if self._trusted and len(batch.put) == 1 and len(batch.expect) == 1 and not batch.delete:
                self._trusted -= 1  # a step: nobody is told that it is durable
            else:
                self._check_file()
            number = self._number()
            if not self._write(batch, number):
                self._execute("ROLLBACK")
                self._reserved = 0
                self._execute("BEGIN IMMEDIATE")
                self._check(batch.expect)  # names the conflict; if it went away just now, we write after all
                number = self._number()
                self._write_checked(batch, number)
            committing = True
            self._execute("COMMIT")
        except BaseException as error:
            self._reserved = 0  # a reservation made in this transaction is gone with it
            self._verified.clear()
            self._roll_back()
            if not isinstance(error, sqlite3.Error):
                raise
            applied = find_out(self._connection, batch, number, self._data_version) if committing else False
            if not applied:
                raise_translated(error, self.path, applied=applied)
        self._next = number + 1
        log = self._log
        log.left -= 1
        if not log.left:
            log.look()
        for callback in self._watchers.copy():
            callback()
        if len(self._peers) > 1:
            self._ring_peers()
        return number

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._check_open()
        self._watchers.append(callback)
        self._loop = asyncio.get_running_loop()
        if self._poll is None:
            self._look()

        def undo() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)
            if not self._watchers:
                self._stop_polling()

        return undo

    async def acquire(self, *, wait: bool = False) -> None:
        self._check_open()
        if self._guard is not None:
            return
        guard_path = self.path + ".owner"
        guard = sqlite3.connect(guard_path, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            while True:
                try:
                    guard.execute("BEGIN EXCLUSIVE")
                    break
                except sqlite3.Error as error:
                    if not is_busy(error):
                        raise_translated(error, guard_path, applied=False)
                if not wait:
                    raise StoreOwned(
                        f"{self.path} is owned by another engine ({self._holder()}). One engine runs on a SQLite file "
                        "at a time: stop the other one, or use a Client, which needs no ownership"
                    )
                await asyncio.sleep(OWNER_POLL_S)
                self._check_open()
        except BaseException:
            guard.close()
            raise
        self._guard = guard
        self._write_holder(f"process {os.getpid()}")

    async def release(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    async def close(self) -> None:
        self.crash()

    def crash(self) -> None:
        """Let go of the file at once, as the death of the process would: commits that returned are in it."""
        if self._closed:
            return
        self._closed = True
        self._stop_polling()
        self._watchers.clear()
        self._peers.remove(self)
        if not self._peers:
            _open_stores.pop(self._identity, None)
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        self._connection.close()

    # -- commits ---------------------------------------------------------------------------------------------------

    def _check(self, expect: dict[str, int]) -> None:
        """Raise `Conflict` for the first precondition that does not hold."""
        if not expect:
            return
        found: dict[str, int] = dict(select(self._execute, "key, version", list(expect)))
        for key, expected in expect.items():
            if found.get(key, 0) != expected:
                raise Conflict(key, expected=expected, actual=found.get(key, 0))

    def _write(self, batch: Batch, number: int) -> bool:
        """Check and write; False (and a transaction to roll back) when some precondition does not hold.

        Most preconditions are about rows that the batch also puts: those are checked by the very statement that writes
        (measured: 0.95 instead of 0.77 of the unchecked rate in large batches).
        """
        expect, put, verified = batch.expect, batch.put, self._verified
        if not batch.delete and not batch.delete_range and verified.keys().isdisjoint(put):
            for key, version in expect.items():
                if key in put or verified.get(key) != version:
                    break
            else:  # a step of a run: nothing is expected but the fence, which was seen
                if len(put) == 1:
                    ((key, value),) = put.items()
                    self._execute(UPSERT, (key, value, number))
                else:
                    upsert(self._many, put.items(), number)
                return True
        if deletes_what_it_puts(batch):  # deletes have to come between check and put
            self._check(expect)
            self._write_checked(batch, number)
            return True
        apart: list[str] = []
        added: list[tuple[str, str]] = []
        changed: list[tuple[str, int, str, int]] = []
        gone: list[tuple[str, int]] = []
        for key, version in expect.items():
            if key in put:
                if version:
                    changed.append((put[key], number, key, version))
                else:
                    added.append((key, put[key]))
            elif verified.get(key) != version:
                if version and key in batch.delete:
                    gone.append((key, version))
                else:
                    apart.append(key)
        if apart:
            found: dict[str, int] = dict(select(self._execute, "key, version", apart))
            if any(found.get(key, 0) != expect[key] for key in apart):
                return False
        if len(verified) > VERIFIED_MAX or batch.delete_range:
            verified.clear()
        for key in apart:
            verified[key] = expect[key]
        for key in [key for key in verified if key in put or key in batch.delete]:
            del verified[key]
        if changed and self._many(_UPDATE, changed).rowcount != len(changed):
            return False
        if gone and not delete_expected(self._many, gone):
            return False
        if added:
            try:
                insert(self._many, added, number)
            except sqlite3.IntegrityError:
                return False
        for start, end in batch.delete_range:
            self._execute(DELETE_RANGE, (start, end))
        if len(batch.delete) > len(gone):
            delete(self._many, batch.delete.difference(key for key, _ in gone))
        if len(put) > len(changed) + len(added):
            upsert(self._many, [(key, value) for key, value in put.items() if key not in expect], number)
        return True

    def _write_checked(self, batch: Batch, number: int) -> None:
        """Write a batch whose preconditions hold."""
        self._verified.clear()
        for start, end in batch.delete_range:
            self._execute(DELETE_RANGE, (start, end))
        if batch.delete:
            delete(self._many, batch.delete)
        if batch.put:
            upsert(self._many, batch.put.items(), number)

    def _number(self) -> int:
        """The number of the commit in progress, larger than any other process or we ever used. Holds the write lock."""
        (data_version,) = self._execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            self._verified.clear()
        if data_version != self._data_version or self._next > self._reserved:
            (taken,) = self._execute("SELECT number FROM weft_store").fetchone()
            self._execute("UPDATE weft_store SET number = ?", (taken + NUMBERS_RESERVED,))
            self._next = taken + 1
            self._reserved = taken + NUMBERS_RESERVED
            self._data_version = data_version
        return self._next

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite had rolled back by itself, or the connection is beyond repair and the next call says so

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the store {self.path} was closed; open it again", applied=False)

    def _check_file(self) -> None:
        """SQLite goes on writing happily into a file that was deleted or replaced; nobody would ever see it again."""
        try:
            if identity(self.path) == self._identity:
                self._trusted = STEPS_TRUSTED if self._poll is not None else 0
                return
        except FileNotFoundError:
            pass
        raise StoreUnavailable(f"{self.path} was deleted or replaced while it was open", applied=False, gone=True)

    async def _retry(self, error: sqlite3.Error, attempts: int) -> int:
        """Wait a little when another process holds the lock; raise the translated error otherwise, or at last."""
        if not is_busy(error) or attempts >= BUSY_ATTEMPTS_MAX:
            raise_translated(error, self.path, applied=False)
        await asyncio.sleep(BUSY_PAUSE_S)
        self._check_open()
        return attempts + 1

    # -- ownership -------------------------------------------------------------------------------------------------

    def _holder(self) -> str:
        try:
            (holder,) = self._execute("SELECT holder FROM weft_store").fetchone()
        except sqlite3.Error:
            holder = ""
        return str(holder) or "which has not said who it is yet"

    def _write_holder(self, holder: str) -> None:
        try:
            self._execute("UPDATE weft_store SET holder = ?", (holder,))
        except sqlite3.Error:
            pass  # only for the message of the next one who asks

    # -- hints -----------------------------------------------------------------------------------------------------

    def _ring_peers(self) -> None:
        here = asyncio.get_running_loop()
        for peer in self._peers:
            if peer is self or peer._loop is None or not peer._watchers:
                continue
            for callback in peer._watchers.copy():
                if peer._loop is here:
                    callback()
                elif not peer._loop.is_closed():
                    peer._loop.call_soon_threadsafe(callback)

    def _look(self) -> None:
        """Ring when another connection has committed since the last look; look again soon."""
        assert self._loop is not None
        pause = WATCH_POLL_S if self._idle_looks < WATCH_IDLE_LOOKS else WATCH_POLL_IDLE_S
        self._poll = self._loop.call_later(pause, self._look)
        self._idle_looks += 1
        self._trusted = 0
        try:
            (data_version,) = self._execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return  # whoever uses the store meets the error
        if data_version != self._seen_data_version:
            self._idle_looks = 0
            first, self._seen_data_version = self._seen_data_version == -1, data_version
            if not first:
                for callback in self._watchers.copy():
                    callback()

    def _stop_polling(self) -> None:
        self._trusted = 0
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None
