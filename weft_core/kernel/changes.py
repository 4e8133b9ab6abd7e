"""What a run's turn wants written and, once that is durable, done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(slots=True, kw_only=True)
class Dispatch:
    """An attempt of an activity to make, after the commit. `args` is the text of `[args, kwargs]`.

    `key` is the idempotency key, the same on every attempt; `details` the last heartbeat's details, as text. One is made
    for every step, and making a frozen one costs five times as much: nobody changes it all the same.
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


_NOTHING: Any = MappingProxyType({})
"""The empty mapping that all empty fields share: one `Changes` is made for every turn of every run."""


def _nothing() -> Any:
    return _NOTHING


@dataclass(slots=True, kw_only=True)
class Changes:
    """Rows to write and to delete (None), what to do after the commit, and where the run then stands.

    `parked`: nothing but timers and the inbox can move the run, so it may leave memory. `closed`: it has ended, and
    everything but its record, state and history goes.
    """

    record: str | None = None
    fibers: Mapping[str, str | None] = field(default_factory=_nothing)
    timers_clear: Collection[tuple[int, str]] = ()
    timers_set: Collection[tuple[int, str]] = ()
    values: Mapping[str, str | None] = field(default_factory=_nothing)
    state: str | None = None
    consumed: Sequence[int] = ()
    history: Mapping[int, str] = field(default_factory=_nothing)
    dispatch: Sequence[Dispatch] = ()
    abort: Sequence[tuple[str, str]] = ()
    logs: Sequence[LogLine] = ()
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
