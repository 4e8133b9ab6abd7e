"""The wheel without what only readers of the repository need: lines of comment, docstrings that are nobody's interface.

Every line stays where it is, so tracebacks and `inspect` say the same as in the repository; docstrings of public names stay
for `help()` and editors. The code itself is the same: `tests/repository/test_wheel.py` compares the two.
"""

from __future__ import annotations

import ast
import io
import tempfile
import tokenize
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PUBLIC = frozenset(
    {
        "__init__.py",
        "client.py",
        "doctor.py",
        "errors.py",
        "inspection.py",
        "engine/activities.py",
        "engine/engine.py",
        "engine/host.py",
        "kernel/context.py",
        "model/app.py",
        "model/durations.py",
        "model/retry.py",
        "resume/operation.py",
        "store/__init__.py",
        "store/keys.py",
        "store/port.py",
        "testing/__init__.py",
        "testing/engine.py",
        "testing/faults.py",
        "testing/stores.py",
    }
)
"""Modules whose public names people use: these keep their docstrings."""


class SlimWheel(BuildHookInterface[Any]):
    """Gives the builder a slim copy of the package. An editable install has the package itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self.folder = tempfile.TemporaryDirectory(prefix="weft-wheel-")
        package = Path(self.root) / "weft_core"
        for path in sorted(package.rglob("*")):
            if path.is_dir() or path.suffix == ".pyc":
                continue
            name = path.relative_to(package).as_posix()
            target = Path(self.folder.name) / "weft_core" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text("utf-8")
            target.write_text(
                slim(text, public=name in PUBLIC) if path.suffix == ".py" else text, "utf-8", newline="\n"
            )
        build_data["force_include"][str(Path(self.folder.name) / "weft_core")] = "weft_core"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.folder.cleanup()


def slim(source: str, *, public: bool) -> str:
    """The source without lines of comment and without docstrings (but those of `public` names), line by line where it was."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for place, statement in enumerate(body):
            if not _is_text(statement) or (public and not getattr(node, "name", "public").startswith("_")):
                continue
            first = lines[statement.lineno - 1][: statement.col_offset]
            for line in range(statement.lineno - 1, statement.end_lineno):
                lines[line] = ""
            if len(body) == 1 and place == 0 and not isinstance(node, ast.Module):
                lines[statement.lineno - 1] = first + "..."
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            if not lines[line - 1][:column].strip():
                lines[line - 1] = ""  # beside code they stay: stored tracebacks quote lines
    return "\n".join(lines)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
