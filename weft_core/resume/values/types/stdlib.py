"""Types of the standard library: time, exact numbers, paths, patterns, collections, random generators.

A family's module is imported when its first value is met (when storing it is there already), never before.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import FILLERS, MAKERS, Decoder, as_int, as_list, as_str
from weft_core.resume.values.encode import NODES, Encoder, Handler, Node
from weft_core.resume.values.refusal import Refusal

LATE_LEAVES: dict[str, Handler] = {}
"""By `module:qualname`: like `LEAVES`, of modules that may not be imported yet."""

LATE_NODES: dict[str, Handler] = {}
"""By `module:qualname`: like `NODES`."""


# --- time --------------------------------------------------------------------------------------------------------------


def _datetime(encoder: Encoder, x: Any) -> Node:
    if x.tzinfo is None and not x.fold:
        return {"$datetime": x.isoformat()}
    if x.tzinfo is not None and not x.fold and _nameless(x.tzinfo):
        return {"$datetime": x.isoformat()}
    return {"$datetime": [x.replace(tzinfo=None, fold=0).isoformat(), x.fold, encoder.value(x.tzinfo)]}


def _nameless(zone: Any) -> bool:
    from datetime import timezone

    # What stands behind the dot of an offset is read wrongly by some Pythons.
    return type(zone) is timezone and len(_arguments(zone)) == 1 and not _arguments(zone)[0].microseconds


def _arguments(zone: Any) -> tuple[Any, ...]:
    return zone.__getinitargs__()  # type: ignore[no-any-return]


def _make_datetime(decoder: Decoder, payload: Any) -> Any:
    from datetime import datetime

    if type(payload) is str:
        return datetime.fromisoformat(payload)
    text, fold, zone = as_list(payload, 3)
    return datetime.fromisoformat(as_str(text)).replace(fold=as_int(fold), tzinfo=decoder.build(zone))


def _time(encoder: Encoder, x: Any) -> Node:
    if not x.fold and (x.tzinfo is None or _nameless(x.tzinfo)):
        return {"$time": x.isoformat()}
    return {"$time": [x.replace(tzinfo=None, fold=0).isoformat(), x.fold, encoder.value(x.tzinfo)]}


def _make_time(decoder: Decoder, payload: Any) -> Any:
    from datetime import time

    if type(payload) is str:
        return time.fromisoformat(payload)
    text, fold, zone = as_list(payload, 3)
    return time.fromisoformat(as_str(text)).replace(fold=as_int(fold), tzinfo=decoder.build(zone))


def _date(_encoder: Encoder, x: Any) -> Node:
    return {"$date": x.isoformat()}


def _make_date(_decoder: Decoder, payload: Any) -> Any:
    from datetime import date

    return date.fromisoformat(as_str(payload))


def _timedelta(_encoder: Encoder, x: Any) -> Node:
    return {"$timedelta": [x.days, x.seconds, x.microseconds]}


def _make_timedelta(_decoder: Decoder, payload: Any) -> Any:
    from datetime import timedelta

    days, seconds, microseconds = as_list(payload, 3)
    return timedelta(as_int(days), as_int(seconds), as_int(microseconds))


def _timezone(_encoder: Encoder, x: Any) -> Node:
    offset, *name = _arguments(x)
    return {"$timezone": [[offset.days, offset.seconds, offset.microseconds], *name]}


def _make_timezone(decoder: Decoder, payload: Any) -> Any:
    from datetime import UTC, timedelta, timezone

    offset, *name = as_list(payload)
    delta = _make_timedelta(decoder, offset)
    if not name and delta == timedelta(0):
        return UTC
    return timezone(delta, *map(as_str, name))


def _zone(_encoder: Encoder, x: Any) -> Node:
    if x.key is None:
        raise Refusal(x, "a ZoneInfo made from a file has no name", "use ZoneInfo('Area/City')")
    return {"$zone": x.key}


def _make_zone(_decoder: Decoder, payload: Any) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(as_str(payload))


LATE_NODES["datetime:datetime"] = _datetime
LATE_NODES["datetime:time"] = _time
LATE_LEAVES["datetime:date"] = _date
LATE_LEAVES["datetime:timedelta"] = _timedelta
LATE_LEAVES["datetime:timezone"] = _timezone
LATE_LEAVES["zoneinfo:ZoneInfo"] = _zone
MAKERS["$datetime"] = _make_datetime
MAKERS["$time"] = _make_time
MAKERS["$date"] = _make_date
MAKERS["$timedelta"] = _make_timedelta
MAKERS["$timezone"] = _make_timezone
MAKERS["$zone"] = _make_zone


# --- exact numbers, ids, paths, patterns -------------------------------------------------------------------------------


def _decimal(encoder: Encoder, x: Any) -> Node:
    node = {"$decimal": str(x)}
    return encoder.itself(x, node) if x.is_nan() else node


def _make_decimal(_decoder: Decoder, payload: Any) -> Any:
    from decimal import Decimal

    return Decimal(as_str(payload))


def _make_fraction(_decoder: Decoder, payload: Any) -> Any:
    from fractions import Fraction

    numerator, denominator = as_list(payload, 2)
    return Fraction(int(as_str(numerator), 16), int(as_str(denominator), 16))


def _make_uuid(_decoder: Decoder, payload: Any) -> Any:
    from uuid import UUID

    return UUID(as_str(payload))


LATE_LEAVES["decimal:Decimal"] = _decimal
LATE_LEAVES["fractions:Fraction"] = lambda _encoder, x: {"$fraction": [hex(x.numerator), hex(x.denominator)]}
LATE_LEAVES["uuid:UUID"] = lambda _encoder, x: {"$uuid": str(x)}
MAKERS["$decimal"] = _make_decimal
MAKERS["$fraction"] = _make_fraction
MAKERS["$uuid"] = _make_uuid

_PATHS = {
    "PurePosixPath": "PurePosixPath",
    "PureWindowsPath": "PureWindowsPath",
    # The machine's own kind, whichever that is where the value is read.
    "PosixPath": "Path",
    "WindowsPath": "Path",
}


def _path(encoder: Encoder, x: Any) -> Node:
    return {"$path": [_PATHS[type(x).__name__], encoder.value(str(x))]}


def _make_path(decoder: Decoder, payload: Any) -> Any:
    import pathlib

    kind, text = as_list(payload, 2)
    if as_str(kind) not in _PATHS.values():
        raise DecodeError("stored data has an unknown kind of path")
    return getattr(pathlib, kind)(as_str(decoder.build(text)))


for _name in _PATHS:
    for _module in ("pathlib", "pathlib._local"):  # Python 3.13 moved them, 3.14 moved them back
        LATE_LEAVES[f"{_module}:{_name}"] = _path
MAKERS["$path"] = _make_path


def _pattern(encoder: Encoder, x: Any) -> Node:
    return {"$re": [encoder.value(x.pattern), int(x.flags)]}


def _make_pattern(decoder: Decoder, payload: Any) -> Any:
    import re

    pattern, flags = as_list(payload, 2)
    return re.compile(decoder.build(pattern), as_int(flags) & ~int(re.DEBUG))


def _make_flags(_decoder: Decoder, payload: Any) -> Any:
    import re

    return re.RegexFlag(as_int(payload))


LATE_LEAVES["re:Pattern"] = _pattern
LATE_LEAVES["re:RegexFlag"] = lambda _encoder, x: {"$reflags": int(x)}
MAKERS["$re"] = _make_pattern
MAKERS["$reflags"] = _make_flags


# --- collections -------------------------------------------------------------------------------------------------------


def _deque(encoder: Encoder, x: deque[Any]) -> Node:
    return {"$deque": [x.maxlen, encoder.values(x)]}


def _make_deque(_decoder: Decoder, payload: Any) -> deque[Any]:
    maxlen = as_list(payload, 2)[0]
    return deque(maxlen=None if maxlen is None else as_int(maxlen))


def _fill_deque(decoder: Decoder, thing: deque[Any], payload: Any) -> None:
    items = decoder.values(payload[1])
    thing.clear()
    thing.extend(items)


NODES[deque] = _deque
MAKERS["$deque"] = _make_deque
FILLERS["$deque"] = _fill_deque


def _items(tag: str) -> Handler:
    def handler(encoder: Encoder, x: Any) -> Node:
        if x.__dict__:
            what = f"it has attributes beside its items ({', '.join(map(repr, x.__dict__))})"
            raise Refusal(x, what, "keep both in a dataclass")
        return {tag: encoder.pairs(x.items())}

    return handler


def _fill_items(decoder: Decoder, thing: dict[Any, Any], payload: Any) -> None:
    items = decoder.pairs(payload)
    thing.clear()
    for key, value in items:
        thing[key] = value


def _collection(cls: type, tag: str, make: Callable[[], Any]) -> None:
    NODES[cls] = _items(tag)
    MAKERS[tag] = lambda _decoder, _payload: make()
    FILLERS[tag] = _fill_items


_collection(OrderedDict, "$ordereddict", OrderedDict)
_collection(Counter, "$counter", Counter)


def _defaultdict(encoder: Encoder, x: defaultdict[Any, Any]) -> Node:
    try:
        factory = encoder.value(x.default_factory)
    except Refusal as refusal:
        raise refusal.at(".default_factory")
    return {"$defaultdict": [factory, encoder.pairs(x.items())]}


def _fill_defaultdict(decoder: Decoder, thing: defaultdict[Any, Any], payload: Any) -> None:
    factory, pairs = as_list(payload, 2)
    made = decoder.build(factory)
    items = decoder.pairs(pairs)
    thing.clear()
    thing.default_factory = made
    for key, value in items:
        thing[key] = value


NODES[defaultdict] = _defaultdict
MAKERS["$defaultdict"] = lambda _decoder, _payload: defaultdict()
FILLERS["$defaultdict"] = _fill_defaultdict


# --- random ------------------------------------------------------------------------------------------------------------


def _random(_encoder: Encoder, x: Any) -> Node:
    version, words, gauss = x.getstate()
    # 625 words of 32 bits; as text they would be four times as long.
    from binascii import b2a_base64

    raw = b"".join(word.to_bytes(4, "little") for word in words)
    return {
        "$random": [version, b2a_base64(raw, newline=False).decode("ascii"), None if gauss is None else repr(gauss)]
    }


def _fill_random(_decoder: Decoder, thing: Any, payload: Any) -> None:
    from binascii import a2b_base64

    version, text, gauss = as_list(payload, 3)
    raw = a2b_base64(as_str(text), strict_mode=True)
    words = tuple(int.from_bytes(raw[i : i + 4], "little") for i in range(0, len(raw), 4))
    thing.setstate((as_int(version), words, None if gauss is None else float(as_str(gauss))))


def _make_random(_decoder: Decoder, _payload: Any) -> Any:
    from random import Random

    return Random(0)


LATE_NODES["random:Random"] = _random
MAKERS["$random"] = _make_random
FILLERS["$random"] = _fill_random
