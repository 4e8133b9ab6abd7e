"""What a workflow imports in its own body and uses after an `await`: a module, or something out of one.

It is stored by the statement that the source of one of the frames has: `{"$import": [module]}` or `[module, name]`.
Reading it does again what these statements did. What none of them names is not imported, whatever the data says.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.compiler.source import Source, parse
from weft_core.resume.values.decode import RESOLVERS, Decoder, as_list
from weft_core.resume.values.encode import NODES, Encoder, Node

Imported = tuple[str, str, str | None]
"""The module that a statement imports, the one that it binds, and what of that: None for the module itself."""


def imported(encoder: Encoder, x: Any) -> Node:
    """The node of something that the source of a frame imports; None when it is nothing of the kind."""
    for _, module, name in _imports(encoder.units):
        found: Any = sys.modules.get(module)
        if found is not None and (found if name is None else getattr(found, name, None)) is x:
            return {"$import": [module] if name is None else [module, name]}
    return None


def _module(encoder: Encoder, x: ModuleType) -> Node:
    from weft_core.resume.values.find import refuse

    node = imported(encoder, x)
    if node is None:
        raise refuse(x)
    return node


def _resolve(decoder: Decoder, payload: Any) -> Any:
    module, name = [*as_list(payload), None][:2]
    found: Any = None
    for statement in _imports(decoder.units):
        if statement[1:] == (module, name):
            with suppress(ImportError):
                import_module(statement[0])
                found = sys.modules[module]
                if name is not None:
                    if not hasattr(found, name):
                        import_module(f"{module}.{name}")
                    found = getattr(found, name)
    if found is None:
        raise DecodeError(f"a frame needs {name or module!r}, imported from {module!r}, which is not there (any more)")
    return found


def _imports(units: Iterable[Any]) -> Iterator[Imported]:
    for unit in units:
        yield from _statements(unit.source, unit.function.__globals__.get("__package__"))


@lru_cache(maxsize=64)
def _statements(source: str, package: str | None) -> tuple[Imported, ...]:
    found: list[Imported] = []
    if "import" in source:
        for node in ast.walk(parse(Source(text=source, filename="", first_line=1))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.name if alias.asname else alias.name.partition(".")[0]
                    found.append((alias.name, bound, None))
            elif isinstance(node, ast.ImportFrom):
                with suppress(ImportError):
                    module = resolve_name("." * node.level + (node.module or ""), package)
                    found += [(module, module, alias.name) for alias in node.names]
    return tuple(found)


NODES[ModuleType] = _module
RESOLVERS["$import"] = _resolve
