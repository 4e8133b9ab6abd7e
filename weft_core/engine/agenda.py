"""Which runs are to be looked at: those that somebody wrote to, and those whose time has come."""

from __future__ import annotations

from weft_core.engine.crowded import Crowded
from weft_core.engine.parking import Parking
from weft_core.engine.residents import Residents
from weft_core.store import keys
from weft_core.store.port import Store

DUE_SCAN_MAX = 1_000
"""Timers looked at together; one round fires at least one of those that are due, and at most so many."""


class Agenda:
    """The runs of the next round, and when to look again.

    `todo` says by run whether something was written to it. `hinted`: the store may hold news. `next_due` is when the
    first timer is due (ms), as far as is known; None when there is none.
    """

    def __init__(self, store: Store, runs: Residents, parking: Parking, crowded: Crowded) -> None:
        self.todo: dict[str, bool] = {}
        self.hinted = True
        self.next_due: int | None = 0
        self._store = store
        self._runs = runs
        self._parking = parking
        self._crowded = crowded

    def look_again(self) -> None:
        """Nothing that is known of the store can be relied on."""
        self.hinted = True
        self.next_due = 0

    def expect(self, due: int) -> None:
        """A timer was set."""
        if self.next_due is None or due < self.next_due:
            self.next_due = due

    async def find(self, now: int) -> None:
        """Ask the store, if there is reason to."""
        if self.hinted:
            self.hinted = False
            await self._find_ready()
        if self.next_due is not None and now >= self.next_due:
            await self._find_due(now)

    async def _find_ready(self) -> None:
        """Runs that clients wrote to, or that were active when an engine died."""
        start, end = "ready/", keys.prefix_end("ready/")
        while True:
            rows = await self._store.scan(start, end)
            for row in rows:
                run_id = keys.unquote(row.key[6:])
                loaded = self._runs.loaded.get(run_id)
                if loaded is None or loaded.ready_version != row.version:
                    if loaded is None and (
                        self._parking.unchanged(run_id, row.version) or self._crowded.unchanged(run_id, row.version)
                    ):
                        continue
                    self.todo[run_id] = True
            if len(rows) < 1_000:
                return
            start = rows[-1].key + "\x00"

    async def _find_due(self, now: int) -> None:
        """Runs with a timer that is due, but for those parked or set aside: their timers stay, and must hide no other."""
        start, end, found = "timer/", keys.timer_until(now), 0
        while True:
            rows = await self._store.scan(start, end, limit=DUE_SCAN_MAX)
            for row in rows:
                run_id = keys.unquote(row.key.split("/")[2])
                if run_id not in self._parking and run_id not in self._crowded:
                    self.todo.setdefault(run_id, False)
                    found += 1
            if len(rows) < DUE_SCAN_MAX:
                break
            if found:
                return  # more may be due: look again in the next round
            start = rows[-1].key + "\x00"
        following = await self._store.scan(end, keys.prefix_end("timer/"), limit=1)
        self.next_due = int(following[0].key.split("/")[1]) if following else None
