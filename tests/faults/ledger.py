"""The outside world of a scenario: it sees every effect with its idempotency key, over all lives of the engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

from weft_core import activity_info


class Ledger:
    """Counts executions by idempotency key, and keeps each effect once, as a payment provider would."""

    def __init__(self) -> None:
        self.executions: Counter[str] = Counter()
        self.effects: dict[str, Any] = {}
        self.deaths = 0
        self.retries = 0

    def copy(self) -> Ledger:
        """The same outside world, which goes its own way from here."""
        other = Ledger()
        other.executions, other.effects = self.executions.copy(), self.effects.copy()
        other.deaths, other.retries = self.deaths, self.retries
        return other

    def effect(self, what: Any) -> Any:
        """Called by activities: the effect happens once per key, however often it is executed."""
        info = activity_info()
        self.executions[info.key] += 1
        if info.attempt > 1:
            self.retries += 1
        return self.effects.setdefault(info.key, what)

    def check(self) -> None:
        """Invariant 5: an execution beyond the first needs a death, or an attempt the policy made."""
        for key, count in self.executions.items():
            assert count <= 1 + self.deaths + self.retries, f"{key} was executed {count} times in {self.deaths} deaths"

    @property
    def seen(self) -> list[Any]:
        """The effects, in an order that does not depend on crashes."""
        return sorted(self.effects.values(), key=repr)
