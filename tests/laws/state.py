"""What a random program touches outside of itself: its trace, its fuel, and the script that answers it.

The same for every world, and never captured: an effect happened, whatever is restarted.
"""

from __future__ import annotations

import re
import zlib

PLAIN_NAME, COMPILED_NAME = "weft_law_plain", "weft_law_compiled"
"""The modules of the two worlds, which some messages name."""

TRACE_MAX = 4_000
"""Effects after which a program is stopped: what it did so far is compared."""


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
    """An exception's arguments as text, without the words in which compiled code is known to differ.

    A captured variable is free in compiled code, and Python has other words for one that is unbound; `**` that is
    unpacked before an `await` is merged before the call is made.
    """
    if error is None:
        return ""
    text = repr(error.args)
    if isinstance(error, NameError):
        return plain_name(text.split("'")[1]) if "'" in text else text
    return _UNBOUND.sub(r"NameError(\1)", text).replace(COMPILED_NAME, PLAIN_NAME)


def plain_name(name: str) -> str:
    """A name of the source, without what the compiler put in front to keep the target of a comprehension apart."""
    return name.rpartition(".")[2]


def kind_of(error: BaseException | None) -> str:
    return "NameError" if isinstance(error, NameError) else type(error).__name__


_UNBOUND = re.compile(r"(?:UnboundLocalError|NameError)\(\"[^']*'([^']*)'[^\"]*\"\)")
