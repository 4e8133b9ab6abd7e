"""What is stored of runs, as whoever reads a store wants it: told apart from what is missing or damaged."""

from __future__ import annotations

from weft_core.errors import DecodeError, LimitExceeded, RunNotFound
from weft_core.kernel.records import RunRecord, Status, status_of
from weft_core.store import keys
from weft_core.store.port import Row, Store


def not_found(run_id: str) -> RunNotFound:
    """The error of a run that is not there."""
    shown = repr(run_id) if len(run_id) <= 100 else f"{run_id[:30]!r}… ({len(run_id):,} characters)"
    return RunNotFound(f"no run {shown} in this store; `weft runs list` shows those there are")


def key_of(run_id: str) -> str:
    """The key of a run's record. An id that no run can have is not found, like any other that none has."""
    try:
        return keys.run(run_id)
    except LimitExceeded:
        raise not_found(run_id) from None


def read_record(row: Row, run_id: str) -> RunRecord:
    """A run's record. Raises `DecodeError` that names the run."""
    try:
        return RunRecord.from_json(row.value)
    except DecodeError as error:
        # It may still be mended by hand: neither an engine nor a client writes over it, not to terminate it either.
        raise DecodeError(
            f"the record of run {run_id!r} is damaged: {error}. Nothing can be done with this run until its row "
            f"{row.key!r} is restored from a backup of the store; other runs are not affected"
        ) from error


async def shown_status(store: Store, record: RunRecord) -> Status:
    """A run's status as people are told it (see `status_of`)."""
    rows = await scan_all(store, keys.fibers(record.id)) if record.status == "running" else ()
    return status_of(record, (row.value for row in rows))


async def scan_all(store: Store, prefix: str) -> list[Row]:
    """Every row under a prefix, however many."""
    found: list[Row] = []
    start, end = prefix, keys.prefix_end(prefix)
    while True:
        rows = await store.scan(start, end)
        found += rows
        if not rows or len(rows) < 1_000:
            return found
        start = rows[-1].key + "\x00"
