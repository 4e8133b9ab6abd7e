"""What compiled code is known by: its hidden names, and whose code is whose. Running needs this; only compiling the rest.

Hidden names are no identifiers, so no variable of the user's can have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, CoroutineType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft_core.resume.unit import Unit

GOTO = "@g"
POINT = "@p"
INNER = "@w"
STATE = "@s"
CELLS = "@k"
RENAMED = "@m"
"""Begins the names of comprehension variables that would be mistaken for captured ones (see `compiler.apart`)."""

UNITS: dict[int, Unit] = {}
"""Every unit by the id of its body's code, which the unit keeps alive."""

MISSING = object()


def unit_of(thing: object) -> Unit | None:
    """The unit a coroutine is a call of (or the code object is the body of); None if it is something else."""
    code = thing.cr_code if isinstance(thing, CoroutineType) else thing
    return UNITS.get(id(code)) if isinstance(code, CodeType) else None


def own_name(name: str) -> str:
    """The name that the user's code has for a variable."""
    return name.partition(".")[2] if name.startswith(RENAMED) and "." in name else name


def resolve(names: Mapping[str, Any], chain: tuple[str, ...]) -> Any:
    """What a dotted global name stands for now; `MISSING` if nothing. Looks into modules and classes only."""
    import builtins

    found = names.get(chain[0], MISSING)
    if found is MISSING:
        found = getattr(builtins, chain[0], MISSING)
    for name in chain[1:]:
        if not isinstance(found, (ModuleType, type)):
            return MISSING
        found = getattr(found, name, MISSING)
    return found
