"""What a workflow calls and does not await. Nothing would come of it, and nobody would hear: refuse it where it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weft_core.errors import UnsupportedConstruct

if TYPE_CHECKING:
    from weft_core.resume import Unit

OPERATIONS = ("run", "sleep", "sleep_until", "wait_for_signal", "all", "gather", "settled", "race", "map")
"""The methods of a `Context` that only say what is wanted."""


def refuse_unawaited(unit: Unit, context: str) -> None:
    """Raise `UnsupportedConstruct` for a statement that is a call of an operation of `context`, and nothing else."""
    if re.search(rf"^\s*{context}\s*\.\s*(?:{'|'.join(OPERATIONS)})\b", unit.source, re.MULTILINE) is None:
        return  # most of the time, and a second tree takes time
    import ast

    from weft_core.resume.compiler.names import arguments
    from weft_core.resume.compiler.source import Source, parse

    tree = parse(Source(text=unit.source, filename=unit.filename, first_line=unit.first_line))
    if context not in [arg.arg for arg in arguments(tree.args)]:
        return  # a variable of that name is something else, such as one of `contextvars`
    for node in ast.walk(tree):
        call = node.value if isinstance(node, ast.Expr) else None
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
        ):
            method = call.func.attr
            if call.func.value.id == context and method in OPERATIONS:
                raise UnsupportedConstruct(
                    construct=f"`{context}.{method}(…)` without `await`",
                    remedy=f"write `await {context}.{method}(…)`: nothing happens before it is awaited",
                    filename=unit.filename,
                    line=call.lineno,
                    function=unit.name,
                )
