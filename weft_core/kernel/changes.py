"""What a run's turn wants written and, once that is durable, done."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """An attempt of an activity to make, after the commit. `args` is the text of `[args, kwargs]`.

    `key` is the idempotency key, the same on every attempt; `details` the last heartbeat's details, as text.
    """

    fiber_id: str
    operation_id: str
    activity: str
    args: str
    attempt: int
    key: str
    timeout_ms: int | None
    total_until_ms: int | None
    details: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line a workflow logged in this turn."""

    level: str
    message: str


@dataclass(slots=True, kw_only=True)
class Changes:
    """Rows to write and to delete (None), what to do after the commit, and where the run then stands.

    `parked`: nothing but timers and the inbox can move the run, so it may leave memory. `closed`: it has ended, and
    everything but its record, state and history goes.
    """

    record: str | None = None
    fibers: dict[str, str | None] = field(default_factory=dict)
    timers_clear: set[tuple[int, str]] = field(default_factory=set)
    timers_set: set[tuple[int, str]] = field(default_factory=set)
    values: dict[str, str | None] = field(default_factory=dict)
    state: str | None = None
    consumed: list[int] = field(default_factory=list)
    history: dict[int, str] = field(default_factory=dict)
    dispatch: list[Dispatch] = field(default_factory=list)
    abort: list[tuple[str, str]] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    parked: bool = False
    closed: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.record is not None
            or self.fibers
            or self.timers_clear
            or self.timers_set
            or self.values
            or self.state is not None
            or self.consumed
            or self.history
            or self.closed
        )
