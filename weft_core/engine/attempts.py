"""Which attempts are under way, and what they reported until a commit has consumed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from weft_core.engine.activities import Activities, Attempt
from weft_core.engine.host import Host
from weft_core.kernel import results
from weft_core.kernel.machine import Machine
from weft_core.kernel.waits import ActivityWait
from weft_core.resume.values import ValueCodec


class Beat(NamedTuple):
    """A heartbeat with the text of its details."""

    attempt: Attempt
    details: str


Fact = Attempt | Beat
"""An attempt that has ended, or a heartbeat."""


def deliver(machine: Machine, facts: Sequence[Fact], now: int) -> None:
    """Tell a run what came of its attempts."""
    for fact in facts:
        if isinstance(fact, Beat):
            results.heartbeat(machine, fact.attempt, fact.details)
        elif fact.ok:
            results.completed(machine, fact, fact.text, fact.value, now)
        else:
            results.failed(machine, fact, fact.text or "", now)


class Attempts:
    """Attempts under way by run and fiber, and the facts they gave, by run, in the order they came.

    A fact stays here (or with the round that took it and gives it back) until the commit that consumed it is durable:
    a failing store makes the engine read its runs again, not do finished work again. Who takes the facts of a run gives
    them back if they could not be committed.
    """

    def __init__(self, *, activities: Activities, codec: ValueCodec, host: Host, wake: Callable[[], None]) -> None:
        self.activities = activities
        self.facts: dict[str, list[Fact]] = {}
        self.codec = codec
        self.host = host
        self._wake = wake
        self._under_way: dict[tuple[str, str], Attempt] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def make(self, run_id: str, fiber_id: str, wait: ActivityWait) -> Attempt | None:
        """The attempt to start for a wait; None when that very attempt is under way or has just ended."""
        key = (run_id, fiber_id)
        current = self._under_way.get(key)
        if current is not None:
            if current.is_for(wait):
                return None
            current.abort()
        if run_id in self.facts:
            for fact in self.facts[run_id]:
                if type(fact) is Attempt and fact.fiber_id == fiber_id and fact.is_for(wait):
                    return None  # it ended while the run was being read again
        attempt = self._under_way[key] = Attempt(run_id, fiber_id, wait, self.activities[wait.activity], self)
        return attempt

    def give_back(self, run_id: str, facts: list[Fact]) -> None:
        self.facts[run_id] = facts + self.facts.get(run_id, [])

    def abort(self, run_id: str, fiber_id: str, operation_id: str) -> None:
        """Nobody wants this operation's result any more."""
        attempt = self._under_way.get((run_id, fiber_id))
        if attempt is not None and attempt.wait.operation_id == operation_id:
            del self._under_way[run_id, fiber_id]
            attempt.abort()

    def abort_run(self, run_id: str) -> None:
        """The run has ended."""
        for key in [key for key in self._under_way if key[0] == run_id]:
            self._under_way.pop(key).abort()
        self.facts.pop(run_id, None)

    def abort_all(self) -> list[Attempt]:
        """Abort everything; gives what was under way."""
        attempts = list(self._under_way.values())
        self._under_way.clear()
        self.facts.clear()
        for attempt in attempts:
            attempt.abort()
        return attempts

    def reported(self, attempt: Attempt) -> None:
        """An attempt has ended, with its `ok` and `text`."""
        key = (attempt.run_id, attempt.fiber_id)
        if self._under_way.get(key) is attempt:
            del self._under_way[key]
        self._add(attempt.run_id, attempt)

    def beaten(self, attempt: Attempt, details: str) -> None:
        """An attempt is alive and says how far it is."""
        self._add(attempt.run_id, Beat(attempt, details))

    def _add(self, run_id: str, fact: Fact) -> None:
        facts = self.facts
        if run_id in facts:
            facts[run_id].append(fact)
            return
        if not facts:
            self._wake()  # who has facts does not sleep
        facts[run_id] = [fact]
