"""Which attempts are under way, and what they reported until a commit has consumed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft_core.engine.activities import Activities, Attempt
from weft_core.engine.host import Host
from weft_core.kernel.changes import Dispatch
from weft_core.resume.values import ValueCodec


@dataclass(slots=True, kw_only=True)
class Result:
    """An attempt's end: `ok` with the text of its result, or not, with that of its error."""

    fiber_id: str
    operation_id: str
    attempt: int
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat with the text of its details."""

    fiber_id: str
    operation_id: str
    attempt: int
    details: str


Fact = Result | Beat


class Attempts:
    """Attempts under way by run and fiber, and the facts they gave, by run, in the order they came.

    A fact stays here (or with the round that took it and gives it back) until the commit that consumed it is durable:
    a failing store makes the engine read its runs again, not do finished work again.
    """

    def __init__(self, *, activities: Activities, codec: ValueCodec, host: Host, wake: Callable[[], None]) -> None:
        self.activities = activities
        self.facts: dict[str, list[Fact]] = {}
        self._codec = codec
        self._host = host
        self._wake = wake
        self._under_way: dict[tuple[str, str], Attempt] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def make(self, run_id: str, dispatch: Dispatch) -> Attempt | None:
        """The attempt to start for a dispatch; None when that very attempt is under way or has just ended."""
        key = (run_id, dispatch.fiber_id)
        current = self._under_way.get(key)
        if current is not None:
            if _same(current.dispatch, dispatch):
                return None
            current.abort()
        if any(isinstance(fact, Result) and _same(fact, dispatch) for fact in self.facts.get(run_id, ())):
            return None  # it ended while the run was being read again
        attempt = Attempt(
            run_id,
            dispatch,
            self.activities[dispatch.activity],
            codec=self._codec,
            host=self._host,
            on_report=self._reported,
            on_beat=self._beaten,
        )
        self._under_way[key] = attempt
        return attempt

    def take(self, run_id: str) -> list[Fact]:
        """The facts of a run; who takes them gives them back if they could not be committed."""
        return self.facts.pop(run_id, [])

    def give_back(self, run_id: str, facts: list[Fact]) -> None:
        self.facts[run_id] = facts + self.facts.get(run_id, [])

    def abort(self, run_id: str, fiber_id: str, operation_id: str) -> None:
        """Nobody wants this operation's result any more."""
        attempt = self._under_way.get((run_id, fiber_id))
        if attempt is not None and attempt.dispatch.operation_id == operation_id:
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

    def _reported(self, attempt: Attempt, ok: bool, text: str) -> None:
        dispatch = attempt.dispatch
        key = (attempt.run_id, dispatch.fiber_id)
        if self._under_way.get(key) is attempt:
            del self._under_way[key]
        self._add(
            attempt.run_id,
            Result(
                fiber_id=dispatch.fiber_id,
                operation_id=dispatch.operation_id,
                attempt=dispatch.attempt,
                ok=ok,
                text=text,
            ),
        )

    def _beaten(self, attempt: Attempt, details: str) -> None:
        dispatch = attempt.dispatch
        self._add(
            attempt.run_id,
            Beat(
                fiber_id=dispatch.fiber_id,
                operation_id=dispatch.operation_id,
                attempt=dispatch.attempt,
                details=details,
            ),
        )

    def _add(self, run_id: str, fact: Fact) -> None:
        facts = self.facts.get(run_id)
        if facts is None:
            self.facts[run_id] = [fact]
        else:
            facts.append(fact)
        self._wake()


def _same(one: Dispatch | Result, other: Dispatch) -> bool:
    return one.operation_id == other.operation_id and one.attempt == other.attempt and one.fiber_id == other.fiber_id
