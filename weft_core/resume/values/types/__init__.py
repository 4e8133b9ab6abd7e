"""The types the codec knows, one room per family. `builtin` is always there; the others come when first needed."""

from __future__ import annotations

_loaded = False


def load() -> None:
    """Import every family. They import the heavier parts of the standard library only when a value needs them."""
    global _loaded
    if not _loaded:
        import weft_core.resume.values.types.builtin
        import weft_core.resume.values.types.errors
        import weft_core.resume.values.types.functions
        import weft_core.resume.values.types.imports
        import weft_core.resume.values.types.iterators
        import weft_core.resume.values.types.itertools
        import weft_core.resume.values.types.objects
        import weft_core.resume.values.types.stdlib  # noqa: F401

        _loaded = True
