"""The turn of nearly every step: one result goes in, the fiber runs to its next activity, its row is all that changes.

The general way (`results.completed`, `Machine.advance`, `writing.changes`) does the same and more; here is only what is
left of it when nothing else is going on. What the run then holds is the same, so that a turn can be written again in
the general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft_core.kernel.drive import go_on
from weft_core.kernel.results import Attempted, completed

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def step(machine: Machine, attempt: Attempted, text: str | None, value: Any, now: int) -> str | None:
    """Give a run the result of an attempt (as for `completed`) and let it move: one turn.

    The row of the attempt's fiber when that is all there is to write and the fiber's next attempt all there is to
    begin. None: `changes` tells what is to be done.
    """
    fiber = machine.fibers.get(attempt.fiber_id)
    wait, due = attempt.wait, machine.due
    if (
        fiber is None
        or fiber.wait is not wait
        or fiber.coroutine is None
        or attempt.number != wait.attempt
        or wait.outcome is not None
        or wait.retry_at is not None
        or fiber.scopes
        or fiber.task
        or due
        or machine.stored_due
        or machine.queue
        or machine.arrived
        or machine.record.status != "running"
    ):
        completed(machine, attempt, text, value, now)
        machine.advance(now)
        return None
    machine.now = now
    history = machine.history
    history.note_completed(now, wait.activity, fiber.id, wait.attempt)
    if text is not None:
        value = machine.codec.decode(text)
    machine.activity_count -= 1
    fiber.wait = None
    machine.moved[fiber.id] = fiber
    plain = go_on(machine, fiber, fiber.coroutine, value)
    if (
        not plain
        or len(machine.moved) > 1  # also when something else is in the queue
        or machine.due
        or machine.logs
        or machine.abort
        or machine.record_changed
        or machine.large.changes
    ):
        machine.settle()
        return None
    history.ride(fiber)
    if history.rows:
        return None
    following: Any = fiber.wait  # an `ActivityWait`
    # What `Fiber.to_json` gives for a fiber that waits in plain frames for a plain activity.
    return (
        f'{{"n":{fiber.count},"h":{history.count},"c":{history.chunks},"e":[{fiber.entries}],'
        f'"wait":{following.head_json()}}},"frames":{fiber.frames}}}'
    )


def stepped(machine: Machine) -> None:
    """The row that `step` gave is durable."""
    machine.moved.clear()
    machine.dispatch.clear()
