"""What most runs never fill is one for all: a machine is made for every run, and each of its tables would cost memory and
the garbage collector's time. They cannot be changed; whoever adds to one makes its own first (`Machine.own`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

NO_ROWS: Any = ()
NO_NAMES: Any = frozenset()
NOTHING: Any = MappingProxyType({})


def own(thing: Any, name: str) -> Any:
    """The attribute of this name, to be added to: a list, set or dict of the thing's own from now on."""
    found = getattr(thing, name)
    if found is NOTHING or found is NO_ROWS or found is NO_NAMES:
        found = {} if found is NOTHING else [] if found is NO_ROWS else set()
        setattr(thing, name, found)
    return found
