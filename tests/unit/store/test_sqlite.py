"""SQLite as a store: what only a file can show. Other processes are real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from weft_core.errors import Conflict, StoreCorrupt, StoreError, StoreFull, StoreOwned, StoreUnavailable
from weft_core.store import Batch, open_store
from weft_core.store import sqlite as sqlite_module
from weft_core.store.sqlite import STEPS_TRUSTED, SqliteStore


@contextmanager
def other_process(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python in another process; it prints a line when it is where the test wants it, and waits on stdin."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


OWN_THE_STORE = """
import asyncio, sys
from weft_core.store.sqlite import SqliteStore
async def main():
    store = await SqliteStore.open(sys.argv[1])
    await store.acquire()
    print("owned", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""

WRITE_FOR_EVER = """
import asyncio, sys
from weft_core.store.sqlite import SqliteStore
from weft_core.store.port import Batch
async def main():
    store = await SqliteStore.open(sys.argv[1])
    n = 0
    while True:
        n += 1
        number = await store.commit(Batch(put={"a": str(n), "b": str(n), f"row/{n:06d}": "x" * 500}))
        print(n, number, flush=True)
asyncio.run(main())
"""

HOLD_THE_WRITE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("free", flush=True)
sys.stdin.read()
"""


async def test_a_second_process_is_refused_and_told_who_owns_the_store(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    with other_process(OWN_THE_STORE, path) as process:
        assert line_of(process) == "owned"
        store = await SqliteStore.open(path)
        with pytest.raises(StoreOwned, match=rf"process {process.pid}\b.*Client"):
            await store.acquire()
        await store.commit(Batch(put={"a": "1"}))  # a client needs no ownership
        waiting = asyncio.ensure_future(store.acquire(wait=True))
        await asyncio.sleep(0)
        assert not waiting.done()
        process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(10):
            await waiting
        await store.close()


async def test_commits_that_returned_survive_sigkill_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    last = 0
    for _ in range(5):
        with other_process(WRITE_FOR_EVER, path) as process:
            n = number = 0
            for _ in range(25):
                n, number = map(int, line_of(process).split())
            process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            for line in process.stdout:  # what it printed until it died
                if line.endswith("\n"):
                    n, number = map(int, line.split())
        store = await SqliteStore.open(path)
        rows = await store.get(["a", "b"])
        assert rows["a"].value == rows["b"].value
        assert rows["a"].version == rows["b"].version
        assert int(rows["a"].value) in (n, n + 1), "an acknowledged commit was lost"
        assert number > last, "commit numbers went back after a crash"
        last = await store.commit(Batch(delete_range=[("row/", "row0")]))
        assert last > number
        await store.close()


async def test_a_locked_file_is_waited_for_without_blocking_the_loop(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    store = await SqliteStore.open(path)
    with other_process(HOLD_THE_WRITE_LOCK, path) as process:
        assert line_of(process) == "locked"
        committing = asyncio.ensure_future(store.commit(Batch(put={"a": "1"})))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not committing.done()
        assert await store.get(["a"]) == {}  # readers are not stopped by a writer
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert line_of(process) == "free"
        async with asyncio.timeout(10):
            await committing
    assert (await store.get(["a"]))["a"].value == "1"
    await store.close()


async def test_a_file_locked_for_ever_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_ATTEMPTS_MAX", 1)
    path = str(tmp_path / "shop.db")
    store = await SqliteStore.open(path)
    with other_process(HOLD_THE_WRITE_LOCK, path) as process:
        assert line_of(process) == "locked"
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            await store.commit(Batch(put={"a": "1"}))
        assert caught.value.applied is False
    await store.close()


async def test_commits_of_another_process_are_seen_hinted_and_numbered_in_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    store = await SqliteStore.open(path)
    rung = asyncio.Event()
    store.watch(rung.set)
    numbers = [await store.commit(Batch(put={"mine": "1"}))]
    rung.clear()
    with other_process(WRITE_FOR_EVER, path) as process:
        for _ in range(10):
            _, number = map(int, line_of(process).split())
        async with asyncio.timeout(10):
            await rung.wait()
        stale = (await store.get(["a"]))["a"].version
        numbers += [number]
        assert await store.commit(Batch(put={"mine": "2"})) > number
        for _ in range(20):
            line_of(process)
        with pytest.raises(Conflict):
            await store.commit(Batch(expect={"a": stale}, put={"a": "late"}))
    assert numbers == sorted(set(numbers))
    await store.close()


async def test_numbers_of_two_handles_never_go_back(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    stores = [await SqliteStore.open(path) for _ in range(3)]
    last = 0
    for turn in "0001110102222010101222" * 30:
        number = await stores[int(turn)].commit(Batch(put={"a": turn}))
        assert number > last
        last = number
        if number % 7 == 0:
            with pytest.raises(Conflict):
                await stores[0].commit(Batch(expect={"a": 0}, put={"a": "x"}))
    assert last > sqlite_module.NUMBERS_RESERVED
    for store in stores:
        await store.close()


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere/shop\.db: the directory does not exist"):
        await open_store(f"sqlite:///{tmp_path}/nowhere/shop.db")


async def test_a_directory_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await open_store(f"sqlite:///{tmp_path}")


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are my notes, not a database\n" * 40)
    with pytest.raises(StoreCorrupt, match="not a SQLite database"):
        await open_store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are my notes")


async def test_somebody_else_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers(name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="not a Weft store"):
        await open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    await (await SqliteStore.open(str(path))).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="layout 99"):
        await SqliteStore.open(str(path))


async def test_a_damaged_page_is_reported_as_such(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    store = await SqliteStore.open(str(path))
    await store.commit(Batch(put={f"row/{n:04d}": "x" * 400 for n in range(500)}))
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 20)
    store = await SqliteStore.open(str(path))
    with pytest.raises(StoreCorrupt, match="damaged"):
        await store.scan("row/", "row0")
    await store.close()


async def test_a_full_disk_writes_nothing_and_reads_go_on(tmp_path: Path) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"))
    first = await store.commit(Batch(put={"a": "1"}))
    store._execute("PRAGMA max_page_count = 10").fetchone()
    with pytest.raises(StoreFull, match="nothing was written"):
        await store.commit(Batch(expect={"a": first}, put={"a": "2", "big": "x" * 200_000}))
    assert {key: row.value for key, row in (await store.get(["a", "big"])).items()} == {"a": "1"}
    store._execute("PRAGMA max_page_count = 100000").fetchone()
    assert await store.commit(Batch(expect={"a": first}, put={"a": "3", "big": "x" * 200_000})) > first
    await store.close()


class LosingCommits:
    """The connection's `execute`, with some COMMITs that end in an I/O error, carried out before that or not."""

    def __init__(self, store: SqliteStore, *, applied: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.connection = store._connection
        self.applied, self.meanwhile = applied, meanwhile
        self.left = 1
        store._execute = self  # type: ignore[assignment]

    def __call__(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT" or not self.left:
            return self.connection.execute(sql, *parameters)
        self.left -= 1
        self.connection.execute("COMMIT" if self.applied else "ROLLBACK")
        self.meanwhile()
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error


BATCHES = [
    Batch(put={"new": "1"}),
    Batch(put={"old": "2", "new": "1"}, delete={"gone"}),
    Batch(delete={"gone"}),
    Batch(delete_range=[("g", "h")]),
]


@pytest.mark.parametrize("batch", BATCHES)
async def test_a_commit_that_failed_and_was_applied_all_the_same_is_found_out(tmp_path: Path, batch: Batch) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"))
    first = await store.commit(Batch(put={"old": "1", "gone": "1"}))
    LosingCommits(store, applied=True)
    number = await store.commit(batch)
    rows = {row.key: row for row in await store.scan("a", "z")}
    assert {key: row.version for key, row in rows.items() if key in batch.put} == dict.fromkeys(batch.put, number)
    assert ("gone" in rows) == (not batch.delete and not batch.delete_range)
    assert await store.commit(Batch(put={"later": "1"})) > number > first
    await store.close()


@pytest.mark.parametrize("batch", BATCHES)
async def test_a_commit_that_failed_says_that_nothing_was_written(tmp_path: Path, batch: Batch) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"))
    first = await store.commit(Batch(put={"old": "1", "gone": "1"}))
    LosingCommits(store, applied=False)
    with pytest.raises(StoreUnavailable, match="disk I/O error") as caught:
        await store.commit(batch)
    assert caught.value.applied is False
    assert {row.key: row.version for row in await store.scan("a", "z")} == {"gone": first, "old": first}
    assert await store.commit(batch) > first
    await store.close()


@pytest.mark.parametrize("applied", [True, False])
async def test_what_others_wrote_over_is_not_known(tmp_path: Path, applied: bool) -> None:
    store, other = [await SqliteStore.open(str(tmp_path / "shop.db")) for _ in range(2)]

    def overwrite() -> None:
        with sqlite3.connect(tmp_path / "shop.db") as connection:
            connection.execute("INSERT OR REPLACE INTO kv VALUES('new', '5', 10000)")
        connection.close()

    LosingCommits(store, applied=applied, meanwhile=overwrite)
    with pytest.raises(StoreUnavailable) as caught:
        await store.commit(Batch(put={"new": "1"}))
    assert caught.value.applied is None
    await store.close()
    await other.close()


@pytest.mark.skipif(os.name == "nt", reason="there are no limits of a process there")
def test_a_disk_that_refuses_the_commit_s_last_write(tmp_path: Path) -> None:
    program = """
import asyncio, os, resource, sys
from weft_core.errors import StoreUnavailable
from weft_core.store.port import Batch
from weft_core.store.sqlite import SqliteStore
path = sys.argv[1]

async def main():
    store = await SqliteStore.open(path)
    first = await store.commit(Batch(put={"a": "1"}))
    size = os.path.getsize(path + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5_000, resource.RLIM_INFINITY))
    told = []
    try:
        await store.commit(Batch(expect={"a": first}, put={"a": "x" * 20_000, "b": "2"}))
    except StoreUnavailable as error:
        told.append(error.applied)
    rows = [row.key for row in await store.scan("a", "z")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    second = await store.commit(Batch(expect={"a": first}, put={"a": "3"}))
    print(told, rows, second > first)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "shop.db"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[False] ['a'] True\n", "")


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_vanished_file_is_noticed_by_the_next_commit(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "shop.db"
    store = await SqliteStore.open(str(path))
    await store.commit(Batch(put={"a": "1"}))
    path.rename(tmp_path / "away.db")
    if replaced:
        path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="deleted or replaced") as caught:
        await store.commit(Batch(put={"a": "2"}))
    assert caught.value.applied is False
    await store.close()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
async def test_steps_of_an_engine_notice_a_vanished_file_soon_and_whoever_is_told_something_at_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.db"
    store = await SqliteStore.open(str(path))
    store.watch(lambda: None)
    owner = await store.commit(Batch(put={"owner": "me"}))
    step = Batch(expect={"owner": owner}, put={"fiber/r/0": "1"})
    for _ in range(3):
        await store.commit(step)
    path.rename(tmp_path / "away.db")
    start = Batch(expect={"owner": owner, "run/s": 0}, put={"run/s": "1", "fiber/s/0": "1"})
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.commit(start)
    (tmp_path / "away.db").rename(path)
    number = await store.commit(start)
    path.rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.commit(Batch(expect={"owner": owner, "run/s": number}, put={"run/s": "2"}))
    (tmp_path / "away.db").rename(path)
    await store.commit(Batch(put={"run/t": "1", "fiber/t/0": "1"}))
    path.rename(tmp_path / "away.db")
    for _ in range(STEPS_TRUSTED):  # in a row: no look for news comes between
        await store.commit(step)
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.commit(step)
    (tmp_path / "away.db").rename(path)
    await store.commit(step)
    path.rename(tmp_path / "away.db")
    store._look()  # what its timer does
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.commit(step)
    await store.close()


async def test_strict_and_relaxed_set_what_they_say(tmp_path: Path) -> None:
    for option, synchronous in (("", 2), ("?durability=strict", 2), ("?durability=relaxed", 1)):
        store = await open_store(f"sqlite:///{tmp_path}/shop.db{option}")
        assert isinstance(store, SqliteStore)
        assert store._execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert store._execute("PRAGMA journal_mode").fetchone() == ("wal",)
        await store.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.db",
        "sqlite:",
        "sqlite://shop.db",
        "sqlite:///",
        "postgres",
        "memory:x",
        "indexeddb:",
        "sqlite:///x?a=b",
    ],
)
async def test_an_unknown_url_says_what_is_known(url: str) -> None:
    with pytest.raises(StoreError, match="store"):
        await open_store(url)


async def test_a_watched_store_stops_looking_when_closed(tmp_path: Path) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"))
    undo = store.watch(lambda: None)
    assert store._poll is not None
    undo()
    assert store._poll is None
    store.watch(lambda: None)
    await store.close()
    assert store._poll is None
