"""From operations to waits: what is stored when a workflow awaits something, before anything of it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft_core.errors import DeclarationError
from weft_core.kernel.context import Task, tasks_of
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.operations import Branches, Join, MapItems, RunActivity, Sleep, WaitForSignal
from weft_core.kernel.waits import ActivityWait, BranchWait, JoinWait, SignalWait, SleepWait, Wait
from weft_core.resume import Operation, capture, drop
from weft_core.resume.values import FiberEncoder

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


def wait_for(machine: Machine, fiber: Fiber, operation: Operation[Any], made: list[Fiber]) -> Wait:
    """The wait of an operation in a fiber. New child fibers, all queued, are appended to `made`.

    Encodes everything that will be stored, so a value that cannot be raises `CheckpointError` before anything began.
    """
    match operation:
        case RunActivity():
            return activity_wait(machine, fiber, operation)
        case Sleep():
            return SleepWait(duration_ms=operation.duration_ms, until=operation.until_ms)
        case WaitForSignal():
            default = None
            if operation.has_default:
                default = machine.codec.encode(operation.default, what="default of wait_for_signal")
            return SignalWait(name=operation.name, timeout_ms=operation.timeout_ms, default=default)
        case Branches():
            wait = BranchWait(
                mode=operation.mode, first=fiber.count + 1, count=len(operation.branches), limit=operation.limit
            )
            fiber.count += wait.count
            for index, branch in enumerate(operation.branches):
                _branch(machine, fiber, f"{fiber.id}.{wait.first + index}", branch, made)
            return wait
        case MapItems():
            items = machine.codec.encode(operation.items, what="items of ctx.map")
            wait = BranchWait(
                mode="all",
                first=fiber.count + 1,
                count=len(operation.items),
                limit=operation.limit,
                items=items,
                target=operation.target,
            )
            fiber.count += wait.count
            return wait
        case Join() | Task():
            task = operation.task if isinstance(operation, Join) else operation
            return JoinWait(fiber_id=task.id, known=task.outcome)
        case _:
            raise DeclarationError(f"{type(operation).__name__} cannot be a branch; await it in the workflow itself")


def activity_wait(machine: Machine, fiber: Fiber, operation: RunActivity) -> ActivityWait:
    activity, call, options = operation.activity, operation.args, operation.options
    name = activity.name
    args = machine.codec.encode_atoms(call) if options is None or not options.kwargs else None
    number = fiber.next_number()
    if args is not None:
        wait = ActivityWait(f"{fiber.id}:{number}", name, args, call, activity if activity.here else None)
    else:
        kwargs = {} if options is None else options.kwargs
        wait = ActivityWait(f"{fiber.id}:{number}", name, machine.codec.encode_call(call, kwargs, what=name))
    timeout_ms, total_ms = activity.timeout_ms, activity.total_timeout_ms
    if options is not None:
        if options.retry is not None:
            wait.retry = machine.codec.encode(options.retry, what="retry")
        if options.timeout_ms is not None:
            timeout_ms = options.timeout_ms
        if options.total_timeout_ms is not None:
            total_ms = options.total_timeout_ms
        if options.key is not None:
            wait.key = options.key
    if machine.record.execution > 1 and wait.key is None:
        # What an earlier run of this id did was something else: an outside system must not take this for it.
        wait.key = f"{machine.record.id}#{machine.record.execution}/{wait.operation_id}"
    if timeout_ms is not None:
        wait.timeout_ms = timeout_ms
    if total_ms is not None:
        wait.total_timeout_ms = total_ms
    return wait


def _branch(machine: Machine, parent: Fiber, fiber_id: str, branch: Any, made: list[Fiber]) -> Fiber:
    child = Fiber(fiber_id)
    child.queued = True
    made.append(child)
    if isinstance(branch, Operation):
        child.wait = wait_for(machine, child, branch, made)
        if type(child.wait) is JoinWait and parent is not machine.current:
            # The handle is not in the frames of the one who waits for this branch: it has none.
            tasks_of().keep(machine, child.wait.fiber_id)
    else:
        encode_call(machine, child, branch)
    return child


def encode_call(machine: Machine, child: Fiber, call: Any) -> None:
    """Make `child` the fiber that will run an unstarted call of a resumable function. Arguments are copied."""
    machine.externals.forget_places()
    child.encoder = FiberEncoder(machine.codec, machine.externals)
    encoded = child.encoder.encode(capture(call))
    machine.large.keep(child, encoded)
    child.frames = encoded.text
    tasks_of().share(machine, encoded.text)
    drop(call)


def map_child(machine: Machine, parent: Fiber, wait: BranchWait, index: int) -> Fiber:
    """The child fiber of one item of a `ctx.map`, queued."""
    assert wait.items is not None
    if wait.decoded_items is None:
        items = machine.codec.decode(wait.items)
        assert isinstance(items, list)
        wait.decoded_items = items
    child = Fiber(f"{parent.id}.{wait.first + index}")
    child.queued = True
    kind, _, name = (wait.target or "").partition(":")
    item = wait.decoded_items[index]
    if kind == "activity":
        child.wait = wait_for(machine, child, RunActivity(machine.find_activity(name), (item,)), [])
    else:
        encode_call(machine, child, machine.find_unit(name)(machine.context, item))
    return child
