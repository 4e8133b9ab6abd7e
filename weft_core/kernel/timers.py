"""What happens when time has passed: sleeps, time limits, retries, the run's own timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_core.errors import ActivityTimeout
from weft_core.kernel import branches
from weft_core.kernel.fibers import ROOT, Fiber, began
from weft_core.kernel.results import hold_or_settle
from weft_core.kernel.waits import ActivityWait, Interrupt, SignalWait, SleepWait, Wait

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def fire(machine: Machine) -> None:
    """Fire everything due at `machine.now`, in the order it was due."""
    now = machine.now
    due = [(at, began(fiber_id), fiber_id) for fiber_id, at in machine.due.items() if at <= now]
    for _, _, fiber_id in sorted(due):
        if fiber_id == "":
            _run_timed_out(machine)
            continue
        fiber = machine.fibers.get(fiber_id)
        if fiber is not None:
            _fire_fiber(machine, fiber)


def _fire_fiber(machine: Machine, fiber: Fiber) -> None:
    now = machine.now
    wait = fiber.wait
    scopes = [s for s in fiber.scopes if not s.expired and s.due <= now]
    first = min(scopes, key=lambda s: s.due) if scopes else None
    # What was due first happens; at the same instant the wait itself wins, as the awaited thing did happen.
    if wait is not None and wait.due is not None and wait.due <= now and (not first or wait.due <= first.due):
        _fire_wait(machine, fiber, wait)
    elif first is not None and wait is not None:
        first.expired = True
        machine.note("timeout", name=first.id, fiber=fiber.id)
        branches.interrupt(machine, fiber, Interrupt(reason="ctx.timeout is over", scope=first.id))
        machine.touch(fiber)


def _fire_wait(machine: Machine, fiber: Fiber, wait: Wait) -> None:
    match wait:
        case SleepWait():
            machine.note("slept", fiber=fiber.id)
            machine.move(fiber, "value", None)
        case SignalWait():
            branches.unregister(machine, fiber)
            machine.note("signal_timed_out", name=wait.name, fiber=fiber.id)
            if wait.default is not None:
                machine.move(fiber, "value", wait.default)
            else:
                machine.move(fiber, "throw", TimeoutError(f"no signal {wait.name!r} arrived in time"))
        case ActivityWait():
            if wait.total_until is not None and machine.now >= wait.total_until:
                error = ActivityTimeout(f"activity {wait.activity!r} did not succeed in its total time")
                hold_or_settle(machine, fiber, wait, f'{{"error":{machine.codec.encode_error(error)}}}')
            else:
                wait.retry_at = None
                machine.own("dispatch")[fiber.id] = None
                machine.touch(fiber)
        case _:
            raise AssertionError(wait)


def _run_timed_out(machine: Machine) -> None:
    machine.own("due").pop("", None)
    if machine.record.timing_out:
        return
    machine.record.timing_out = True
    machine.record_changed = True
    machine.note("timed_out")
    if ROOT in machine.fibers:
        branches.interrupt(machine, machine.fibers[ROOT], Interrupt(reason="the run's timeout is over"))
