"""Iterators in the middle of their iteration go on where they were, over the same object."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from typing import Any

import pytest

from tests.unit.values.support import Fiber, codec, double
from weft_core.errors import CheckpointError, DecodeError


def pair(a: int, b: int) -> int:
    return a * 10 + b


class Shelf:
    """A sequence in its own way."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, n: int) -> int:
        if n >= 4:
            raise IndexError(n)
        return n


def test_an_iterator_over_a_sequence_of_the_app_is_refused_where_it_waits() -> None:
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="it goes over a .*Shelf, and who knows how"):
        fiber.through(left=reversed(Shelf()))  # type: ignore[call-overload]


MAKERS: dict[str, Any] = {
    "list": lambda: iter([1, 2, 3, 4]),
    "tuple": lambda: iter((1, 2, 3, 4)),
    "str": lambda: iter("abcd"),
    "unicode": lambda: iter("äbc😀"),
    "bytes": lambda: iter(b"abcd"),
    "bytearray": lambda: iter(bytearray(b"abcd")),
    "range": lambda: iter(range(1, 20, 5)),
    "range down": lambda: iter(range(20, 1, -5)),
    "long range": lambda: iter(range(2**70, 2**70 + 4)),
    "enumerate": lambda: enumerate(["a", "b", "c", "d"], start=5),
    "enumerate far": lambda: enumerate("abcd", start=2**70),
    "zip": lambda: zip([1, 2, 3, 4], "abcd", strict=False),
    "zip strict": lambda: zip([1, 2, 3, 4], "abcd", strict=True),
    "map": lambda: map(double, [1, 2, 3, 4]),
    "map builtin": lambda: map(str.upper, "abcd"),
    "map bound": lambda: map(", ".join, ["ab", "cd", "ef", "gh"]),
    "filter": lambda: filter(None, [1, 0, 2, 0, 3, 4]),
    "filter fn": lambda: filter(double, [1, 0, 2, 3, 4]),
    "reversed list": lambda: reversed([1, 2, 3, 4]),
    "reversed tuple": lambda: reversed((1, 2, 3, 4)),
    "reversed str": lambda: reversed("abcd"),
    "reversed range": lambda: reversed(range(4)),
    "dict": lambda: iter({"a": 1, "b": 2, "c": 3, "d": 4}),
    "dict values": lambda: iter({"a": 1, "b": 2, "c": 3, "d": 4}.values()),
    "dict items": lambda: iter({"a": 1, "b": 2, "c": 3, "d": 4}.items()),
    "reversed dict": lambda: reversed({"a": 1, "b": 2, "c": 3, "d": 4}),
    "reversed items": lambda: reversed({"a": 1, "b": 2, "c": 3, "d": 4}.items()),
    "deque": lambda: iter(deque([1, 2, 3, 4])),
    "reversed deque": lambda: reversed(deque([1, 2, 3, 4])),
    "ordered": lambda: iter(OrderedDict(a=1, b=2, c=3, d=4)),
    "ordered values": lambda: iter(OrderedDict(a=1, b=2, c=3, d=4).values()),
    "ordered items": lambda: iter(OrderedDict(a=1, b=2, c=3, d=4).items()),
    "reversed ordered": lambda: reversed(OrderedDict(a=1, b=2, c=3, d=4)),
    "reversed ordered values": lambda: reversed(OrderedDict(a=1, b=2, c=3, d=4).values()),
    "reversed ordered items": lambda: reversed(OrderedDict(a=1, b=2, c=3, d=4).items()),
    "by index": lambda: iter(Shelf()),
    "by calls": lambda: iter([5, 4, 3, 2, 1].pop, 5),
    "set": lambda: iter({1, 2, 3, 4}),
    "count": lambda: itertools.islice(itertools.count(3, 2), 4),
    "chain": lambda: itertools.chain([1, 2], "ab"),
    "chain from": lambda: itertools.chain.from_iterable([[1], [2, 3], [], [4]]),
    "starmap": lambda: itertools.starmap(pair, [(1, 2), (3, 4), (5, 6), (7, 8)]),
    "compress": lambda: itertools.compress("abcdef", [1, 0, 1, 1, 0, 1]),
    "filterfalse": lambda: itertools.filterfalse(None, [0, 1, 0, 0, 0]),
    "pairwise": lambda: itertools.pairwise([1, 2, 3, 4, 5]),
    "nested": lambda: enumerate(zip(map(double, [1, 2, 3, 4]), reversed("abcd"), strict=False)),
}
del MAKERS["count"]


@pytest.mark.parametrize("kind", MAKERS)
def test_it_goes_on_where_it_was(kind: str) -> None:
    expected = list(MAKERS[kind]())
    assert len(expected) >= 4
    for taken in range(len(expected) + 1):
        it = MAKERS[kind]()
        for _ in range(taken):
            next(it)
        found = Fiber().through(it=it)["it"]
        assert list(found) == expected[taken:]
        with pytest.raises(StopIteration):
            next(found)
        exhausted = Fiber().through(it=found)["it"]
        with pytest.raises(StopIteration):
            next(exhausted)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_restart_at_every_step(kind: str) -> None:
    expected = list(MAKERS[kind]())
    it = MAKERS[kind]()
    fiber = Fiber()
    got = []
    while True:
        it = fiber.through(it=it)["it"]
        try:
            got.append(next(it))
        except StopIteration:
            break
    assert got == expected


def test_storing_does_not_move_the_live_iterator() -> None:
    for kind, make in MAKERS.items():
        it = make()
        next(it)
        fiber = Fiber()
        fiber.keep(fiber.frame({"it": it}))
        fiber.keep(fiber.frame({"it": it}))
        assert list(it) == list(make())[1:], kind


def test_it_sees_what_the_loop_appends() -> None:
    items = [1, 2]
    it = iter(items)
    next(it)
    found = Fiber().through(items=items, it=it)
    found["items"].append(3)
    assert list(found["it"]) == [2, 3]
    found["items"].append(4)
    again = Fiber().through(**found)
    assert list(again["it"]) == []


def test_one_iterator_shared_by_two_variables() -> None:
    it = iter([1, 2, 3, 4])
    found = Fiber().through(one=it, two=zip(it, it, strict=False))
    next(found["one"])
    assert list(found["two"]) == [(2, 3)]


@pytest.mark.parametrize("over", ["{}", "{}.values()", "{}.items()", "reversed {}"])
def test_a_dict_that_changes_size_is_noticed(over: str) -> None:
    table = {"a": 1, "b": 2, "c": 3}
    look = {"{}": iter, "{}.values()": lambda d: iter(d.values()), "{}.items()": lambda d: iter(d.items())}
    it = look.get(over, reversed)(table)
    next(it)
    found = Fiber().through(table=table, it=it)
    found["table"]["new"] = 4
    with pytest.raises(RuntimeError, match="changed size"):
        next(found["it"])
    table["late"] = 1
    found = Fiber().through(table=table, it=it)
    with pytest.raises(RuntimeError, match="changed size"):
        next(found["it"])


def test_a_dict_that_was_given_other_keys_while_as_large_as_before() -> None:
    table = {"a": 1, "b": 2, "c": 3, "d": 4}
    it = iter(table)
    next(it)
    del table["c"]
    table["z"] = 0
    assert list(Fiber().through(it=it)["it"]) == list(it) == ["b", "d", "z"]
    table = {"a": 1, "b": 2, "c": 3, "d": 4}
    it = iter(table)
    next(it)
    del table["a"]
    table["z"] = 0
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="keys were replaced.*loop over list"):
        fiber.keep(fiber.frame({"it": it}))
    assert [next(it), next(it), next(it)] == ["b", "c", "d"]
    found = fiber.through(it=it)["it"]
    for left in (it, found, fiber.through(it=found)["it"]):
        with pytest.raises(RuntimeError, match="keys changed"):
            next(left)


def test_an_ordered_dict_that_changes_is_noticed() -> None:
    table = OrderedDict(a=1, b=2, c=3)
    it = iter(table.items())
    next(it)
    found = Fiber().through(table=table, it=it)
    found["table"]["b"] = 5
    assert next(found["it"]) == ("b", 5)
    found["table"].move_to_end("a")
    with pytest.raises(RuntimeError, match="mutated"):
        next(Fiber().through(**found)["it"])


def test_an_ordered_dict_whose_keys_are_its_values_does_not_tell_which_are_meant() -> None:
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="the keys or the values"):
        fiber.through(it=iter(OrderedDict(a="a")))
    assert list(fiber.through(it=iter(OrderedDict(a="a").items()))["it"]) == [("a", "a")]


@pytest.mark.parametrize("parts", ['"indexed",[1],0', '"indexed",1,0', '"reversed deque",[],0', '"calls",1,2'])
def test_what_could_not_be_gone_over_is_damaged(parts: str) -> None:
    with pytest.raises(DecodeError):
        codec().decode(f'{{"$iter":[{parts}]}}')


def test_texts_of_before_are_read() -> None:
    for old in ('["changed"]', '["set",{"$set":[1]},-1,[]]'):
        with pytest.raises(RuntimeError, match="changed size"):
            next(codec().decode(f'{{"$iter":{old}}}'))


def test_a_set_that_changes_size_is_noticed() -> None:
    items = {1, 2, 3}
    it = iter(items)
    first = next(it)
    fiber = Fiber()
    found = fiber.through(items=items, it=it)
    assert {first, *fiber.through(**found)["it"]} == {1, 2, 3}
    found["items"].add(9)
    with pytest.raises(RuntimeError, match="changed size"):
        next(found["it"])
    found = fiber.through(**found)
    with pytest.raises(RuntimeError, match="changed size"):
        next(found["it"])


def test_a_strict_zip_stays_strict() -> None:
    it = zip([1, 2, 3], [1, 2], strict=True)
    next(it)
    found = Fiber().through(it=it)["it"]
    next(found)
    with pytest.raises(ValueError, match="zip"):
        next(found)


def test_counts_and_repeats() -> None:
    thing = [1]
    found = Fiber().through(
        a=itertools.count(5),
        b=itertools.count(1.5, 0.5),
        c=itertools.repeat(thing),
        d=itertools.repeat(thing, 2),
        e=itertools.count(2**80, -1),
        thing=thing,
    )
    assert [next(found["a"]), next(found["a"])] == [5, 6]
    assert [next(found["b"]), next(found["b"])] == [1.5, 2.0]
    assert next(found["c"]) is found["thing"]
    assert len(list(found["d"])) == 2
    assert next(found["e"]) == 2**80


@pytest.mark.parametrize(
    "it",
    [
        itertools.islice([1, 2], 1),
        itertools.cycle([1]),
        itertools.takewhile(bool, [1]),
        itertools.dropwhile(bool, [1]),
        itertools.product([1], [2]),
        itertools.permutations([1]),
        itertools.accumulate([1]),
        itertools.groupby([1]),
        itertools.zip_longest([1], [2]),
        itertools.tee([1])[0],
    ],
    ids=lambda it: type(it).__name__,
)
def test_what_hides_its_position_is_refused_on_every_python(it: Any) -> None:
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="list"):
        fiber.keep(fiber.frame({"it": it}))
