"""Runs whose commits the store has no room for: tried by themselves, then set aside for a while, so that others go on.

`StoreFull` does not say which run of a round was too much. So after a round that did not fit, each of its runs is tried in a
round of its own; those that do not fit even so wait, with what their attempts have reported, and the others go on as
before. When several in a row do not fit, it is the store that is full, for all.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from weft_core.engine.attempts import Attempts, Facts

log = logging.getLogger("weft")

ASIDE_FIRST_MS, ASIDE_MAX_MS = 100, 5_000
"""How long a run that does not fit is set aside: the first time, and at most; twice as long each time."""
ALONE_FAILURES_MAX = 3
"""Runs in a row that do not fit by themselves before everybody waits."""


class Aside(NamedTuple):
    """A run that waits until `due` (ms), the version its ready row had, and what was reported for it."""

    due: int
    ready_version: int
    facts: Facts | None


class Crowded:
    """The runs to be tried by themselves, and those that are set aside until a moment (ms).

    `full`: several in a row did not fit, and nothing has been written since.
    """

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._alone: dict[str, None] = {}
        self._aside: dict[str, Aside] = {}
        self._pauses: dict[str, int] = {}
        self._failures = 0
        self.full = False

    @property
    def next_due(self) -> int | None:
        """When the first run that is set aside is to be tried again."""
        return min((aside.due for aside in self._aside.values()), default=None)

    def __contains__(self, run_id: object) -> bool:
        """Whether the run is set aside."""
        return run_id in self._aside

    def unchanged(self, run_id: str, ready_version: int) -> bool:
        """Whether the run is set aside and nobody has written to it since."""
        return run_id in self._aside and self._aside[run_id].ready_version == ready_version

    def bring_back(self, now: int, todo: dict[str, bool]) -> None:
        """Put back those whose time has come, and those that somebody has written to."""
        if self._aside:
            for run_id in [r for r, aside in self._aside.items() if now >= aside.due or r in todo]:
                facts = self._aside.pop(run_id).facts
                if facts is not None:
                    self._attempts.give_back(run_id, facts)
                todo[run_id] = True
                self._alone[run_id] = None

    def next(self) -> str | None:
        """The run to try by itself, if there is one."""
        return next(iter(self._alone), None)

    def try_alone(self, run_id: str) -> None:
        """It was one of several whose commits did not fit together, or with which Python died: its next turn is its own."""
        self._alone[run_id] = None

    def refused(self, run_id: str, ready_version: int, error: Exception, now: int) -> bool:
        """This run does not fit by itself: it is set aside. False: nothing fits any more."""
        self._alone.pop(run_id, None)
        self._failures += 1
        if self._failures >= ALONE_FAILURES_MAX:
            self._failures = 0
            self.full = True
            self._alone[run_id] = None  # after the others
            return False
        pause = self._pauses[run_id] = min(2 * self._pauses.get(run_id, ASIDE_FIRST_MS // 2), ASIDE_MAX_MS)
        if pause == ASIDE_FIRST_MS:
            log.warning("run %s is set aside until it fits, others go on: %s", run_id, error)
        self._aside[run_id] = Aside(now + pause, ready_version, self._attempts.facts.pop(run_id, None))
        return True

    def fitted(self, run_id: str | None) -> None:
        """A round is durable; that of one run by itself, when it is named."""
        self._failures = 0
        self.full = False
        if run_id is not None:
            self._alone.pop(run_id, None)
            self._pauses.pop(run_id, None)
