"""Runs that cannot be advanced here: set aside with the reason, everything else of them left alone."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable
from contextlib import suppress

from weft_core.engine.rows import RunKeys
from weft_core.errors import Conflict, StoreOwned, WeftError
from weft_core.kernel.records import InboxRow, RunRecord, Status, dump
from weft_core.reading import scan_all
from weft_core.store import keys
from weft_core.store.port import Batch, Row, Store

log = logging.getLogger("weft")

PROBLEM_MESSAGE_MAX = 2_000
"""Characters kept of why a run is parked."""


def fenced() -> StoreOwned:
    """The error of an engine whose commit was refused by the fence."""
    return StoreOwned(
        "another engine has taken over this store; this one stops and writes nothing more. "
        "Nothing is lost: the other engine has every committed step"
    )


class Parking:
    """Runs this engine has set aside. The next engine that opens the store tries each of them again.

    A parked run keeps its ready row, so that it is found again; `versions` remembers which version of it was seen, and
    a client that writes to the run makes this engine try once more.
    """

    def __init__(self, store: Store, owner_version: int) -> None:
        self.store = store
        self.owner_version = owner_version
        self.problems: dict[str, WeftError] = {}
        self.versions: dict[str, int] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self.problems

    def unchanged(self, run_id: str, ready_version: int) -> bool:
        """Whether the run is parked and nobody wrote to it since."""
        return run_id in self.problems and self.versions.get(run_id) == ready_version

    def leave(self, run_id: str) -> None:
        """The run could be read again."""
        if run_id in self.problems:
            del self.problems[run_id]
            self.versions.pop(run_id, None)

    async def park(self, run_id: str, error: WeftError) -> None:
        """Write the reason into the run's record, if that can be read. Raises `StoreOwned` when fenced."""
        if str(self.problems.get(run_id)) != str(error):  # tried again in vain, it is no news
            log.error("run %s is parked: %s", run_id, error)
        self.problems[run_id] = error
        run_key, ready_key = keys.run(run_id), keys.ready(run_id)
        rows = await self.store.get([run_key, ready_key])
        if ready_key in rows:
            self.versions[run_id] = rows[ready_key].version
        try:
            record = RunRecord.from_json(rows[run_key].value)
        except (KeyError, WeftError):
            return  # its own record is gone or damaged: nothing may be written over it
        record.problem = {"code": error.code, "message": str(error)[:PROBLEM_MESSAGE_MAX]}
        record.status = "suspended"
        batch = Batch(
            expect={keys.OWNER: self.owner_version, run_key: rows[run_key].version},
            put={run_key: record.to_json()},
        )
        if ready_key not in rows:
            batch.expect[ready_key] = 0
            batch.put[ready_key] = dump({"problem": error.code})
        number = await self._commit(batch)
        if number and ready_key not in rows:
            self.versions[run_id] = number

    async def end_if_asked(self, run_id: str, now: int) -> RunRecord | None:
        """End a run that cannot be read, if somebody has asked for that: nothing but its record has to be read for that.

        It is terminated; one that never began can be cancelled, too: none of its code has anything to clean up. Gives its
        record, or None when nobody asked, or somebody has written to it at this moment. `StoreOwned` when fenced.
        """
        run = RunKeys(run_id)
        rows = await self.store.get([run.run, run.ready, run.seq])
        try:
            record = RunRecord.from_json(rows[run.run].value)
        except (KeyError, WeftError):
            return None
        ends: dict[str, Status] = {"terminate": "terminated"}
        if record.started_at is None:
            ends["cancel"] = "cancelled"
        asked = _first_of(ends, await scan_all(self.store, run.inbox))
        if asked is None or record.closed:
            return None
        record.status, record.closed_at, record.problem = ends[asked.kind], now, None
        record.cancel_reason = record.cancel_reason or asked.name or record.status
        timers = [
            row.key for row in await scan_all(self.store, "timer/") if keys.unquote(row.key.split("/")[2]) == run_id
        ]
        number = await self._commit(
            Batch(
                expect={
                    keys.OWNER: self.owner_version,
                    **{key: rows[key].version if key in rows else 0 for key in (run.run, run.ready, run.seq)},
                },
                put={run.run: record.to_json()},
                delete={run.ready, run.seq, *timers},
                delete_range=[(p, keys.prefix_end(p)) for p in (run.fiber, run.values, run.inbox, run.seen)],
            )
        )
        if not number:
            return None
        log.warning("run %s could not be read and was %s: %s", run_id, record.status, record.cancel_reason)
        self.leave(run_id)
        return record

    async def clear_ready(self, run_id: str) -> None:
        """Remove the ready row of a run that has ended or never was: it would be found again for ever."""
        key = keys.ready(run_id)
        rows = await self.store.get([key])
        if key in rows:
            await self._commit(Batch(expect={keys.OWNER: self.owner_version, key: rows[key].version}, delete={key}))

    async def _commit(self, batch: Batch) -> int:
        try:
            return await self.store.commit(batch)
        except Conflict as conflict:
            if conflict.key == keys.OWNER:
                raise fenced() from conflict
            return 0  # a client was quicker; the hint it sent brings the run back here


def _first_of(kinds: Container[str], inbox: Iterable[Row]) -> InboxRow | None:
    """The first message of these kinds. A row that cannot be read may be why somebody asks: it hides none behind it."""
    for row in inbox:
        with suppress(WeftError, TypeError, ValueError):
            message = InboxRow.from_json(0, row.value)
            if message.kind in kinds:
                return message
    return None
