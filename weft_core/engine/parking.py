"""Runs that cannot be advanced here: set aside with the reason, everything else of them left alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from weft_core.errors import Conflict, StoreOwned, WeftError
from weft_core.kernel.records import RunRecord, dump
from weft_core.store import keys
from weft_core.store.port import Batch, Store

log = logging.getLogger("weft")

PROBLEM_MESSAGE_MAX = 2_000
"""Characters kept of why a run is parked."""


def fenced() -> StoreOwned:
    """The error of an engine whose commit was refused by the fence."""
    return StoreOwned(
        "another engine has taken over this store; this one stops and writes nothing more. "
        "Nothing is lost: the other engine has every committed step"
    )


@dataclass(slots=True)
class Parking:
    """Runs this engine has set aside. The next engine that opens the store tries each of them again.

    A parked run keeps its ready row, so that it is found again; `versions` remembers which version of it was seen, and
    a client that writes to the run makes this engine try once more.
    """

    store: Store
    owner_version: int
    problems: dict[str, WeftError] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

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
