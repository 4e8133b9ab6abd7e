"""What the tests of this room look at: the repository's own files."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "weft_core"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file git tracks, or would if it were added now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def modules() -> list[Path]:
    """The modules of the package."""
    return [path for path in tracked() if path.suffix == ".py" and PACKAGE in path.parents]


def dotted(path: Path) -> str:
    """`weft_core/store/keys.py` -> `weft_core.store.keys`; a package is its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, anywhere in it (also lazily, also for types)."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield node.lineno, name.name
            case ast.ImportFrom(module=module, names=names, level=level):
                base = module or ""
                if level:
                    home = package.rsplit(".", level - 1)[0] if level > 1 else package
                    base = f"{home}.{base}".rstrip(".")
                for name in names:
                    yield node.lineno, f"{base}.{name.name}"


def blocks(page: Path) -> list[tuple[int, str, str, str]]:
    """Line, language, remarks and text of each fenced block."""
    text = page.read_text("utf-8")
    return [(text.count("\n", 0, m.start()) + 1, m[1], m[2].strip(), m[3]) for m in FENCE.finditer(text)]
