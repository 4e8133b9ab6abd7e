"""The text of plain data, found out quickly: numbers, strings, and lists and dicts of them that are met once.

Such data is its own tree (see `encode`), so all there is to do is to look whether it is plain, and to write it. Whatever
is not, or only perhaps, is left to the `Encoder`, which gives the same text for what is plain.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from weft_core.resume.values.encode import ATOMS, write

PLAIN_DEPTH_MAX = 20
"""How deep plain data is looked into; deeper data goes the general way."""
_STRINGS = frozenset({str})
_MARK = (object(),)
"""What no container of a user holds: where it is met in both of two sequences, what goes before is of the same parts."""


class NotPlain(Exception):
    """Internal: this needs the general encoder."""


def _int_text(x: int) -> str:
    try:
        return int.__repr__(x)
    except ValueError:  # more digits than Python writes
        raise NotPlain from None


def _float_text(x: float) -> str:
    if x - x == 0.0:
        return float.__repr__(x)
    raise NotPlain


def _str_text(x: str) -> str:
    text = encode_basestring_ascii(x)
    if "\\ud" in text:  # perhaps lone surrogates
        raise NotPlain
    return text


ATOM_TEXTS: dict[type, Callable[[Any], str]] = {
    int: _int_text,
    float: _float_text,
    str: _str_text,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}
"""By exact type: the text of an atom, or `NotPlain`."""


def check(x: Any, seen: set[int], known: Container[int], depth: int = 0, parts: list[Any] | None = None) -> None:
    """Raise `NotPlain` unless this list or dict holds plain data of which nothing is in `seen` or `known` (by id).

    Adds it to `seen`. A dict's keys are strings; whether they look like tags `container_text` finds. `parts` gets the
    container and every one in it, for `contents`.
    """
    key = id(x)
    if key in seen or key in known or depth > PLAIN_DEPTH_MAX:
        raise NotPlain
    seen.add(key)
    items = x
    if type(x) is dict:
        if not _STRINGS.issuperset(map(type, x)):
            raise NotPlain
        items = x.values()
    if parts is not None:
        parts.append(x)
    if ATOMS.issuperset(map(type, items)):
        return
    for item in items:
        kind = type(item)
        if kind not in ATOMS:
            if kind is not dict and kind is not list:
                raise NotPlain
            check(item, seen, known, depth + 1, parts)


def contents(parts: Sequence[Any]) -> list[Iterable[Any]]:
    """What each of these containers holds, as it is whenever it is gone through, with a mark after each.

    While these are the very same objects in the same order, what `check` found is still true, and the text is the same.
    """
    found: list[Iterable[Any]] = []
    for x in parts:
        found.append(x)
        if type(x) is dict:
            found.append(x.values())
        found.append(_MARK)
    return found


def container_text(x: Any) -> str:
    """The text of a container that was checked. `NotPlain` when some key looks like a tag."""
    try:
        text = write(x)
    except (ValueError, RecursionError):
        raise NotPlain from None
    if "\\ud" in text or ('"$' in text and _tagged(x)):
        raise NotPlain
    return text


def _tagged(x: Any) -> bool:
    """Whether some key in this plain container starts as the codec's own keys do."""
    if type(x) is dict:
        return any(name[:1] == "$" for name in x) or any(map(_tagged, x.values()))
    return type(x) is list and any(map(_tagged, x))


def plain_text(x: object) -> str:
    """The text of a value on its own. Raises `NotPlain`."""
    kind = type(x)
    write_atom = ATOM_TEXTS.get(kind)
    if write_atom is not None:
        return write_atom(x)
    if kind is not list and kind is not dict:
        raise NotPlain
    check(x, set(), ())
    return container_text(x)
