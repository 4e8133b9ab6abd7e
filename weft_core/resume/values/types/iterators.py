"""Iterators in the middle of their iteration: what they go over, as a reference, and where they stand.

Only what every supported Python can tell is taken, so that a checkpoint moves between them. Python 3.14 no longer lets
`itertools` objects say where they stand; those of which nothing hidden is needed are made again as the small classes
below, which do the same and can be stored again.
"""

from __future__ import annotations

import gc
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import MAKERS, Decoder, as_int, as_list, as_str
from weft_core.resume.values.encode import Encoder, Handler, Node
from weft_core.resume.values.refusal import Refusal, type_name
from weft_core.resume.values.types.builtin import range_of, range_parts

ITERATORS: dict[type, Handler] = {}
"""Handlers of exact iterator types, and of the classes that stand for them after a restart."""

KINDS: dict[str, Callable[[Decoder, list[Any]], Any]] = {}
"""By kind: makes the iterator of `{"$iter": [kind, …]}` from the parts after the kind."""


def _make(decoder: Decoder, payload: Any) -> Any:
    kind, *parts = as_list(payload)
    maker = KINDS.get(as_str(kind))
    if maker is None:
        raise DecodeError(f"stored data has an unknown kind of iterator {kind[:40]!r}")
    return maker(decoder, parts)


MAKERS["$iter"] = _make


def _make_done(_decoder: Decoder, _parts: list[Any]) -> Any:
    return iter(())


KINDS["done"] = _make_done


# --- over sequences, by index ------------------------------------------------------------------------------------------


def _sequence_handler(kind: str, allowed: tuple[type, ...]) -> Handler:
    def handler(encoder: Encoder, x: Any) -> Node:
        reduced = x.__reduce__()
        if len(reduced) < 3:
            return {"$iter": ["done"]}
        over = reduced[1][0]
        if not isinstance(over, allowed):
            what = f"it goes over a {type_name(type(over))}, and who knows how"
            raise Refusal(x, what, "loop over a list or a range, and index with that")
        return {"$iter": [kind, encoder.value(over), reduced[2]]}

    return handler


def _gone_over(decoder: Decoder, node: Node, kinds: type | tuple[type, ...]) -> Any:
    """What an iterator goes over, with all that is in it, which is one of these."""
    target = decoder.filled(node)
    if not isinstance(target, kinds):
        raise DecodeError("stored data is damaged: an iterator goes over something else than it says")
    return target


def _sequence_maker(make: Callable[[Any], Any], allowed: tuple[type, ...]) -> Callable[[Decoder, list[Any]], Any]:
    def maker(decoder: Decoder, parts: list[Any]) -> Any:
        node, index = as_list(parts, 2)
        target = _gone_over(decoder, node, allowed)
        made = make(target)
        made.__setstate__(as_int(index))
        return made

    return maker


for _sample, _kind, _allowed in (
    (iter([]), "list", (list,)),
    (iter(()), "tuple", (tuple,)),
    (iter("a"), "str", (str,)),
    (iter("\xff"), "str", (str,)),
    (iter(b""), "bytes", (bytes,)),
    (iter(bytearray()), "bytearray", (bytearray,)),
):
    ITERATORS[type(_sample)] = _sequence_handler(_kind, _allowed)
    KINDS[_kind] = _sequence_maker(iter, _allowed)
_REVERSED = (list, tuple, str, bytes, bytearray)
ITERATORS[type(reversed([]))] = ITERATORS[reversed] = _sequence_handler("reversed", _REVERSED)
KINDS["reversed"] = _sequence_maker(reversed, _REVERSED)


class _Indexed:
    def __getitem__(self, _index: int) -> Any:
        raise IndexError


def _has_items_only(cls: type) -> bool:
    # To make an iterator over it calls nothing of the class.
    return hasattr(cls, "__getitem__") and not hasattr(cls, "__iter__")


def _indexed(encoder: Encoder, x: Any) -> Node:
    _, (over,), *index = x.__reduce__()
    if not index:
        return {"$iter": ["done"]}
    if not _has_items_only(type(over)):
        raise Refusal(x, f"it goes over a {type_name(type(over))} by index", "loop over the thing itself")
    return {"$iter": ["indexed", encoder.value(over), index[0]]}


def _make_indexed(decoder: Decoder, parts: list[Any]) -> Any:
    node, index = as_list(parts, 2)
    target = decoder.filled(node)
    if not _has_items_only(type(target)):
        raise DecodeError("stored data is damaged: an iterator goes over something else than it says")
    made: Any = iter(target)
    made.__setstate__(as_int(index))
    return made


ITERATORS[type(iter(_Indexed()))] = _indexed
KINDS["indexed"] = _make_indexed


def _range(encoder: Encoder, x: Any) -> Node:
    _, (over,), *index = x.__reduce__()
    left = over[index[0] :] if index and index[0] else over
    return {"$iter": ["range", *range_parts(encoder, left)]}


def _make_range(decoder: Decoder, parts: list[Any]) -> Any:
    return iter(range_of(decoder, parts))


for _sample in (iter(range(0)), iter(range(2**70)), reversed(range(1))):
    ITERATORS[type(_sample)] = _range
KINDS["range"] = _make_range


# --- over iterators ----------------------------------------------------------------------------------------------------


def iterator_of(decoder: Decoder, node: Node) -> Any:
    """The iterator of a node."""
    found = decoder.build(node)
    if not hasattr(found, "__next__"):
        raise DecodeError("stored data is damaged: an iterator is missing")
    return found


def function_of(decoder: Decoder, node: Node) -> Any:
    """The function of a node, or None."""
    found = decoder.build(node)
    if found is not None and not callable(found):
        raise DecodeError("stored data is damaged: a function is missing")
    return found


def _enumerate(encoder: Encoder, x: Any) -> Node:
    inner, index = x.__reduce__()[1]
    return {"$iter": ["enumerate", encoder.value(inner), encoder.value(index)]}


def _make_enumerate(decoder: Decoder, parts: list[Any]) -> Any:
    inner, index = as_list(parts, 2)
    return enumerate(iterator_of(decoder, inner), as_int(decoder.build(index)))


ITERATORS[enumerate] = _enumerate
KINDS["enumerate"] = _make_enumerate


def _zip(encoder: Encoder, x: Any) -> Node:
    _, inner, *strict = x.__reduce__()
    return {"$iter": ["zip", bool(strict and strict[0]), *encoder.values(inner)]}


def _make_zip(decoder: Decoder, parts: list[Any]) -> Any:
    strict, *inner = parts
    return zip(*[iterator_of(decoder, node) for node in inner], strict=bool(strict))


ITERATORS[zip] = _zip
KINDS["zip"] = _make_zip


def _map(encoder: Encoder, x: Any) -> Node:
    _, (function, *inner), *strict = x.__reduce__()
    if strict and strict[0]:
        raise Refusal(x, "map(…, strict=True) cannot be stored for other Python versions", "zip(…, strict=True)")
    return {"$iter": ["map", encoder.value(function), *encoder.values(inner)]}


def _make_map(decoder: Decoder, parts: list[Any]) -> Any:
    function, *inner = parts
    return map(function_of(decoder, function), *[iterator_of(decoder, node) for node in inner])


ITERATORS[map] = _map
KINDS["map"] = _make_map


def _filter(encoder: Encoder, x: Any) -> Node:
    function, inner = x.__reduce__()[1]
    return {"$iter": ["filter", encoder.value(function), encoder.value(inner)]}


def _make_filter(decoder: Decoder, parts: list[Any]) -> Any:
    function, inner = as_list(parts, 2)
    return filter(function_of(decoder, function), iterator_of(decoder, inner))


ITERATORS[filter] = _filter
KINDS["filter"] = _make_filter


# --- over dicts, sets, deques: they notice changes of size -------------------------------------------------------------


def _referents(x: Any, *kinds: type) -> list[Any]:
    return [found for found in gc.get_referents(x) if isinstance(found, kinds)]


def _left(x: Any) -> list[Any]:
    """What is left of an iteration. `RuntimeError` when what it goes over has changed."""
    left: list[Any] = x.__reduce__()[1][0]
    return left


def _dict_handler(kind: str) -> Handler:
    def handler(encoder: Encoder, x: Any) -> Node:
        over = _referents(x, dict)
        if not over:
            return {"$iter": ["done"]}
        try:
            left = len(_left(x))
        except RuntimeError as error:
            if x.__length_hint__():  # it goes on for a while, and does not tell from where
                what = "it goes over a dict of which keys were replaced by others"
                raise Refusal(x, what, "loop over list(…) of the dict")
            return {"$iter": ["changed", str(error)]}
        return {"$iter": [kind, encoder.value(over[0]), left]}

    return handler


def _dict_maker(make: Callable[[dict[Any, Any]], Any]) -> Callable[[Decoder, list[Any]], Any]:
    def maker(decoder: Decoder, parts: list[Any]) -> Any:
        node, left = as_list(parts, 2)
        over = decoder.filled(node)
        if not isinstance(over, dict) or not 0 <= as_int(left) <= len(over):
            raise DecodeError("stored data is damaged: an iterator goes over something else than it says")
        made = make(over)
        deque(itertools.islice(made, len(over) - left), maxlen=0)
        return made

    return maker


_WALKS: dict[str, Callable[[Any], Any]] = {
    "keys": iter,
    "values": lambda d: iter(d.values()),
    "items": lambda d: iter(d.items()),
    "reversed keys": reversed,
    "reversed values": lambda d: reversed(d.values()),
    "reversed items": lambda d: reversed(d.items()),
}
for _kind, _over in _WALKS.items():
    ITERATORS[type(_over({}))] = _dict_handler(_kind)
    KINDS[_kind] = _dict_maker(_over)


def _ordered(encoder: Encoder, x: Any) -> Node:
    # One type for every way over it: which one it is, is told by what it yields.
    over = _referents(x, OrderedDict)
    try:
        left = _left(x)
    except RuntimeError as error:
        return {"$iter": ["changed", str(error)]}
    if not over or not left:
        return {"$iter": ["done"]}
    begun = len(over[0]) - len(left)
    ways = [k for k, way in _WALKS.items() if all(map(_same, itertools.islice(way(over[0]), begun, None), left))]
    if len({way.rpartition(" ")[2] for way in ways}) != 1:
        what = "it does not tell whether it goes over the keys or the values of its OrderedDict"
        raise Refusal(x, what, "loop over list(…) of it")
    return {"$iter": [ways[0], encoder.value(over[0]), len(left)]}


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) is tuple and all(map(is_, one, other)))


ITERATORS[type(iter(OrderedDict()))] = _ordered


class _Counted:
    """What is left of an iteration over a set; raises as the built-in iterator when the size changed."""

    __slots__ = ("left", "message", "over", "size")

    def __init__(self, over: Any, left: Iterator[Any], size: int, message: str) -> None:
        self.over: Any = over
        self.left = left
        self.size = size
        self.message = message

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Any:
        if self.over is None:
            raise StopIteration
        if len(self.over) != self.size:
            self.size = -1
            raise RuntimeError(self.message)
        try:
            return next(self.left)
        except StopIteration:
            self.over = None
            raise


_SET_CHANGED = "Set changed size during iteration"
_DICT_CHANGED = "dictionary changed size during iteration"


def _set(encoder: Encoder, x: Any) -> Node:
    over = _referents(x, set, frozenset)
    if not over:
        return {"$iter": ["done"]}
    try:
        left = _left(x)
    except RuntimeError as error:
        return {"$iter": ["changed", str(error)]}
    encoder.keep.append(left)
    return {"$iter": ["set", encoder.value(over[0]), len(over[0]), encoder.values(left)]}


def _make_set(decoder: Decoder, parts: list[Any]) -> Any:
    over, size, left = as_list(parts, 3)
    target = _gone_over(decoder, over, (set, frozenset))
    return _Counted(target, iter(decoder.values(left)), as_int(size), _SET_CHANGED)


def _make_changed(_decoder: Decoder, parts: list[Any]) -> Any:
    return _Counted((), iter(()), -1, as_str(parts[0]) if parts else _DICT_CHANGED)


ITERATORS[type(iter(set()))] = _set
KINDS["set"] = _make_set
KINDS["changed"] = _make_changed


def _deque(kind: str, walk: Callable[[deque[Any]], Iterator[Any]]) -> None:
    def handler(encoder: Encoder, x: Any) -> Node:
        over, position = x.__reduce__()[1]
        if not x.__length_hint__():
            return {"$iter": ["done"]}
        return {"$iter": [kind, encoder.value(over), position]}

    def maker(decoder: Decoder, parts: list[Any]) -> Any:
        over, position = as_list(parts, 2)
        target = _gone_over(decoder, over, deque)
        rest = walk(target)
        deque(itertools.islice(rest, as_int(position)), maxlen=0)
        return rest

    ITERATORS[type(walk(deque()))] = handler
    KINDS[kind] = maker


_deque("deque", iter)
_deque("reversed deque", reversed)


def _counted(encoder: Encoder, x: _Counted) -> Node:
    if x.over is None:
        return {"$iter": ["done"]}
    if x.size < 0:
        return {"$iter": ["changed", x.message]}
    left = list(x.left)
    x.left = iter(left)
    encoder.keep.append(left)
    return {"$iter": ["set", encoder.value(x.over), x.size, encoder.values(left)]}


ITERATORS[_Counted] = _counted


# --- by calls ----------------------------------------------------------------------------------------------------------


def _calling(encoder: Encoder, x: Any) -> Node:
    parts = x.__reduce__()[1]
    if len(parts) == 2 and type(getattr(parts[0], "__self__", None)).__name__ == "SRE_Scanner":
        remedy = "take what is needed of the matches into a list first: [found.group() for found in re.finditer(…)]"
        raise Refusal(x, "it is an iterator of re.finditer, which hides where it stands", remedy)
    return {"$iter": ["calls", *encoder.values(parts)] if len(parts) == 2 else ["done"]}


def _make_calling(decoder: Decoder, parts: list[Any]) -> Any:
    function, last = as_list(parts, 2)
    return iter(function_of(decoder, function), decoder.build(last))


ITERATORS[type(iter(int, 1))] = _calling
KINDS["calls"] = _make_calling
