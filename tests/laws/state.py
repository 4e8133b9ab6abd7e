"""What a random program touches outside of itself: its trace, its fuel, and the script that answers it.

The same for every world, and never captured: an effect happened, whatever is restarted.
"""

from __future__ import annotations

import zlib

TRACE_MAX = 4_000
"""Effects after which a program is stopped: what it did so far is compared."""


class OutOfFuel(BaseException):
    """A program ran long enough."""


class State:
    """The surroundings of one execution."""

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, seed: int, fuel: int = 40) -> None:
        self.seed = seed
        self.fuel = fuel
        self.trace: list[object] = []
        self.asked: dict[object, int] = {}
        self.frozen = False

    def effect(self, what: object) -> None:
        if self.frozen:
            raise AssertionError(f"user code ran where none may run: {what}")
        self.trace.append(what)
        if len(self.trace) > TRACE_MAX:
            raise OutOfFuel

    def chance(self, site: object, sides: int) -> int:
        """A number below `sides`: depends on the seed, the site, and how often the site asked."""
        count = self.asked[site] = self.asked.get(site, 0) + 1
        return zlib.crc32(f"{self.seed}/{site}/{count}".encode()) % sides

    def burn(self, amount: int = 1) -> bool:
        self.fuel -= amount
        return self.fuel > 0


STATE = State()
