"""Background branches: what `ctx.start` begins and a `Task` handle can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft_core.errors import CheckpointError
from weft_core.kernel import branches
from weft_core.kernel.begin import encode_call, wait_for
from weft_core.kernel.context import Task, check_branch
from weft_core.kernel.empty import NO_ROWS
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.waits import Interrupt
from weft_core.resume import Operation

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


_HANDLE = '"weft.Task"'


def start(machine: Machine, branch: Any) -> Task:
    """Make a background branch of the fiber that is running. It begins when that fiber waits next."""
    check_branch(branch)
    parent = machine.current
    if parent is None:
        raise CheckpointError("ctx.start works while the workflow runs, not from a callback")
    if isinstance(branch, Task):
        return branch
    child = Fiber(f"{parent.id}.{parent.next_number()}", task=True)
    child.queued = True
    made: list[Fiber] = []
    if isinstance(branch, Operation):
        child.wait = wait_for(machine, child, branch, made)
    else:
        encode_call(machine, child, branch)
    for fiber in (child, *made):
        machine.fibers[fiber.id] = fiber
        machine.touch(fiber)
    machine.own("new_tasks").append(child)
    return Task(machine.context, child.id)


def begin_new(machine: Machine) -> None:
    """Begin the branches that were started since the last wait."""
    tasks, machine.new_tasks = machine.new_tasks, NO_ROWS
    for fiber in tasks:
        if fiber.queued and fiber.outcome is None:
            branches.begin(machine, fiber)


def asked_already(machine: Machine) -> None:
    """The run's root ends now. What it has just asked to stop has yet to hear of that, and is not to be asked again."""
    asked = [fiber for fiber, kind, why in machine.queue if kind == "interrupt" and why.scope is None]
    asked += [machine.fibers[fiber_id] for fiber_id in machine.interrupt_next if fiber_id in machine.fibers]
    for fiber in asked:
        fiber.stopped = fiber.task


def stop_all(machine: Machine) -> bool:
    """The run's root has ended: cancel what still runs in the background, once each. Whether anything was cancelled."""
    stopped = False
    for fiber in [f for f in machine.fibers.values() if f.task and f.outcome is None and not f.stopped]:
        fiber.stopped = stopped = True
        machine.touch(fiber)
        branches.interrupt(machine, fiber, Interrupt(reason="the run has ended"))
    return stopped


def cancel(machine: Machine, fiber_id: str, reason: str) -> None:
    """Cancel one background branch, if it has not ended."""
    fiber = machine.fibers.get(fiber_id)
    if fiber is not None:
        branches.interrupt(machine, fiber, Interrupt(reason=reason))


def done(machine: Machine, fiber_id: str) -> bool:
    """Whether a background branch has ended."""
    fiber = machine.fibers.get(fiber_id)
    return fiber is None or fiber.outcome is not None


def share(machine: Machine, text: str) -> None:
    """A stored text that may hold copies of handles: whoever reads them asks for the outcome when others have had it."""
    if _HANDLE not in text:
        return
    for fiber in machine.fibers.values():
        if fiber.task and f'"{fiber.id}"' in text:
            keep(machine, fiber.id)


def keep(machine: Machine, fiber_id: str) -> None:
    """The branch's row stays when its outcome was received: there are handles that will not hear of it then."""
    fiber = machine.fibers.get(fiber_id)
    if fiber is not None and not fiber.shared:
        fiber.shared = True
        machine.touch(fiber)


def remember(machine: Machine, fiber_id: str, outcome: str) -> None:
    """A join consumed the branch's row; the handles that live in this run answer from the outcome they now hold."""
    for task in machine.handles.pop(fiber_id, ()) if machine.handles else ():
        task.outcome = outcome
