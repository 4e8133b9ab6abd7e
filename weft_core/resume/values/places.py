"""Where the mutable parts of a live object stand in it, so that a frame can name them instead of holding a copy.

A place is a token: the object's own, a slash, and the way there as JSON (`state/["items",0]`): keys and indices of dicts,
lists and tuples, names of attributes. What cannot be named so (in sets, under keys that are no strings or numbers, in
slots) has no place.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.encode import LEAVES

PLACES_MAX = 10_000
"""Mutable parts of one object that get a place; what comes after them is copied where frames hold it."""


def places(token: str, thing: Any) -> dict[int, str]:
    """The token of every mutable part of `thing`, by id. The parts must stay alive while the answer is used."""
    found: dict[int, str] = {}
    seen = {id(thing)}
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(thing, ())]
    while waiting:
        x, way = waiting.pop()
        kind = type(x)
        parts: Any
        if kind is dict:
            parts = [(k, v) for k, v in x.items() if type(k) is str or type(k) is int]
        elif kind is list or kind is tuple:
            parts = enumerate(x)
        else:
            own = getattr(x, "__dict__", None)
            parts = own.items() if type(own) is dict and not isinstance(x, type) else ()
        for key, part in parts:
            kind = type(part)
            if part is None or kind is bool or kind in LEAVES or issubclass(kind, (type, Enum)) or id(part) in seen:
                continue  # nothing that could be told from a copy
            seen.add(id(part))
            there = (*way, key)
            if kind is not tuple:
                found[id(part)] = f"{token}/{json.dumps(there, separators=(',', ':'))}"
                if len(found) >= PLACES_MAX:
                    return found
            waiting.append((part, there))
    return found


def part_at(thing: Any, way: str) -> Any:
    """What stands there. Raises `DecodeError` when nothing does."""
    try:
        for key in json.loads(way):
            thing = thing[key] if isinstance(thing, (dict, list, tuple)) else thing.__dict__[key]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise DecodeError(f"stored data refers to a part {way[:80]} of the run that is not there: {error!r}") from error
    return thing
