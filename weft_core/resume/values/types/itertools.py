"""`itertools` objects whose position can be told on every Python: count, repeat, chain, starmap, compress,
filterfalse, pairwise.

Since Python 3.14 they no longer tell it themselves; what they hold is read from what they refer to (`gc`), which is
everything for these kinds. `islice`, `takewhile`, `zip_longest`, `product` and others keep hidden numbers and are
refused everywhere. What is restored is a generator-like object of this module that does the same and can be stored again.
"""

from __future__ import annotations

import gc
import itertools
import operator
from ast import literal_eval
from collections.abc import Callable, Iterator
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import Decoder, as_int, as_list
from weft_core.resume.values.encode import Encoder, Node
from weft_core.resume.values.find import refuse
from weft_core.resume.values.types.iterators import ITERATORS, KINDS, function_of, iterator_of


def _held(x: Any) -> list[Any]:
    """What an itertools object refers to, in the order of its fields; newer Pythons name its type too."""
    found = gc.get_referents(x)
    return found[1:] if found and found[0] is type(x) else found


def _count(_encoder: Encoder, x: Any) -> Node:
    # Its text is all there is to know, for the numbers it is used with.
    try:
        numbers = literal_eval(f"({repr(x)[len('count(') : -1]},)")
    except (ValueError, SyntaxError):
        raise refuse(x)
    now, step = numbers if len(numbers) == 2 else (numbers[0], 1)
    if type(now) not in (int, float) or type(step) not in (int, float):
        raise refuse(x)
    return {"$iter": ["count", now, step]}


def _make_count(_decoder: Decoder, parts: list[Any]) -> Any:
    now, step = as_list(parts, 2)
    if type(now) not in (int, float) or type(step) not in (int, float):
        raise DecodeError("stored data is damaged: a count of something that is not a number")
    return itertools.count(now, step)


ITERATORS[itertools.count] = _count
KINDS["count"] = _make_count


def _repeat(encoder: Encoder, x: Any) -> Node:
    try:
        left = operator.length_hint(x, -1)
    except TypeError:
        left = -1
    held = _held(x)
    return {"$iter": ["repeat", encoder.value(held[0]) if held else None, left]}


def _make_repeat(decoder: Decoder, parts: list[Any]) -> Any:
    item, left = as_list(parts, 2)
    made = decoder.build(item)
    return itertools.repeat(made) if as_int(left) < 0 else itertools.repeat(made, left)


ITERATORS[itertools.repeat] = _repeat
KINDS["repeat"] = _make_repeat


class Chain:
    """The rest of an `itertools.chain`: what is left of the iterator under way, then the others."""

    __slots__ = ("active", "source")

    def __init__(self, active: Iterator[Any] | None, source: Iterator[Any] | None) -> None:
        self.active = active
        self.source = source

    def __iter__(self) -> Chain:
        return self

    def __next__(self) -> Any:
        while self.source is not None:
            if self.active is None:
                try:
                    self.active = iter(next(self.source))
                except StopIteration:
                    self.source = None
                    raise
            try:
                return next(self.active)
            except StopIteration:
                self.active = None
        raise StopIteration


def _chain(encoder: Encoder, x: Any) -> Node:
    held = [x.source, x.active] if type(x) is Chain else _held(x)
    source, active = (*held, None, None)[:2]
    if source is None:
        return {"$iter": ["done"]}
    return {"$iter": ["chain", encoder.value(source), encoder.value(active)]}


def _make_chain(decoder: Decoder, parts: list[Any]) -> Any:
    source, active = as_list(parts, 2)
    return Chain(None if active is None else iterator_of(decoder, active), iterator_of(decoder, source))


ITERATORS[itertools.chain] = _chain
ITERATORS[Chain] = _chain
KINDS["chain"] = _make_chain


def _simple(kind: str, cls: type, count: int, make: Callable[[Decoder, list[Any]], Any]) -> None:
    def handler(encoder: Encoder, x: Any) -> Node:
        held = _held(x)
        if len(held) != count:
            raise refuse(x)
        return {"$iter": [kind, *encoder.values(held)]}

    ITERATORS[cls] = handler
    KINDS[kind] = lambda decoder, parts: make(decoder, as_list(parts, count))


# These two are held in the order iterator, function.
_simple("starmap", itertools.starmap, 2, lambda d, p: itertools.starmap(function_of(d, p[1]), iterator_of(d, p[0])))
_simple(
    "filterfalse",
    itertools.filterfalse,
    2,
    lambda d, p: itertools.filterfalse(function_of(d, p[1]), iterator_of(d, p[0])),
)
_simple("compress", itertools.compress, 2, lambda d, p: itertools.compress(iterator_of(d, p[0]), iterator_of(d, p[1])))


class Pairwise:
    """The rest of an `itertools.pairwise`."""

    __slots__ = ("before", "source")

    def __init__(self, source: Iterator[Any], before: tuple[Any, ...]) -> None:
        self.source = source
        self.before = before

    def __iter__(self) -> Pairwise:
        return self

    def __next__(self) -> tuple[Any, Any]:
        if not self.before:
            self.before = (next(self.source),)
        after = next(self.source)
        pair = (self.before[0], after)
        self.before = (after,)
        return pair


def _pairwise(encoder: Encoder, x: Any) -> Node:
    if type(x) is Pairwise:
        held: list[Any] = [x.source, *x.before]
    else:
        held = _held(x)
        if not held:
            return {"$iter": ["done"]}
        if not hasattr(held[0], "__next__"):
            raise refuse(x)
        # The third is the tuple that newer Pythons use again and again.
        held = held[:1] if len(held) == 2 and type(held[1]) is tuple and held[1] == (None, None) else held[:2]
    return {"$iter": ["pairwise", *encoder.values(held)]}


def _make_pairwise(decoder: Decoder, parts: list[Any]) -> Any:
    source, *before = parts
    if len(before) > 1:
        raise DecodeError("stored data is damaged: a pairwise with several items at hand")
    return Pairwise(iterator_of(decoder, source), tuple(decoder.values(before)))


ITERATORS[itertools.pairwise] = _pairwise
ITERATORS[Pairwise] = _pairwise
KINDS["pairwise"] = _make_pairwise
