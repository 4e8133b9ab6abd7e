"""What a run did, for people: numbered entries, the latest of which are kept.

A row of its own for each entry would double what a step writes. So new entries ride in the row of a fiber that changes
with them anyway, until there are HISTORY_CHUNK of them; then they move into one history row. The history rows are a
ring. Whoever reads takes the fibers' entries first, then the rows: an entry that moves in between is seen twice, never
missed, and its number tells.

Most entries say that an activity has completed, and every step writes those that ride again: they are lists,
`[n, at, activity, fiber]` or `[n, at, activity, fiber, attempt]` when it was not the first attempt. All others are objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from weft_core.errors import DecodeError
from weft_core.kernel.empty import NOTHING, own
from weft_core.kernel.records import HISTORY_CHUNK, HISTORY_MAX, HISTORY_ROWS_MAX, dump, parse, quoted

if TYPE_CHECKING:
    from weft_core.kernel.fibers import Fiber

_CHUNK_CHARACTERS_MIN = 20 * HISTORY_CHUNK
"""An entry has a number, a time of 13 digits, and two names in quotes: what is not longer holds no full chunk."""

BETWEEN = ",\n"
"""Between the entries that ride in a fiber's row. A line break is in no entry, so they can be told apart again."""


class History:
    """The history of one run in memory: how far it counted, what is new, which rows are to be written.

    `mixed`: entries that come together may not be in the order of their numbers.
    """

    __slots__ = ("chunks", "count", "fresh", "mixed", "rows")

    def __init__(self, count: int) -> None:
        self.count = count
        self.chunks = 0
        self.mixed = False
        self.fresh: list[str] = []
        self.rows: dict[int, str] = NOTHING

    def loaded(self, count: int, chunks: int) -> None:
        """A fiber's row counted this far when it was written."""
        self.count = max(self.count, count)
        self.chunks = max(self.chunks, chunks)
        self.mixed = True  # perhaps it was

    def note(self, now: int, kind: str, facts: dict[str, Any]) -> None:
        """A new entry."""
        extra = "".join([f',"{name}":{dump(value)}' for name, value in facts.items()])
        self.fresh.append(f'{{"n":{self.count},"at":{now},"kind":"{kind}"{extra}}}')
        self.count += 1

    def note_completed(self, now: int, activity: str, fiber_id: str, attempt: int) -> None:
        """The entry of every step, made without the generality of `note`."""
        self.fresh.append(completed(self.count, now, activity, fiber_id, attempt))
        self.count += 1

    def ride(self, carrier: Fiber) -> None:
        """Let what is new ride in the row of a fiber that is going to be written; full chunks become rows."""
        fresh = self.fresh
        self.carry(carrier, BETWEEN.join(fresh) if len(fresh) > 1 else fresh[0])
        fresh.clear()

    def carry(self, carrier: Fiber, text: str) -> None:
        """Let these entries ride."""
        riding = carrier.entries
        carrier.entries = riding = f"{riding}{BETWEEN}{text}" if riding else text
        if len(riding) > _CHUNK_CHARACTERS_MIN and riding.count(BETWEEN) >= HISTORY_CHUNK - 1:
            carrier.entries = BETWEEN.join(self._write(riding.split(BETWEEN), full=True))

    def take_back(self, carrier: Fiber) -> None:
        """A fiber is gone: what rode in its row needs another place."""
        if carrier.entries:
            self.mixed = True  # what comes together now may be in any order
            self.fresh += carrier.entries.split(BETWEEN)
            carrier.entries = ""

    def write(self, fibers: Iterable[Fiber]) -> None:
        """Write everything that is new, and what these fibers carried."""
        carriers = [fiber for fiber in fibers if fiber.entries]
        if len(carriers) == 1:  # all that is new came after what rides there
            self.fresh[:0] = carriers[0].entries.split(BETWEEN)
            carriers[0].entries = ""
        else:
            for fiber in carriers:
                self.take_back(fiber)
        entries, self.fresh = self.fresh, []
        self._write(entries, full=False)

    def _write(self, entries: list[str], *, full: bool) -> list[str]:
        """Make rows of the latest entries, only `full` ones or all; gives those that are left."""
        if self.mixed:
            entries.sort(key=_number)
        del entries[: -HISTORY_MAX - HISTORY_CHUNK]
        end = len(entries) // HISTORY_CHUNK * HISTORY_CHUNK if full else len(entries)
        for at in range(0, end, HISTORY_CHUNK):
            own(self, "rows")[self.chunks % HISTORY_ROWS_MAX] = (
                f"[{','.join(entries[at : min(at + HISTORY_CHUNK, end)])}]"
            )
            self.chunks += 1
        return entries[end:]


def completed(number: int, now: int, activity: str, fiber_id: str, attempt: int) -> str:
    """The entry of every step as a text, for `History.carry`."""
    if attempt == 1:
        return f'[{number},{now},{quoted(activity)},"{fiber_id}"]'
    return f'[{number},{now},{quoted(activity)},"{fiber_id}",{attempt}]'


def _number(entry: str) -> int:
    return int(entry[1 if entry[0] == "[" else len('{"n":') : entry.index(",")])


def read_history(fibers: list[str], rows: list[str]) -> list[dict[str, Any]]:
    """The latest HISTORY_MAX entries, oldest first, of a run's fiber rows and history rows, read in this order.

    What stands in rows that are damaged is left out: it is for people, who want to see the rest all the more.
    """
    entries: dict[int, dict[str, Any]] = {}
    for text in (*(text for text in fibers if '"e":[' in text), *(f'{{"e":{text}}}' for text in rows)):
        with suppress(DecodeError, TypeError, KeyError, ValueError):
            entries |= {int(entry["n"]): entry for entry in map(_in_full, parse(text, "history")["e"])}
    return [entries[n] for n in sorted(entries)[-HISTORY_MAX:]]


def _in_full(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, list):
        return {**entry, "at": int(entry["at"]), "kind": str(entry["kind"])}
    n, at, name, fiber, *attempt = entry
    return {
        "n": n,
        "at": int(at),
        "kind": "activity_completed",
        "name": name,
        "fiber": fiber,
        "attempt": attempt[0] if attempt else 1,
    }
