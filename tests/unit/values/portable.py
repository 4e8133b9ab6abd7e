"""Run by other Pythons: writes a checkpoint of every portable type, or reads one and says whether it is right.

    python -m tests.unit.values.portable write | python3.12 -m tests.unit.values.portable read

Needs nothing but the standard library, so that any interpreter can run it.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import itertools
import json
import pathlib
import random
import re
import sys
import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from weft_core.resume import Operation, capture, compile_unit, restore
from weft_core.resume.values import FiberEncoder, Registry, ValueCodec


class Wait(Operation[Any]):
    __slots__ = ()


class Colour(enum.Enum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    number: int
    lines: list[Any]


class Pair(NamedTuple):
    left: Any
    right: Any


def double(x: int) -> int:
    return 2 * x


async def program() -> Any:
    """Holds something of everything across waits, and answers with what became of it."""
    big = [{"i": i, "pad": "x" * 40} for i in range(2_000)]
    row = big[1_500]
    shared: list[Any] = [1]
    shared.append(shared)
    values = [
        10**50, float("nan"), float("-inf"), -0.0, b"\x00\xff", bytearray(b"x"), (1, (2,)), {1: 2, (3,): 4}, {1, 2},
        frozenset("a"), 1j, range(5), slice(1, 2), ..., dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.date(2024, 1, 1),
        dt.timedelta(1), dt.time(1, 2), decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=1),
        pathlib.PurePosixPath("/a"), pathlib.PureWindowsPath("a"), re.compile("a", re.I), collections.deque([1], 3),
        collections.Counter("ab"), collections.OrderedDict(a=1), collections.defaultdict(list), Colour.RED,
        Right.READ | Right.WRITE, Order(1, [2]), Pair(1, [2]), len, double, str.upper, "\ud800", "\ud83d\ude00", "😀",
    ]  # fmt: skip
    total = 0

    def add(x: int) -> int:
        nonlocal total
        total += x
        return total

    dice = random.Random(1)
    iterators = [
        iter([1, 2, 3]), iter((1, 2, 3)), iter("abc"), iter(range(3)), iter(range(9, 0, -4)), enumerate("abc"),
        zip([1, 2, 3], "abc", strict=True), map(double, [1, 2, 3]), filter(None, [1, 2, 3]), reversed([1, 2, 3]),
        reversed((1, 2, 3)), iter({"a": 1, "b": 2, "c": 3}), iter({"a": 1, "b": 2, "c": 3}.items()),
        reversed({"a": 1, "b": 2, "c": 3}), iter(collections.deque([1, 2, 3])), iter({1, 2, 3}), iter(b"abc"),
        itertools.chain([1, 2], [3]), itertools.islice(itertools.count(), 3) and itertools.repeat("r", 3),
        itertools.starmap(divmod, [(7, 2), (8, 3), (9, 4)]), itertools.pairwise([1, 2, 3, 4]),
        itertools.compress([1, 2, 3], [1, 1, 1]),
    ]  # fmt: skip
    firsts = [next(it) for it in iterators]
    out = []
    for i, item in enumerate(["a", "b", "c"]):
        try:
            await Wait()
            add(i)
            if item == "b":
                raise ValueError(item)
        except ValueError as error:
            await Wait()
            out.append(repr(error))
        finally:
            out.append(dice.random())
    rest = [list(it) for it in iterators]
    shown = [v for v in values if not isinstance(v, (set, frozenset)) and v is not double]
    return [
        repr([list(v.items()) if isinstance(v, dict) else v for v in shown]),
        values[-5] is double and values[-6] is len,  # type: ignore[comparison-overlap]
        repr(sorted(values[8])), shared[1] is shared, row is big[1_500], total, out,  # type: ignore[arg-type, index]
        repr(firsts[:15]), repr([r for r in rest if len(r) == 2]), len(rest), len(big),
    ]  # fmt: skip


UNIT = compile_unit(program)


def codec() -> ValueCodec:
    registry = Registry()
    registry.add_module(__name__)
    registry.add_unit(UNIT)
    return ValueCodec(registry)


def to_text(coroutine: Any) -> str:
    encoded = FiberEncoder(codec()).encode(capture(coroutine))
    return json.dumps([encoded.text, encoded.new_values])


def from_text(text: str) -> Any:
    frames, values = json.loads(text)
    return restore(FiberEncoder(codec()).decode(frames, values.__getitem__))


def advance(coroutine: Any) -> str:
    """One wait further: the next checkpoint, or the result after `=`."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return "=" + json.dumps(stop.value)
    return to_text(coroutine)


def main() -> None:
    if sys.argv[1] == "start":
        sys.stdout.write(advance(UNIT()))
    else:
        sys.stdout.write(advance(from_text(sys.stdin.read())))


if __name__ == "__main__":
    # As the module others import, so that its classes have one name everywhere.
    from tests.unit.values import portable

    portable.main()
