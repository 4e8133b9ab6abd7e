"""What a run's turn wants written and, once that is durable, done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from weft_core.kernel.waits import ActivityWait


class LogLine(NamedTuple):
    """A line a workflow logged in this turn."""

    level: str
    message: str


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Changes:
    """Rows to write and to delete (None), what to do after the commit, and where the run then stands.

    `dispatch`: fibers that wait for an attempt to be made, after the commit, with their waits.
    `parked`: nothing but timers and the inbox can move the run, so it may leave memory. `closed`: it has ended, and
    everything but its record, state and history goes: all its fibers, values and inbox rows are here to be deleted.
    One is made for every turn of every run and nearly all of it is empty, so what is empty is the class's.
    """

    record: str | None = None
    fibers: Mapping[str, str | None] = _NOTHING
    timers_clear: Collection[tuple[int, str]] = ()
    timers_set: Collection[tuple[int, str]] = ()
    values: Mapping[str, str | None] = _NOTHING
    state: str | None = None
    consumed: Sequence[int] = ()
    history: Mapping[int, str] = _NOTHING
    dispatch: Sequence[tuple[str, ActivityWait]] = ()
    abort: Sequence[tuple[str, str]] = ()
    logs: Sequence[LogLine] = ()
    parked: bool = False
    closed: bool = False
