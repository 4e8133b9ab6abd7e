"""Built-in types beside the plain ones: bytes, tuples, sets, dicts with other keys, ranges, slices, complex numbers."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from types import CellType, EllipsisType, NotImplementedType
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import FILLERS, MAKERS, RESOLVERS, Decoder, as_dict, as_int, as_list, as_str
from weft_core.resume.values.encode import LEAVES, NODES, Encoder, Node, whole


def _bytes(_encoder: Encoder, x: bytes) -> Node:
    return {"$bytes": b2a_base64(x, newline=False).decode("ascii")}


def _make_bytes(_decoder: Decoder, payload: Any) -> bytes:
    return a2b_base64(as_str(payload), strict_mode=True)


def _bytearray(_encoder: Encoder, x: bytearray) -> Node:
    return {"$bytearray": b2a_base64(x, newline=False).decode("ascii")}


def _make_bytearray(_decoder: Decoder, payload: Any) -> bytearray:
    return bytearray(a2b_base64(as_str(payload), strict_mode=True))


LEAVES[bytes] = _bytes
NODES[bytearray] = _bytearray
MAKERS["$bytes"] = _make_bytes
MAKERS["$bytearray"] = _make_bytearray


def _make_str(_decoder: Decoder, payload: Any) -> str:
    return "".join(map(chr, as_list(payload)))


def _make_int(_decoder: Decoder, payload: Any) -> int:
    return int(as_str(payload), 16)


_FLOATS = frozenset({"nan", "inf", "-inf"})


def _make_float(_decoder: Decoder, payload: Any) -> float:
    if as_str(payload) not in _FLOATS:
        raise DecodeError(f"stored data has the number {payload[:40]!r}")
    return float(payload)  # a new one each time: two keys that are nan stay two, and one is found by itself


MAKERS["$str"] = _make_str
MAKERS["$int"] = _make_int
MAKERS["$float"] = _make_float


def _complex(encoder: Encoder, x: complex) -> Node:
    node = {"$complex": [repr(x.real), repr(x.imag)]}
    return node if x == x else encoder.itself(x, node)


def _make_complex(_decoder: Decoder, payload: Any) -> complex:
    real, imag = as_list(payload, 2)
    return complex(float(as_str(real)), float(as_str(imag)))


LEAVES[complex] = _complex
MAKERS["$complex"] = _make_complex


def _tuple(encoder: Encoder, x: tuple[Any, ...]) -> Node:
    return {"$tuple": encoder.values(x)}


def _make_tuple(decoder: Decoder, payload: Any) -> tuple[Any, ...]:
    return tuple(decoder.values(payload))


NODES[tuple] = _tuple
MAKERS["$tuple"] = _make_tuple


_SORTABLE = frozenset({str, bytes})
_NUMBERS = frozenset({int, float})


def _ordered(x: set[Any] | frozenset[Any]) -> Iterable[Any]:
    # Texts come in another order in every process: sorted, their set has the same text everywhere. Of numbers it is the
    # order they have, so that they are most likely found in it again; or the reverse, where two of them want one place.
    kinds = set(map(type, x))
    if len(kinds) == 1 and kinds <= _SORTABLE:
        return sorted(x)
    if kinds <= _NUMBERS:
        order = list(x)
        back = order[::-1]
        return back if list(set(order)) != order and list(set(back)) == order else order
    return x


def _set(encoder: Encoder, x: set[Any]) -> Node:
    return {"$set": encoder.values(_ordered(x))}


def _fill_set(decoder: Decoder, thing: set[Any], payload: Any) -> None:
    items = [decoder.key(node) for node in as_list(payload)]
    thing.clear()
    thing.update(items)


def _frozenset(encoder: Encoder, x: frozenset[Any]) -> Node:
    return {"$frozenset": encoder.values(_ordered(x))}


def _make_frozenset(decoder: Decoder, payload: Any) -> frozenset[Any]:
    return frozenset([decoder.key(node) for node in as_list(payload)])


NODES[set] = _set
NODES[frozenset] = whole(_frozenset)
MAKERS["$set"] = lambda _decoder, _payload: set()
FILLERS["$set"] = _fill_set
MAKERS["$frozenset"] = _make_frozenset


def _fill_dict(decoder: Decoder, thing: dict[Any, Any], payload: Any) -> None:
    items = decoder.pairs(payload)
    thing.clear()
    thing.update(items)


MAKERS["$dict"] = lambda _decoder, _payload: {}
FILLERS["$dict"] = _fill_dict


def range_parts(encoder: Encoder, x: range) -> list[Node]:
    """Start, stop and step, however large."""
    return encoder.values((x.start, x.stop, x.step))


def range_of(decoder: Decoder, parts: Any) -> range:
    """The reverse."""
    return range(*map(as_int, decoder.values(as_list(parts, 3))))


def _range(encoder: Encoder, x: range) -> Node:
    return {"$range": range_parts(encoder, x)}


def _make_range(decoder: Decoder, payload: Any) -> range:
    return range_of(decoder, payload)


NODES[range] = _range
MAKERS["$range"] = _make_range


def _slice(encoder: Encoder, x: slice) -> Node:
    return {"$slice": encoder.values((x.start, x.stop, x.step))}


def _make_slice(decoder: Decoder, payload: Any) -> slice:
    return slice(*decoder.values(as_list(payload, 3)))


NODES[slice] = _slice
MAKERS["$slice"] = _make_slice

_CONSTANTS = {"...": ..., "NotImplemented": NotImplemented}

LEAVES[EllipsisType] = lambda _encoder, _x: {"$constant": "..."}
LEAVES[NotImplementedType] = lambda _encoder, _x: {"$constant": "NotImplemented"}
RESOLVERS["$constant"] = lambda _decoder, payload: _CONSTANTS[as_str(payload)]


def _cell(encoder: Encoder, x: CellType) -> Node:
    try:
        inside = x.cell_contents
    except ValueError:
        return {"$cell": []}
    return {"$cell": [encoder.value(inside)]}


def _fill_cell(decoder: Decoder, thing: CellType, payload: Any) -> None:
    inside = decoder.values(payload)
    if len(inside) > 1:
        raise DecodeError("stored data has a variable with several values")
    if inside:
        thing.cell_contents = inside[0]


NODES[CellType] = _cell
MAKERS["$cell"] = lambda _decoder, _payload: CellType()
FILLERS["$cell"] = _fill_cell


def _global(decoder: Decoder, payload: Any) -> Any:
    return decoder.registry.resolve(payload)


def _live(decoder: Decoder, payload: Any) -> Any:
    token, slash, way = as_str(payload).partition("/")
    if token not in decoder.externals.by_token:
        raise DecodeError(f"stored data refers to the run's {token[:40]!r}, which only a workflow's frames may do")
    whole = decoder.externals.by_token[token]
    if not slash:
        return whole
    from weft_core.resume.values.places import part_at

    return part_at(whole, way)


RESOLVERS["$global"] = _global
RESOLVERS["$live"] = _live


def check_keys(payload: Any, required: set[str], optional: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """The payload, which must be an object with exactly these keys."""
    found = as_dict(payload)
    if not required <= found.keys() <= required | optional:
        raise DecodeError("stored data is damaged: an object has other keys than it should")
    return found
