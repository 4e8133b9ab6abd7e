"""What tests of wheels need: the code of a text, and an environment with one wheel in it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

SHOP = """\
from weft_core import App, Context, run_sync

app = App("shop")

@app.activity
async def double(n: int) -> int:
    return 2 * n

@app.workflow
async def checkout(ctx: Context, n: int) -> int:
    return await ctx.run(double, n)

if __name__ == "__main__":
    print(run_sync(app, checkout, 21))
"""


def bare_python(home: Path, wheel: Path) -> Path:
    """The Python of a new environment that holds the wheel and nothing else, not even pip."""
    venv.create(home, with_pip=False, symlinks=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return python


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run([str(python), *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def code_of(source: str) -> str:
    """The code and where it begins, without statements that are nothing but text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                block[:] = [n for n in block if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        for end in ("end_lineno", "end_col_offset"):  # a block may have ended with text
            if hasattr(node, end):
                delattr(node, end)
    return ast.dump(tree, include_attributes=True)


def quoted_of(source: str) -> dict[int, str]:
    """The lines that a traceback can quote, by their numbers: an error may be stored with lines of Weft itself."""
    lines = source.splitlines()
    numbers = {line for code in _codes(compile(source, "module", "exec")) for *_, line in code.co_lines() if line}
    # A module's or class's own text is an instruction, too, that never fails.
    return {line: lines[line - 1] for line in numbers if not _TEXT.match(lines[line - 1])}


_TEXT = re.compile(r'\s*(""".*|\.\.\.)?$')


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
