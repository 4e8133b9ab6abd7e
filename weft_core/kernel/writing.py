"""What a turn of a run wants written, and what follows once that is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_core.kernel.changes import Changes
from weft_core.kernel.empty import NO_ROWS, NOTHING
from weft_core.kernel.fibers import ROOT
from weft_core.kernel.records import CLOSED

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def changes(machine: Machine) -> Changes:
    """Everything since the last `committed`, to be written in one batch."""
    record = machine.record
    history = machine.history
    status = record.status
    closed = status != "running" and status in CLOSED
    result = Changes()
    if history.fresh or closed:
        _keep_history(machine, closed)
    if history.rows:
        result.history = history.rows
    if machine.logs:
        result.logs = machine.logs
    if machine.abort:
        result.abort = machine.abort
    if machine.record_changed:
        result.record = record.to_json()
    if machine.state_text != machine.stored_state_text:
        result.state = machine.state_text
    if machine.due or machine.stored_due:
        stored, due = machine.stored_due, armed(machine)
        result.timers_clear = {(at, f) for f, at in stored.items() if due.get(f) != at}
        # One that is due already is told again, also where its row stands: another of the same instant has just fired,
        # and whoever fires timers has gone on to later ones.
        result.timers_set = {(at, f) for f, at in due.items() if stored.get(f) != at or at <= machine.now}
    if closed:
        result.closed = True
        result.fibers = dict.fromkeys([*machine.fibers, *machine.moved])
        result.values = dict.fromkeys(machine.large.stored())
        result.consumed = [*machine.consumed, *(row.n for rows in machine.signals.values() for row in rows)]
        return result
    if machine.consumed:
        result.consumed = machine.consumed
    moved = machine.moved
    if moved:
        marks = f'"h":{history.count},"c":{history.chunks}'
        result.fibers = {i: None if fiber is None else fiber.to_json(marks) for i, fiber in moved.items()}
    if machine.large.changes:
        result.values = machine.large.changes
    if machine.dispatch:
        fibers = machine.fibers
        result.dispatch = [(i, fibers[i].wait) for i in machine.dispatch]  # type: ignore[misc]  # `ActivityWait`s
    if machine.activity_count == 0 or status == "suspended":
        result.parked = True
    return result


def _keep_history(machine: Machine, closed: bool) -> None:
    """Find a place for what is new in the history."""
    if closed:
        machine.history.write(machine.fibers.values())
        return
    for carrier in machine.moved.values():
        if carrier is not None:
            break
    else:
        carrier = machine.fibers.get(ROOT)
        if carrier is None:
            machine.history.write(())
            return
        machine.own("moved")[ROOT] = carrier
    machine.history.ride(carrier)


def armed(machine: Machine) -> dict[str, int]:
    """The due times that stand in the store: none while nothing may fire."""
    return {} if machine.record.closed or machine.record.status == "suspended" else machine.due


def committed(machine: Machine) -> None:
    """The last `changes` are durable."""
    machine.moved = NOTHING
    machine.dispatch = NOTHING
    machine.record_changed = False
    machine.stored_state_text = machine.state_text
    if machine.due or machine.stored_due:
        machine.stored_due = dict(armed(machine))
    if machine.large.changes:
        machine.large.committed(needed_later=any(f.queued and f.frames for f in machine.fibers.values()))
    if machine.history.rows:
        machine.history.rows = NOTHING
    if machine.consumed:
        machine.consumed = NO_ROWS
    if machine.logs:
        machine.logs = NO_ROWS
    if machine.abort:
        machine.abort = NO_ROWS
