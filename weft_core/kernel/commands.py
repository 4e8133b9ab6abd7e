"""Commands that arrive in a run's inbox: cancel, terminate, suspend, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_core.kernel import branches
from weft_core.kernel.empty import NOTHING
from weft_core.kernel.ending import close
from weft_core.kernel.fibers import ROOT
from weft_core.kernel.records import InboxRow
from weft_core.kernel.waits import ActivityWait, Interrupt, SignalWait

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def obey(machine: Machine, row: InboxRow) -> None:
    """Carry out one command. A second cancellation changes nothing: the run is being cancelled already."""
    record = machine.record
    if record.closed:
        return  # what came before it in this turn has ended the run
    match row.kind:
        case "cancel":
            if record.cancel_reason is None:
                record.cancel_reason = row.name or "cancelled"
                machine.record_changed = True
                machine.note("cancel_requested", name=record.cancel_reason)
                wake(machine)
                if ROOT in machine.fibers:
                    branches.interrupt(machine, machine.fibers[ROOT], Interrupt(reason=record.cancel_reason))
        case "terminate":
            machine.note("terminate_requested", name=row.name)
            close(machine, "terminated", row.name or "terminated")
        case "suspend":
            if record.status in ("running", "pending"):
                machine.settle()  # what came before is received before: nothing given out may wait outside of a row
                if machine.record.closed:
                    return
                record.status = "suspended"
                machine.record_changed = True
                machine.dispatch = NOTHING
                machine.note("suspended", name=row.name)
        case "resume":
            wake(machine)
        case "signal":
            raise AssertionError(row.kind)


def wake(machine: Machine) -> None:
    """Let a suspended run go on: give its fibers what arrived for them meanwhile."""
    record = machine.record
    if record.status != "suspended":
        return
    record.problem = None
    record.status = "running" if record.started_at is not None else "pending"
    machine.record_changed = True
    machine.note("resumed")
    for fiber in list(machine.fibers.values()):
        if fiber.queued or fiber.outcome is not None:
            continue
        match fiber.wait:
            case ActivityWait() as wait:
                if wait.outcome is not None:
                    machine.settle_activity(fiber, "outcome", wait.outcome)
                elif wait.retry_at is None:
                    machine.own("dispatch")[fiber.id] = None
            case SignalWait() as wait:
                machine.offer(wait.name)
            case _:
                pass
