"""Bugs planted on purpose, each one that a real engine has shipped. The exploration must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from weft_core.engine import arrivals, rows, turns
from weft_core.engine.turns import Turns
from weft_core.kernel.changes import Changes
from weft_core.store import keys
from weft_core.store.port import Batch


@contextmanager
def result_and_frame_in_two_commits() -> Iterator[None]:
    """The history and state of a step in one commit, the frame that consumed its result in the next."""
    real = Turns.commit

    async def split(self: Turns, now: int) -> int:
        first = Batch(expect={keys.OWNER: self._owner_version})
        for loaded in self.made:
            if not isinstance(loaded.turn, Changes):
                continue
            for fiber_id, row in loaded.turn.fibers.items():
                if row is None:
                    first.delete.add(loaded.keys.fiber + fiber_id)
            for n in loaded.turn.consumed:
                first.delete.add(f"{loaded.keys.inbox}{n:012d}")
        if first:
            await self._store.commit(first)
        return await real(self, now)

    with mock.patch.object(Turns, "commit", split):
        yield


@contextmanager
def fence_not_checked() -> Iterator[None]:
    """Commits do not name the owner row."""
    real = turns.Batch

    def unfenced(expect: dict[str, int] | None = None, **kw: Any) -> Batch:
        return real(expect={k: v for k, v in (expect or {}).items() if k != keys.OWNER}, **kw)

    with mock.patch.object(turns, "Batch", unfenced):
        yield


@contextmanager
def signal_consumed_before_the_frame() -> Iterator[None]:
    """A signal's row is deleted when it is read, not with the frame that received it."""
    from weft_core.engine import loader

    real = loader.refresh_inbox

    async def eager(store: Any, loaded: Any, rows: Any = None) -> None:
        await real(store, loaded, rows)
        batch = Batch(delete={f"{loaded.keys.inbox}{n:012d}" for n in range(1, loaded.machine.inbox_next)})
        if batch:
            await store.commit(batch)

    with ExitStack() as patched:
        for module in (loader, arrivals, turns):
            patched.enter_context(mock.patch.object(module, "refresh_inbox", eager))
        yield


@contextmanager
def timer_row_left_behind() -> Iterator[None]:
    """A timer that was cleared keeps its row."""
    real = rows.add_changes

    def forgetful(batch: Batch, run: Any, changes: Any, **kw: Any) -> None:
        cleared, changes.timers_clear = changes.timers_clear, set()
        real(batch, run, changes, **kw)
        changes.timers_clear = cleared

    with mock.patch.object(turns, "add_changes", forgetful):
        yield


@contextmanager
def due_scan_off_by_one() -> Iterator[None]:
    """Timers due at this very millisecond are not found."""
    real = keys.timer_until
    with mock.patch.object(keys, "timer_until", lambda due: real(due - 1)):
        yield


@contextmanager
def due_again_is_not_told() -> Iterator[None]:
    """A timer that is due at the instant of the one that has just fired keeps its row, and nobody looks again."""
    real = turns.changes

    def silent(machine: Any) -> Any:
        changes = real(machine)
        stands = {(at, fiber) for fiber, at in machine.stored_due.items()}
        changes.timers_set = {timer for timer in changes.timers_set if timer not in stands}
        return changes

    with mock.patch.object(turns, "changes", silent):
        yield


@contextmanager
def result_dropped_when_the_commit_fails() -> Iterator[None]:
    """A failed commit loses the facts it would have consumed, and the step is done again."""
    from weft_core.engine.attempts import Attempts

    with mock.patch.object(Attempts, "give_back", return_value=None):
        yield


@contextmanager
def children_kept_after_their_join() -> Iterator[None]:
    """The rows of branches stay when their join is over."""
    real = turns.changes

    def keeping(machine: Any) -> Any:
        changes = real(machine)
        changes.fibers = {k: v for k, v in changes.fibers.items() if v is not None}
        return changes

    with mock.patch.object(turns, "changes", keeping):
        yield


PLANTED: dict[str, tuple[Callable[[], Any], str]] = {
    bug.__name__: (bug, scenario)
    for bug, scenario in (
        (result_and_frame_in_two_commits, "signals"),
        (fence_not_checked, "frozen owner"),
        (signal_consumed_before_the_frame, "signals"),
        (timer_row_left_behind, "sleeping_loop"),
        (due_scan_off_by_one, "delayed_start"),
        (due_again_is_not_told, "timers_at_one_instant"),
        (result_dropped_when_the_commit_fails, "steps_and_retries"),
        (children_kept_after_their_join, "mapping"),
    )
}
"""The bugs, and the scenario whose exploration has to find each."""
