"""What people who know asyncio write in a workflow, and what to write there instead."""

from __future__ import annotations

IN_ACTIVITY = "do it in an activity and await `ctx.run(activity, …)`"
_BRANCHES = (
    "await `ctx.gather(…)`, which is `ctx.all(…)`, of calls of resumable functions instead, start one with "
    f"`ctx.start(…)`, or {IN_ACTIVITY}"
)
_TIMEOUT = "write `async with ctx.timeout(…):` instead"
_SIGNAL = "await `ctx.wait_for_signal(…)` instead, or the Task of `ctx.start(…)`"
_INSTEAD = {
    "sleep": "await `ctx.sleep(…)` instead, a durable timer, or wait in an activity",
    "wait_for": _TIMEOUT,
    "Timeout": _TIMEOUT,
    "wait": "await `ctx.settled(…)` instead, or `ctx.race(…)`",
    "Event": _SIGNAL,
    "Queue": _SIGNAL,
    "Semaphore": "give `limit=` to `ctx.all(…)` or `ctx.map(…)` instead",
    **dict.fromkeys(("Future", "FutureIter", "Task", "TaskGroup", "_GatheringFuture"), _BRANCHES),
}


def instead_of(module: object, name: str) -> str | None:
    """What to write instead of a function or class of asyncio; None when it is of another module."""
    if str(module).partition(".")[0] not in ("asyncio", "_asyncio"):
        return None
    return _INSTEAD.get(name.partition(".")[0], IN_ACTIVITY)
