"""The types the codec knows, one room per family. `builtin` is always there; the others come when first needed."""

from __future__ import annotations

_loaded = False


def load() -> None:
    """Import every family. They import the heavier parts of the standard library only when a value needs them."""
    global _loaded
    if not _loaded:
        from weft_core.resume.values.types import builtin, errors, functions, iterators, objects, stdlib

        assert builtin and errors and functions and iterators and objects and stdlib
        _loaded = True
