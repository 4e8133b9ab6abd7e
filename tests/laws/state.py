"""What a random program touches outside of itself: its trace, its fuel, and the script that answers it.

The same for every world, and never captured: an effect happened, whatever is restarted.
"""

from __future__ import annotations

import zlib
from dataclasses import is_dataclass

PLAIN_NAME, COMPILED_NAME = "weft_law_plain", "weft_law_compiled"
"""The modules of the two worlds, which some messages name."""

TRACE_MAX = 4_000
"""Effects after which a program is stopped: what it did so far is compared."""


DEPTH_MAX = 8
"""How deep values are looked into when they are compared."""


class Raised:
    """An answer that an operation raises itself (see `run`'s `raising`)."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


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
        self.raising = False
        self.violations: list[str] = []

    def effect(self, what: object) -> None:
        if self.frozen:
            self.violations.append(f"user code ran where none may run: {what}")
            raise OutOfFuel
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


def said(error: BaseException | None) -> str:
    """An exception's arguments as text."""
    return "" if error is None else text(error.args).replace(COMPILED_NAME, PLAIN_NAME)


def text(value: object, depth: int = 0) -> str:
    """Like `repr`, with the members of sets in an order of their own: Python promises none."""
    kind = type(value)
    if depth > DEPTH_MAX or kind not in (set, frozenset, list, tuple, dict) and not is_dataclass(value):
        return repr(value)
    if isinstance(value, (set, frozenset)):
        return f"{kind.__name__}({sorted(text(item, depth + 1) for item in value)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{text(k, depth + 1)}: {text(v, depth + 1)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"{kind.__name__}({', '.join(text(item, depth + 1) for item in value)})"
    return f"{kind.__name__}({text({name: value for name, value in vars(value).items()}, depth + 1)})"


def kind_of(error: BaseException | None) -> str:
    return type(error).__name__
