"""What attempts of activities report, and what the retry policy makes of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from weft_core.errors import ActivityTimeout, UnknownActivity
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.waits import ActivityWait
from weft_core.model.retry import DEFAULT, Retry

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine

_set: Any = BaseException.__setattr__

ERROR_TEXT_MAX = 2_000
"""Characters of an error's class and message kept in the history, and while the activity is tried again."""


class Attempted(Protocol):
    """Which attempt a report is about: of the operation that this fiber waited for, the number from 1."""

    fiber_id: str
    wait: ActivityWait
    number: int


def wanted(fiber: Fiber | None, attempt: Attempted) -> ActivityWait | None:
    """The wait of this fiber for exactly this attempt, or None: a late result of an operation that is over."""
    wait = None if fiber is None else fiber.wait
    if (
        type(wait) is ActivityWait
        and (wait is attempt.wait or wait.operation_id == attempt.wait.operation_id)  # perhaps read again meanwhile
        and wait.attempt == attempt.number
        and wait.retry_at is None
        and wait.outcome is None
    ):
        return wait
    return None


def completed(machine: Machine, attempt: Attempted, text: str | None, value: Any, now: int) -> bool:
    """An attempt returned: `text` of its result, or None and the `value` itself (one of `ATOMS`).

    False when nobody waits for it any more.
    """
    fiber = machine.fibers.get(attempt.fiber_id)
    wait = wanted(fiber, attempt)
    if fiber is None or wait is None:
        return False
    machine.now = now
    machine.history.note_completed(now, wait.activity, fiber.id, wait.attempt)
    suspended = machine.record.status == "suspended"
    if text is None and (suspended or fiber.frames is None):
        text = machine.codec.encode(value)
    if suspended:
        hold(machine, fiber, wait, f'{{"ok":{text}}}')
    elif text is None:
        machine.settle_activity(fiber, "atom", value)
    else:
        machine.settle_activity(fiber, "value", text)
    return True


def failed(machine: Machine, attempted: Attempted, error: str, live: BaseException, now: int) -> bool:
    """An attempt raised. The policy decides: another attempt later, or the error goes to the workflow.

    The policy judges the `live` error: its `error` text may be of a class that the app does not know, as those of other
    libraries are, and gives the workflow an `ActivityError`.
    """
    fiber = machine.fibers.get(attempted.fiber_id)
    wait = wanted(fiber, attempted)
    if fiber is None or wait is None:
        return False
    machine.now = now
    fiber_id, attempt = fiber.id, wait.attempt
    raised = machine.codec.decode_error(error)
    retry_at = _retry_at(machine, wait, live, now)
    if retry_at is not None and wait.total_until is not None and retry_at >= wait.total_until:
        retry_at = None
        timeout = ActivityTimeout(
            f"activity {wait.activity!r} did not succeed within {(wait.total_timeout_ms or 0) / 1000:g} s"
        )
        timeout.__cause__ = raised
        raised = timeout
    text = f"{type(raised).__name__}: {_said(raised)}"[:ERROR_TEXT_MAX]
    if retry_at is not None:
        machine.note("activity_retried", name=wait.activity, fiber=fiber_id, attempt=attempt, error=text)
        wait.attempt += 1
        wait.retry_at = retry_at
        wait.last_error = text
        machine.own("dispatch").pop(fiber_id, None)  # a run that was just read wanted to make the attempt again
        machine.touch(fiber)
        return True
    with suppress(Exception):  # a class may keep something else as its notes
        if not hasattr(raised, "__notes__"):
            _set(raised, "__notes__", [])  # which `add_note` would ask a frozen class for
        BaseException.add_note(
            raised, f"activity {wait.activity!r} failed after {attempt} attempt{'s' * (attempt != 1)}"
        )
    machine.note("activity_failed", name=wait.activity, fiber=fiber_id, attempt=attempt, error=text)
    hold_or_settle(machine, fiber, wait, f'{{"error":{machine.codec.encode_error(raised)}}}')
    return True


def heartbeat(machine: Machine, attempt: Attempted, details: str) -> bool:
    """Keep the details an attempt reported; the next attempt can read them."""
    fiber = machine.fibers.get(attempt.fiber_id)
    wait = wanted(fiber, attempt)
    if fiber is None or wait is None:
        return False
    wait.details = details
    machine.touch(fiber)
    return True


def hold_or_settle(machine: Machine, fiber: Fiber, wait: ActivityWait, outcome: str) -> None:
    """Give the outcome to the fiber, or keep it in the fiber's row while the run is suspended."""
    if machine.record.status == "suspended":
        hold(machine, fiber, wait, outcome)
    else:
        machine.settle_activity(fiber, "outcome", outcome)


def hold(machine: Machine, fiber: Fiber, wait: ActivityWait, outcome: str) -> None:
    """Keep the outcome in the fiber's row: nobody may receive it yet."""
    wait.outcome = outcome
    machine.own("dispatch").pop(fiber.id, None)  # a run that was just read wanted to make the attempt again
    machine.touch(fiber)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # it may need what could not be stored with it
        return f"(its text cannot be made: {type(broken).__name__})"


def _retry_at(machine: Machine, wait: ActivityWait, raised: BaseException, now: int) -> int | None:
    policy = _policy(machine, wait)
    if policy.gives_up(raised, wait.attempt):
        return None
    return now + policy.delay_ms(wait.attempt, error=raised, salt=f"{machine.record.id}/{wait.operation_id}")


def _policy(machine: Machine, wait: ActivityWait) -> Retry:
    if wait.retry is not None:
        policy = machine.codec.decode(wait.retry)
        assert isinstance(policy, Retry)
        return policy
    try:
        return machine.find_activity(wait.activity).retry
    except UnknownActivity:
        return DEFAULT
