"""The end of a run: what its record says of it, and what is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft_core.kernel import branches, tasks
from weft_core.kernel.empty import NOTHING
from weft_core.kernel.fibers import ROOT
from weft_core.kernel.waits import ActivityWait

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def end(machine: Machine) -> None:
    """The run's root has ended: so does the run, once every branch has."""
    # Background branches do not outlive the run; their `finally` blocks run first, and may wait.
    while tasks.stop_all(machine):
        machine.drain()
    if any(fiber.outcome is None for fiber in machine.fibers.values()):
        return
    outcome, record = machine.fibers[ROOT].outcome, machine.record
    assert outcome is not None
    if record.timing_out:
        close(machine, "timed_out", "the run's timeout is over", outcome)
    elif outcome.startswith('{"ok":'):
        close(machine, "completed", "", outcome)
    elif record.cancel_reason is not None and outcome.endswith(',"cancelled":true}'):
        close(machine, "cancelled", record.cancel_reason, outcome)
    else:
        close(machine, "failed", "", outcome)


def close(machine: Machine, status: Any, reason: str, outcome: str | None = None) -> None:
    """The run ends now, as `status`; `outcome` is its root's."""
    record = machine.record
    record.status = status
    record.closed_at = machine.now
    if outcome is not None and outcome.startswith('{"ok":'):
        if status == "completed":
            record.result = outcome[6:-1]
    elif outcome is not None:
        record.error = outcome[9:-1].removesuffix(',"cancelled":true')
    if reason and record.cancel_reason is None and status == "terminated":
        record.cancel_reason = reason
    unread = sum(map(len, machine.signals.values())) if machine.signals else 0
    machine.note(status, **({"unread_signals": unread} if unread else {}))
    record.history_count = machine.history.count
    machine.record_changed = True
    for fiber in machine.fibers.values():
        if isinstance(fiber.wait, ActivityWait) and fiber.outcome is None and not fiber.queued:
            branches.unregister(machine, fiber)
    machine.drop_coroutines()
    machine.dispatch = NOTHING
