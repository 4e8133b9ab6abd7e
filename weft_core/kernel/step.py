"""The turn of nearly every step: one result goes in, the fiber runs to its next activity, its row is all that changes.

The general way (`results.completed`, `Machine.advance`, `writing.changes`) does the same and more; here is only what is
left of it when nothing else is going on. What the run then holds is the same, so that a turn can be written again in
the general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft_core.kernel.drive import go_on, note_plain
from weft_core.kernel.history import completed as note
from weft_core.kernel.results import Attempted, completed

if TYPE_CHECKING:
    from weft_core.kernel.fibers import Fiber
    from weft_core.kernel.machine import Machine


def step(machine: Machine, attempt: Attempted, text: str | None, value: Any, now: int) -> str | None:
    """Give a run the result of an attempt (as for `completed`) and let it move: one turn.

    The row of the attempt's fiber, which is `machine.plain` then, when that is all there is to write and its next
    attempt all there is to begin; None: `changes` tells what is to be done.
    """
    wait, fiber = attempt.wait, machine.plain
    if fiber is None or fiber.wait is not wait:
        fiber = machine.fibers.get(attempt.fiber_id)
        if fiber is None or not _plain(machine, fiber, attempt):
            completed(machine, attempt, text, value, now)
            machine.advance(now)
            return None
    coroutine = fiber.coroutine
    assert coroutine is not None
    machine.now = now
    history = machine.history
    entry = note(history.count, now, wait.activity, fiber.id, wait.attempt)
    history.count += 1  # before what else there may be to note
    if text is not None:
        value = machine.codec.decode(text)
    machine.activity_count -= 1
    fiber.wait = None
    plain = go_on(machine, fiber, coroutine, value)
    if (
        not plain
        or machine.moved
        or machine.due
        or machine.logs
        or machine.abort
        or machine.record_changed
        or machine.large.changes
    ):
        history.fresh.insert(0, entry)
        machine.plain = None
        if plain:
            note_plain(machine, fiber)
        machine.moved = {fiber.id: fiber, **machine.moved}  # in the order of the general way
        machine.settle()
        return None
    history.carry(fiber, entry)
    if history.rows:
        unwritten(machine, fiber)
        return None
    machine.plain = fiber
    following: Any = fiber.wait  # an `ActivityWait`
    # What `Fiber.to_json` gives for a fiber that waits in plain frames for a plain activity.
    return (
        f'{{"n":{fiber.count},"h":{history.count},"c":{history.chunks},"e":[{fiber.entries}],'
        f'"wait":{following.head_json()}}},"frames":{fiber.frames}}}'
    )


def _plain(machine: Machine, fiber: Fiber, attempt: Attempted) -> bool:
    """Whether the result of this attempt is all that goes on in the run. It stays so from one plain step to the next."""
    wait = attempt.wait
    return not (
        fiber.wait is not wait
        or fiber.coroutine is None
        or attempt.number != wait.attempt
        or wait.outcome is not None
        or wait.retry_at is not None
        or fiber.scopes
        or fiber.task
        or machine.due
        or machine.stored_due
        or machine.queue
        or machine.moved
        or machine.arrived
        or machine.record.status != "running"
    )


def unwritten(machine: Machine, fiber: Fiber) -> None:
    """The row that `step` gave for this fiber is not written: let `changes` tell it with the rest."""
    machine.plain = None
    note_plain(machine, fiber)
