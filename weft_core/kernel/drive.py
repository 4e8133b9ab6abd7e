"""Moving a fiber: send what it waited for into its coroutine, until it waits again or ends.

Order matters here, and is the whole of the promise: an operation's values are encoded, then the frames are captured and
encoded, and only when both succeeded does anything of the operation begin. A `CheckpointError` is thrown into the
workflow at the `await`, with nothing begun.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from weft_core.errors import Cancelled, CheckpointError, NotDurable, WeftError
from weft_core.kernel import branches, tasks
from weft_core.kernel.begin import activity_wait, wait_for
from weft_core.kernel.context import Outcome
from weft_core.kernel.fibers import NO_VALUES, Fiber, Scope
from weft_core.kernel.operations import EnterTimeout, ExitTimeout, Join, RunActivity
from weft_core.kernel.waits import ActivityWait, Interrupt, Wait
from weft_core.resume import Operation, capture, located, restore
from weft_core.resume.values import FiberEncoder

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine


IN_STATE = '"$live":"state/'
"""Frames with this have variables that are parts of `ctx.state`."""


def drive(machine: Machine, fiber: Fiber, kind: str, payload: Any) -> None:
    """Deliver one thing to a fiber (see `Machine.move` for the kinds) and run it to its next wait or its end."""
    if fiber.outcome is not None:
        return
    if fiber.frames is None:
        _end_bare(machine, fiber, kind, payload)
        return
    coroutine = fiber.coroutine
    if coroutine is None:
        coroutine = revive(machine, fiber)
    # After the frames live again, so that a task's handles in them hear of its outcome.
    for task_id, outcome in fiber.heard or ():
        tasks.remember(machine, task_id, outcome)
    fiber.heard = None
    value: Any
    error: BaseException | None
    if kind == "atom":
        value, error = payload, None
    elif kind == "value":
        value, error = None if payload is None else machine.codec.decode(payload), None
    else:
        value, error = _received(machine, kind, payload)
    if go_on(machine, fiber, coroutine, value, error):
        note_plain(machine, fiber)


def note_plain(machine: Machine, fiber: Fiber) -> None:
    """`go_on` has left this fiber waiting in plain frames for a plain activity: let `changes` tell it."""
    if machine.record.status != "suspended":
        machine.own("dispatch")[fiber.id] = None
    machine.touch(fiber)


def go_on(
    machine: Machine, fiber: Fiber, coroutine: Coroutine[Any, Any, Any], value: Any, error: BaseException | None = None
) -> bool:
    """Run a fiber to its next wait or its end.

    True when it now waits in plain frames for a plain activity, which is left to be noted.
    """
    machine.current = fiber
    try:
        while True:
            try:
                operation = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                machine.finish_value(fiber, stop.value, coroutine)
                return False
            except KeyboardInterrupt:
                raise  # somebody wants this process to end; the run knows nothing of it
            except BaseException as raised:
                machine.finish_error(fiber, raised)
                # It is text now, and its frames hold the error and the run: a circle. A frozen class is not asked.
                BaseException.with_traceback(raised, None)
                return False
            try:
                if type(operation) is RunActivity:
                    if operation.options is None and _park_plain(machine, fiber, coroutine, operation):
                        return True
                    _park(machine, fiber, coroutine, operation)
                    return False
                value = error = None
                if isinstance(operation, EnterTimeout):
                    value = _enter_timeout(machine, fiber, operation)
                    continue
                elif isinstance(operation, ExitTimeout):
                    error = _exit_timeout(machine, fiber, operation)
                    value = False
                    continue
                elif isinstance(operation, Join) and operation.task.outcome is not None:
                    value, error = machine.open_outcome(operation.task.outcome)
                    continue
                elif isinstance(operation, Operation):
                    _park(machine, fiber, coroutine, operation)
                else:
                    capture(coroutine)  # names what was awaited, and where
                    raise NotDurable(f"a workflow awaited something that yielded {operation!r}, which is not durable")
                return False
            except WeftError as refusal:
                value, error = None, located(refusal, coroutine)
    finally:
        machine.current = None


def _park_plain(machine: Machine, fiber: Fiber, coroutine: Coroutine[Any, Any, Any], operation: RunActivity) -> bool:
    """Do what `_park` does where nothing is special: nearly every step. False, with nothing done, where something is."""
    activity = operation.activity
    if activity.limited or machine.state or machine.new_tasks or machine.interrupt_next:
        return False
    if machine.plain is not fiber and (fiber.values or machine.state_text != "{}" or machine.record.execution > 1):
        return False  # none of which changes from one plain step to the next
    args = machine.codec.encode_atoms(operation.args)
    if args is None:
        return False
    encoder = fiber.encoder
    if encoder is None:
        encoder = fiber.encoder = FiberEncoder(machine.codec, machine.externals)
    frames = encoder.quick(coroutine)
    if frames is None:
        return False
    fiber.count = number = fiber.count + 1
    fiber.coroutine = coroutine
    fiber.frames = frames
    fiber.wait = ActivityWait(f"{fiber.id}:{number}", activity.name, args, operation.args, activity)
    machine.activity_count += 1
    return True


def _park(machine: Machine, fiber: Fiber, coroutine: Coroutine[Any, Any, Any], operation: Operation[Any]) -> None:
    count = fiber.count
    made: Sequence[Fiber] = ()
    encoder = fiber.encoder
    if encoder is None:
        encoder = fiber.encoder = FiberEncoder(machine.codec, machine.externals)
    try:
        wait: Wait
        if type(operation) is RunActivity:
            wait = activity_wait(machine, fiber, operation)
        else:
            made = []
            wait = wait_for(machine, fiber, operation, made)
        if machine.state or machine.externals.placed:
            machine.externals.place("state", machine.state)
        frames = encoder.quick(coroutine)
        encoded = encoder.encode(capture(coroutine)) if frames is None else None
        if machine.state or machine.state_text != "{}":
            machine.encode_state()
    except BaseException:
        fiber.count = count
        for child in made:
            machine.release(child)
        raise
    if encoded is not None:
        frames = encoded.text
        machine.large.keep(fiber, encoded)
    elif fiber.values:
        machine.large.drop(fiber.values)
        fiber.values = NO_VALUES
    fiber.coroutine = coroutine
    fiber.frames = frames
    fiber.wait = wait
    if machine.externals.placed and frames is not None and IN_STATE in frames:
        machine.own("aliased").add(fiber.id)
    for child in made:
        machine.fibers[child.id] = child
        machine.touch(child)
    if machine.new_tasks:
        tasks.begin_new(machine)
    branches.begin(machine, fiber)
    if machine.interrupt_next:
        pending = machine.interrupt_next.pop(fiber.id, None) if machine.interrupt_next else None
        if pending is not None:
            branches.interrupt(machine, fiber, pending)


def _received(machine: Machine, kind: str, payload: Any) -> tuple[Any, BaseException | None]:
    """What the coroutine gets: a value to send, or an exception to throw. Always a copy of what is stored.

    Of every kind but "value" and "atom", which are a value's text or a value.
    """
    match kind:
        case "outcome":
            return machine.open_outcome(payload)
        case "list":
            results = []
            for text in payload:
                value, error = machine.open_outcome(text)
                if error is not None:
                    return None, error
                results.append(value)
            return results, None
        case "settled":
            settled = []
            for text in payload:
                value, error = machine.open_outcome(text)
                settled.append(Outcome(error is None, value, error))
            return settled, None
        case "joined":
            fiber_id, text = payload
            tasks.remember(machine, fiber_id, text)
            return machine.open_outcome(text)
        case "interrupt":
            return None, cancelled(payload)
        case "throw":
            return None, payload
        case _:
            raise AssertionError(kind)


def cancelled(why: Interrupt) -> Cancelled:
    error = Cancelled(why.reason)
    if why.scope is not None:
        error.scope = why.scope
    return error


def _end_bare(machine: Machine, fiber: Fiber, kind: str, payload: Any) -> None:
    """A branch that is a bare operation ends with whatever it received."""
    match kind:
        case "outcome":
            machine.finish_outcome(fiber, payload)
        case "joined":
            fiber.joined, outcome = payload
            tasks.remember(machine, *payload)
            machine.finish_outcome(fiber, outcome)
        case "value":
            machine.finish_outcome(fiber, f'{{"ok":{"null" if payload is None else payload}}}')
        case _:
            value, error = _received(machine, kind, payload)
            if error is not None:
                machine.finish_error(fiber, error)
            else:
                machine.finish_value(fiber, value)


def revive(machine: Machine, fiber: Fiber) -> Coroutine[Any, Any, Any]:
    """The live coroutine of a fiber, made from its stored frames. No user code runs."""
    assert fiber.frames is not None
    if fiber.encoder is None:
        fiber.encoder = FiberEncoder(machine.codec, machine.externals)
    frames = fiber.encoder.decode(fiber.frames, machine.large.load)
    coroutine = restore(frames)
    fiber.coroutine = coroutine
    return coroutine


def keep_aliases(machine: Machine) -> None:
    """The public state has changed: what other fibers' variables are parts of may stand elsewhere in it, or nowhere now."""
    machine.externals.place("state", machine.state)
    for fiber_id in list(machine.aliased):
        fiber = machine.fibers.get(fiber_id)
        if fiber is None or fiber.frames is None or IN_STATE not in fiber.frames:
            machine.aliased.discard(fiber_id)
            continue
        if fiber.wait is None or fiber.coroutine is None:
            continue  # it moves in this turn
        assert fiber.encoder is not None
        encoded = fiber.encoder.encode(capture(fiber.coroutine))
        if encoded.text != fiber.frames:
            machine.large.keep(fiber, encoded)
            fiber.frames = encoded.text
            machine.touch(fiber)


def _enter_timeout(machine: Machine, fiber: Fiber, operation: EnterTimeout) -> Any:
    scope = operation.scope
    if scope.id:
        raise CheckpointError("a ctx.timeout(…) can be entered once; make a new one for each `async with`")
    scope.id = f"{fiber.id}!{fiber.next_number()}"
    limit = Scope(id=scope.id, due=machine.now + scope.duration_ms)
    fiber.scopes = [*fiber.scopes, limit]
    if not scope.duration_ms:  # it is over before anything can wait in it: the first wait is cancelled, as asyncio's is
        limit.expired = True
        machine.note("timeout", name=scope.id, fiber=fiber.id)
        machine.own("interrupt_next").setdefault(fiber.id, Interrupt(reason="ctx.timeout is over", scope=scope.id))
    return scope


def _exit_timeout(machine: Machine, fiber: Fiber, operation: ExitTimeout) -> BaseException | None:
    scope_id = operation.scope.id
    left = next((scope for scope in fiber.scopes if scope.id == scope_id), None)
    fiber.scopes = [scope for scope in fiber.scopes if scope.id != scope_id]
    pending = machine.interrupt_next.get(fiber.id)
    if pending is not None and pending.scope == scope_id:
        del machine.interrupt_next[fiber.id]  # nothing has waited in it
    error = operation.error
    if left is not None and left.expired and isinstance(error, Cancelled) and error.scope == scope_id:
        if left.further is not None:
            return cancelled(left.further)  # as asyncio does
        timeout = TimeoutError(f"ctx.timeout of {operation.scope.duration_ms / 1000:g} s is over")
        timeout.__cause__ = error
        return timeout
    return None
