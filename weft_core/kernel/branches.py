"""Fibers that run side by side: beginning them, joining them, cancelling them.

Everything here costs by what happened, not by how many branches are open: a child that ends changes its own row and a
counter in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_core.errors import DecodeError
from weft_core.kernel.begin import map_child
from weft_core.kernel.fibers import ROOT, Fiber
from weft_core.kernel.waits import ActivityWait, BranchWait, Interrupt, JoinWait, SignalWait, SleepWait

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def begin(machine: Machine, fiber: Fiber) -> None:
    """Let a fiber that holds a wait (or unstarted frames) begin: dispatch, arm, register, or open its branches."""
    fiber.queued = False
    wait = fiber.wait
    if wait is None:
        machine.own("queue").append((fiber, "value", None))
        machine.touch(fiber)
        return
    wait.begin(machine.now)
    if type(wait) is SignalWait:
        machine.signal_order += 1
        wait.order = machine.signal_order
        if machine.patient:
            # Every wait is to be stored and left once, also one that could be answered now.
            machine.touch(fiber)
            machine.own("signal_waiters").setdefault(wait.name, []).append(fiber)
            machine.more = machine.more or wait.name in machine.signals
            return
    machine.touch(fiber)
    register(machine, fiber)


def register(machine: Machine, fiber: Fiber) -> None:
    """Make the run react for a wait: after it began, and again after the run was loaded."""
    match fiber.wait:
        case ActivityWait() as wait:
            machine.activity_count += 1
            if wait.outcome is not None:
                if machine.record.status != "suspended":
                    machine.settle_activity(fiber, "outcome", wait.outcome)
            elif wait.retry_at is None and machine.record.status != "suspended":
                machine.own("dispatch")[fiber.id] = None
        case SignalWait() as wait:
            machine.own("signal_waiters").setdefault(wait.name, []).append(fiber)
            machine.offer(wait.name)
        case BranchWait() as wait:
            open_branches(machine, fiber, wait)
        case JoinWait(known=str(outcome)):
            machine.move(fiber, "outcome", outcome)
        case JoinWait() as wait:
            machine.own("joiners").setdefault(wait.fiber_id, []).append(fiber)
            target = machine.fibers.get(wait.fiber_id)
            if target is None or target.outcome is not None:
                deliver_join(machine, wait.fiber_id)
        case SleepWait() | None:
            pass


def unregister(machine: Machine, fiber: Fiber) -> None:
    """The reverse of `register`: nothing will react for this wait any more."""
    match fiber.wait:
        case ActivityWait() as wait:
            machine.activity_count -= 1
            if machine.dispatch:
                machine.dispatch.pop(fiber.id, None)
            if wait.retry_at is None:
                # Also of a run that was just read: the attempt may be under way since before that.
                machine.own("abort").append((fiber.id, wait.operation_id))
        case SignalWait() as wait:
            machine.signal_waiters[wait.name].remove(fiber)
        case JoinWait() as wait:
            machine.joiners[wait.fiber_id].remove(fiber)
        case SleepWait() | BranchWait() | None:
            pass


def child_ids(parent: Fiber, wait: BranchWait) -> list[str]:
    return [f"{parent.id}.{wait.first + i}" for i in range(wait.count)]


def open_branches(machine: Machine, parent: Fiber, wait: BranchWait) -> None:
    """Count the branches that are left and begin as many as may be under way."""
    wait.left = wait.count
    wait.made = wait.count if wait.items is None else 0
    running = found = 0
    wait.waiting = []
    for index in range(wait.count):
        child = machine.fibers.get(f"{parent.id}.{wait.first + index}")
        if child is None:
            continue
        found += 1
        wait.made = max(wait.made, index + 1)
        if child.outcome is not None:
            wait.left -= 1
        elif child.queued:
            wait.waiting.append(child.id)
        else:
            running += 1
    if found < wait.made and not wait.stopping:  # branches go all together, but for those that are stopped unbegun
        raise DecodeError(f"the row of a branch of fiber {parent.id} is missing; it was deleted outside of Weft")
    wait.waiting.reverse()
    if wait.stopping:
        drop_unbegun(machine, wait)
        wait.left = running  # those that had not begun when it was stopped are gone
    if wait.left == 0:
        complete(machine, parent, wait)
        return
    free = (wait.limit or wait.count) - running
    while free > 0 and wait.left > 0 and not wait.stopping and begin_next(machine, parent, wait):
        free -= 1


def begin_next(machine: Machine, parent: Fiber, wait: BranchWait) -> bool:
    """Begin the next branch that has not begun. False when there is none."""
    if wait.waiting:
        begin(machine, machine.fibers[wait.waiting.pop()])
        return True
    if wait.made < wait.count:
        child = map_child(machine, parent, wait, wait.made)
        wait.made += 1
        machine.fibers[child.id] = child
        begin(machine, child)
        return True
    return False


def drop_unbegun(machine: Machine, wait: BranchWait) -> None:
    """Branches that have not begun never will: the join is being stopped."""
    for child_id in wait.waiting:
        remove(machine, child_id)
    wait.left -= len(wait.waiting) + (wait.count - wait.made)
    wait.waiting = []
    wait.made = wait.count


def ended(machine: Machine, fiber: Fiber, *, failed: bool) -> None:
    """A fiber's outcome is known: tell whoever waits for it."""
    if fiber.id == ROOT:
        return
    if fiber.task:
        deliver_join(machine, fiber.id)
        return
    parent = machine.fibers.get(fiber.parent_id)
    if parent is None or not isinstance(parent.wait, BranchWait):
        return
    wait = parent.wait
    wait.left -= 1
    if not wait.stopping and (wait.mode == "race" or (wait.mode == "all" and failed)):
        wait.chosen = fiber.id
        machine.touch(parent)
        stop_branches(machine, parent, wait, "another branch decided")
    if wait.left == 0:
        complete(machine, parent, wait)
    elif not wait.stopping:
        begin_next(machine, parent, wait)


def stop_branches(machine: Machine, parent: Fiber, wait: BranchWait, reason: str) -> None:
    drop_unbegun(machine, wait)
    why = Interrupt(reason=reason)
    for child_id in child_ids(parent, wait):
        child = machine.fibers.get(child_id)
        if child is not None and child.outcome is None:
            interrupt(machine, child, why)


def complete(machine: Machine, parent: Fiber, wait: BranchWait) -> None:
    """Every branch has ended: give the parent what its join is worth, and forget the branches."""
    if parent.wait is not wait:
        return  # a branch that was stopped ended last and has completed it already
    outcomes = []
    heard = []
    chosen = None
    for child_id in child_ids(parent, wait):
        child = machine.fibers.get(child_id)
        if child is not None:
            assert child.outcome is not None
            outcomes.append(child.outcome)
            if child_id == wait.chosen:
                chosen = child.outcome
            if child.joined is not None:
                heard.append((child.joined, child.outcome))
            remove(machine, child_id)
    parent.heard = heard
    if wait.interrupt is not None:
        machine.move(parent, "interrupt", wait.interrupt)
    elif chosen is not None:
        machine.move(parent, "outcome", chosen)
    else:
        machine.move(parent, "settled" if wait.mode == "settled" else "list", outcomes)


def remove(machine: Machine, fiber_id: str) -> None:
    """Forget a fiber: its row, timer, values and children that never began."""
    fiber = machine.fibers.pop(fiber_id, None)
    if fiber is None:
        return
    if isinstance(fiber.wait, BranchWait) and fiber.queued:
        for child_id in child_ids(fiber, fiber.wait):
            remove(machine, child_id)
    machine.release(fiber)


def deliver_join(machine: Machine, fiber_id: str) -> None:
    """Give a background branch's outcome to those who wait for it. Its row goes when nobody can ask again."""
    joiners = machine.joiners.get(fiber_id)
    if not joiners:
        return
    target = machine.fibers.get(fiber_id)
    del machine.joiners[fiber_id]
    received = False
    for fiber in joiners:
        wait = fiber.wait
        assert isinstance(wait, JoinWait)
        if wait.interrupt is not None:
            machine.move(fiber, "interrupt", wait.interrupt)
        elif target is None:
            machine.move(
                fiber,
                "throw",
                RuntimeError(f"task {fiber_id} was awaited already through another copy of it; keep its result"),
            )
        else:
            assert target.outcome is not None
            machine.move(fiber, "joined", (fiber_id, target.outcome))
            received = True
    if target is not None and received and not target.shared:
        remove(machine, fiber_id)


def interrupt(machine: Machine, fiber: Fiber, why: Interrupt) -> None:
    """Cancel a fiber: `Cancelled` is raised at its wait once whatever it waits for has stopped."""
    if fiber.outcome is not None:
        return
    if fiber.queued:
        if isinstance(fiber.wait, BranchWait):
            for child_id in child_ids(fiber, fiber.wait):
                remove(machine, child_id)
        machine.finish_cancelled(fiber, why)
        return
    wait = fiber.wait
    inside = why.scope is None
    for scope in fiber.scopes:
        if inside and scope.further is None:
            scope.further = why
        inside = inside or scope.id == why.scope
    if wait is None:
        _interrupt_moving(machine, fiber, why)
        return
    if isinstance(wait, BranchWait):
        first = wait.interrupt is None
        if first or why.scope is None:
            wait.interrupt = why
            machine.touch(fiber)
        if first and wait.chosen is None:
            stop_branches(machine, fiber, wait, why.reason)
        if fiber.wait is wait and wait.left == 0:
            complete(machine, fiber, wait)
        return
    if isinstance(wait, JoinWait):
        if wait.interrupt is None or why.scope is None:
            wait.interrupt = why
            machine.touch(fiber)
        target = machine.fibers.get(wait.fiber_id)
        if target is None or target.outcome is not None:
            deliver_join(machine, wait.fiber_id)
        else:
            interrupt(machine, target, Interrupt(reason=why.reason))
        return
    unregister(machine, fiber)
    machine.move(fiber, "interrupt", why)


def _interrupt_moving(machine: Machine, fiber: Fiber, why: Interrupt) -> None:
    """The fiber moves later in this very turn."""
    for at, (moving, kind, _) in enumerate(machine.queue):
        if moving is fiber and kind == "interrupt":
            # It hears of one cancellation already: a second one is not for the `finally` that it has not yet come to.
            if why.scope is None:
                machine.queue[at] = (fiber, kind, why)
            return
    machine.own("interrupt_next")[fiber.id] = why  # nothing received may be lost, so it is cancelled at its next wait
