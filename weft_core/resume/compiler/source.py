"""Finding the source of a function, and reading it back into a tree with the user's own line numbers."""

from __future__ import annotations

import ast
import linecache
from types import FunctionType

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiler.names import arguments

_NO_SOURCE = (
    "write the function in a file (a REPL or exec'd text has no source that could be read back; where source must come "
    "from text, put it into `linecache.cache` under the name it was compiled with)"
)


class Source:
    """The text of one function, from `async def` on, without its decorators, indented as it stands in its file."""

    __slots__ = ("filename", "first_line", "text")

    def __init__(self, *, text: str, filename: str, first_line: int) -> None:
        self.text = text
        self.filename = filename
        self.first_line = first_line


_last: tuple[str, list[str], dict[int, ast.AST]] | None = None
"""The functions of the file looked at last, by the line each begins on: decorators of one file run in a row."""


def find_source(function: FunctionType) -> Source:
    """The source of an `async def` as its file has it. Raises `UnsupportedConstruct`."""
    code = function.__code__
    filename = code.co_filename
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, function.__globals__)
    node = _functions(filename, lines).get(code.co_firstlineno) if lines else None
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        raise _refused(function, "a plain function", "write `async def`")
    if not isinstance(node, ast.AsyncFunctionDef) or node.name != code.co_name:
        raise _refused(function, "a function whose source cannot be found", _NO_SOURCE)
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    there = [arg.arg for arg in arguments(node.args)]
    known = list(code.co_varnames[:count])
    if [name.lstrip("_") for name in there] != [_unmangled(name, there) for name in known]:
        raise _refused(function, "a function whose file has changed since it was imported", "start the program again")
    text = "".join(lines[node.lineno - 1 : node.end_lineno])
    return Source(text=text, filename=filename, first_line=node.lineno)


def _unmangled(name: str, there: list[str]) -> str:
    for candidate in there:
        if candidate == name or (candidate.startswith("__") and name.endswith(candidate)):
            return candidate.lstrip("_")
    return name


def _refused(function: FunctionType, construct: str, remedy: str) -> UnsupportedConstruct:
    code = function.__code__
    return UnsupportedConstruct(
        construct=construct,
        remedy=remedy,
        filename=code.co_filename,
        line=code.co_firstlineno,
        function=function.__qualname__,
    )


def _functions(filename: str, lines: list[str]) -> dict[int, ast.AST]:
    global _last
    if _last is not None and _last[0] == filename and _last[1] == lines:
        return _last[2]
    found: dict[int, ast.AST] = {}
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef)):
            found[min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])] = node
    _last = (filename, lines, found)
    return found


def parse(source: Source) -> ast.AsyncFunctionDef:
    """The tree of a function's source. Its lines are those of its file, its columns too."""
    indented = source.text[:1] in (" ", "\t")
    text = "if 1:\n" + source.text if indented else source.text
    above = source.first_line - (2 if indented else 1)
    tree = ast.parse("\n" * above + text, source.filename)
    if above < 0:
        ast.increment_lineno(tree, above)
    body = tree.body[0].body if indented and isinstance(tree.body[0], ast.If) else tree.body
    node = body[0]
    if len(body) != 1 or not isinstance(node, ast.AsyncFunctionDef):
        raise SyntaxError(f"{source.filename}:{source.first_line}: not the source of one `async def`")
    return node
