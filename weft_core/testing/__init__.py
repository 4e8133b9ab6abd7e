"""For tests of programs that use Weft, and for authors of stores. Never imports pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft_core.testing.engine import TestEngine, VirtualHost
    from weft_core.testing.stores import check_store

__all__ = ["TestEngine", "VirtualHost", "check_store"]


def __getattr__(name: str) -> Any:
    # Lazily, so that a store's author need not import an engine, nor the reverse.
    if name in ("TestEngine", "VirtualHost"):
        from weft_core.testing import engine

        return getattr(engine, name)
    if name == "check_store":
        from weft_core.testing.stores import check_store

        return check_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
