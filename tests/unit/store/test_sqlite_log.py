"""The write-ahead log's file is made longer ahead of the commits, which nobody notices but by their speed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from weft_core.store.port import Batch
from weft_core.store.sqlite import SqliteStore
from weft_core.store.sqlite_file import CACHE_KIB
from weft_core.store.sqlite_log import COMMITS_BEFORE, LOG_PAGES


async def test_the_log_s_file_is_made_longer_ahead_of_strict_commits(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    store = await SqliteStore.open(str(path))
    sizes = []
    for n in range(1_200):
        await store.commit(Batch(put={f"row/{n % 3}": f"{n}"}))
        sizes.append((tmp_path / "shop.db-wal").stat().st_size // 4096)
    assert sizes[COMMITS_BEFORE - 2] <= 2 * COMMITS_BEFORE  # who writes little pays nothing
    grown = [(n, after) for n, (before, after) in enumerate(pairwise(sizes)) if after != before]
    assert len([n for n, _ in grown if n > COMMITS_BEFORE]) < 40, f"the file grows with the commits: {grown}"
    assert sizes[-1] >= LOG_PAGES
    (cache,) = store._execute("PRAGMA cache_size").fetchone()
    assert cache == -CACHE_KIB
    await store.close()
    again = await SqliteStore.open(str(path))
    assert again._execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [row.value for row in await again.scan("", "~")] == ["1197", "1198", "1199"]
    assert again._execute("PRAGMA page_count").fetchone()[0] < 20
    await again.close()


async def test_no_room_for_a_longer_log_is_no_error_of_a_commit(tmp_path: Path) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"))
    store._execute("PRAGMA max_page_count = 30").fetchone()
    for n in range(4 * COMMITS_BEFORE):
        await store.commit(Batch(put={"a": f"{n}"}))
    assert [row.value for row in await store.scan("", "~")] == [f"{4 * COMMITS_BEFORE - 1}"]
    assert (tmp_path / "shop.db-wal").stat().st_size < 64 * 4096
    assert not store._connection.in_transaction
    await store.close()


async def test_relaxed_commits_leave_the_log_alone(tmp_path: Path) -> None:
    store = await SqliteStore.open(str(tmp_path / "shop.db"), durability="relaxed")
    for n in range(4 * COMMITS_BEFORE):
        await store.commit(Batch(put={"a": f"{n}"}))
    assert (tmp_path / "shop.db-wal").stat().st_size < 64 * 4096
    await store.close()
