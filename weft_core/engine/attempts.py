"""Which attempts are under way, and what they reported until a commit has consumed it."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from itertools import islice
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

Facts = Attempt | list[Fact]
"""What was reported for one run, in order; mostly that one attempt has ended."""


def deliver(machine: Machine, facts: Facts, now: int) -> None:
    """Tell a run what came of its attempts."""
    for fact in _listed(facts):
        if isinstance(fact, Beat):
            results.heartbeat(machine, fact.attempt, fact.details)
        elif fact.ok:
            results.completed(machine, fact, fact.text, fact.value, now)
        else:
            results.failed(machine, fact, fact.text or "", fact.value, now)


class Attempts:
    """Attempts under way by run and fiber, and the facts they gave, by run, in the order they came.

    A fact stays here (or with the round that took it and gives it back) until the commit that consumed it is durable:
    a failing store makes the engine read its runs again, not do finished work again. Who takes the facts of a run gives
    them back if they could not be committed.
    """

    def __init__(self, *, activities: Activities, codec: ValueCodec, host: Host, wake: Callable[[], None]) -> None:
        self.activities = activities
        self.facts: dict[str, Facts] = {}
        self.codec = codec
        self.host = host
        self._wake = wake
        self._under_way: dict[str, dict[str, Attempt]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._under_way.values()))

    def start(self, run_id: str, fiber_id: str, wait: ActivityWait, loop: AbstractEventLoop) -> None:
        """Start the attempt that a wait asks for, unless that very attempt is under way or has just ended."""
        if run_id in self._under_way:
            current = self._under_way[run_id].get(fiber_id)
            if current is not None:
                if current.is_for(wait):
                    return
                self._forget(current)
                current.abort()
        if run_id in self.facts and self._has_ended(run_id, fiber_id, wait):
            return  # while the run was being read again
        activity = wait.target
        if activity is None or wait.attempt > 1:  # since then another may have been registered
            activity = self.activities[wait.activity]
        attempt = Attempt(run_id, fiber_id, wait, activity, self)
        attempt.start(loop)
        if not attempt.reported:  # else it was over at once
            self._under_way.setdefault(run_id, {})[fiber_id] = attempt

    def _has_ended(self, run_id: str, fiber_id: str, wait: ActivityWait) -> bool:
        for fact in _listed(self.facts[run_id]):
            if type(fact) is Attempt and fact.fiber_id == fiber_id and fact.is_for(wait):
                return True
        return False

    def take(self, limit: int) -> dict[str, Facts]:
        """The facts of up to `limit` runs, in the order they came; who takes them gives back what was not consumed."""
        facts = self.facts
        if len(facts) <= limit:
            self.facts = {}
            return facts
        return {run_id: facts.pop(run_id) for run_id in list(islice(facts, limit))}

    def take_of(self, run_id: str) -> dict[str, Facts]:
        """The facts of one run, if there are any."""
        return {run_id: self.facts.pop(run_id)} if run_id in self.facts else {}

    def give_back(self, run_id: str, facts: Facts) -> None:
        """Take facts back that no commit has consumed; what came since comes after them."""
        since = self.facts.get(run_id)
        if since is not None:
            facts = [*_listed(facts), *_listed(since)]
        self.facts[run_id] = facts

    def abort(self, run_id: str, fiber_id: str, operation_id: str) -> None:
        """Nobody wants this operation's result any more."""
        attempt = self._under_way.get(run_id, {}).get(fiber_id)
        if attempt is not None and attempt.wait.operation_id == operation_id:
            self._forget(attempt)
            attempt.abort()

    def keep_wanted(self, run_id: str, machine: Machine | None) -> None:
        """The run was read again, and has ended if there is no `machine`: whoever it does not wait for is aborted.

        A commit that failed may have taken effect: what was to be aborted after it was not.
        """
        for attempt in list(self._under_way.get(run_id, {}).values()):
            if machine is None or results.wanted(machine.fibers.get(attempt.fiber_id), attempt) is None:
                self._forget(attempt)
                attempt.abort()

    def abort_run(self, run_id: str) -> None:
        """The run has ended."""
        for attempt in self._under_way.pop(run_id, {}).values():
            attempt.abort()
        self.facts.pop(run_id, None)

    def all(self) -> list[Attempt]:
        """What is under way."""
        return [attempt for of_run in self._under_way.values() for attempt in of_run.values()]

    def abort_all(self, *, keep_facts: bool) -> list[Attempt]:
        """Abort everything; gives what was under way. With `keep_facts` what has ended is still to be taken."""
        attempts = self.all()
        self._under_way.clear()
        if not keep_facts:
            self.facts.clear()
        for attempt in attempts:
            attempt.abort()
        return attempts

    def reported(self, attempt: Attempt) -> None:
        """An attempt has ended, with its `ok` and `text`."""
        run_id, facts = attempt.run_id, self.facts
        if run_id in self._under_way:
            self._forget(attempt)
        if facts and run_id not in facts:
            facts[run_id] = attempt
        else:
            self._add(run_id, attempt)

    def beaten(self, attempt: Attempt, details: str) -> None:
        """An attempt is alive and says how far it is."""
        self._add(attempt.run_id, Beat(attempt, details))

    def _add(self, run_id: str, fact: Fact) -> None:
        facts = self.facts
        known = facts.get(run_id)
        if known is None:
            if not facts:
                self._wake()  # who has facts does not sleep
            facts[run_id] = fact if isinstance(fact, Attempt) else [fact]
        elif isinstance(known, list):
            known.append(fact)
        else:
            facts[run_id] = [known, fact]

    def _forget(self, attempt: Attempt) -> None:
        """The attempt is no longer under way."""
        of_run = self._under_way[attempt.run_id]
        if of_run.get(attempt.fiber_id) is attempt:
            del of_run[attempt.fiber_id]
            if not of_run:
                del self._under_way[attempt.run_id]


def _listed(facts: Facts) -> list[Fact]:
    return [facts] if isinstance(facts, Attempt) else facts
