"""From a run's `Changes` to rows of one batch, and back from rows to a machine's parts."""

from __future__ import annotations

from weft_core.kernel.changes import Changes
from weft_core.store import keys
from weft_core.store.port import Batch


class RunKeys:
    """The keys of one run. Quoting on every step would cost more than the step; what few steps need is put together then."""

    __slots__ = ("_quoted", "fiber", "run_id")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._quoted = quoted = keys.quote(run_id)
        self.fiber = f"fiber/{quoted}/"

    @property
    def run(self) -> str:
        return f"run/{self._quoted}"

    @property
    def state(self) -> str:
        return f"state/{self._quoted}"

    @property
    def values(self) -> str:
        return f"value/{self._quoted}/"

    @property
    def seq(self) -> str:
        return f"seq/{self._quoted}"

    @property
    def inbox(self) -> str:
        return f"inbox/{self._quoted}/"

    @property
    def seen(self) -> str:
        return f"seen/{self._quoted}/"

    @property
    def ready(self) -> str:
        return f"ready/{self._quoted}"

    @property
    def first(self) -> tuple[str, str, str, str]:
        """The single rows that are read when the run is brought into memory."""
        return self.run, self.state, self.ready, self.seq

    @property
    def history(self) -> str:
        return f"history/{self._quoted}/"


READY = '{"active":true}'
"""The ready row of a run that an engine advances."""


def add_changes(batch: Batch, run: RunKeys, changes: Changes, *, ready_version: int, seq_version: int) -> None:
    """Add one run's changes to a batch that may hold those of other runs."""
    put, delete = batch.put, batch.delete
    if changes.record is not None:
        put[run.run] = changes.record
    if changes.state is not None:
        put[run.state] = changes.state
    if changes.history:
        for slot, text in changes.history.items():
            put[f"{run.history}{slot:0{keys.SLOT_DIGITS}d}"] = text
    for due, fiber_id in changes.timers_clear:
        delete.add(keys.timer(due, run.run_id, fiber_id))
    for fiber_id, row in changes.fibers.items():
        if row is None:
            delete.add(run.fiber + fiber_id)
        else:
            put[run.fiber + fiber_id] = row
    for due, fiber_id in changes.timers_set:
        put[keys.timer(due, run.run_id, fiber_id)] = "{}"
    if changes.values:
        for digest, value in changes.values.items():
            if value is None:
                delete.add(run.values + digest)
            else:
                put[run.values + digest] = value
    for n in changes.consumed:
        delete.add(f"{run.inbox}{n:0{keys.INBOX_DIGITS}d}")
    if changes.closed:
        # The run may not close over something that arrived and was not looked at: who sends something rewrites this row.
        ready = run.ready
        batch.expect[ready] = ready_version
        delete.add(ready)
        if seq_version:
            delete.add(run.seq)
            batch.delete_range.append((run.seen, keys.prefix_end(run.seen)))
        return
    if changes.parked:
        if ready_version:
            # Whoever sent something since has rewritten this row: then the run looks again before it parks.
            batch.expect[run.ready] = ready_version
            delete.add(run.ready)
    elif not ready_version:
        batch.expect[run.ready] = 0
        put[run.ready] = READY
