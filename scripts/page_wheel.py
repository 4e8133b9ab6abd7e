"""`python -m scripts.page_wheel [FOLDER]`: the wheel for pages with a Pyodide of their own, in FOLDER (default: dist).

A page fetches every byte of it before anything runs. So it has neither what no page can use nor what only people read, and
its modules lie in one archive inside the wheel, which is compressed as a whole: by itself, each module takes up a fifth more.
Python imports from such archives (`zipimport`). The code is that of the repository, line by line.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import tomllib
import zipfile
import zlib
from pathlib import Path
from typing import Any

import zopfli.zlib

from scripts.slim_wheel import slim

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "weft_core"

_SQLITE = tuple(f"store/sqlite{part}.py" for part in ("", "_file", "_log", "_rows"))
LEFT_OUT = ("cli", "doctor.py", *_SQLITE, "testing")
"""Modules and packages that only the ordinary wheel has."""
MODULES = "modules.zip"
IMPORT_FROM_ARCHIVE = f'__path__ = [__path__[0] + "/{MODULES}"]\n'
"""What the package's own module says more than in the repository, after its last line."""

_STUB = "raise ImportError({message!r}, name=__name__)\n"
_PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "weft-core"
version = "{version}+page"
description = "{description}"
license = "{license}"
license-files = ["LICENSE"]
requires-python = "{requires-python}"

[tool.hatch.build.targets.wheel]
packages = ["weft_core"]
"""


def build(folder: Path) -> Path:
    """Make the wheel in `folder`; gives its path. The same sources give the same bytes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with tempfile.TemporaryDirectory(prefix="weft-page-") as made:
        stage = Path(made)
        (stage / "weft_core").mkdir()
        own = slim((PACKAGE / "__init__.py").read_text("utf-8"), public=False)
        (stage / "weft_core" / "__init__.py").write_text(own + IMPORT_FROM_ARCHIVE, "utf-8", newline="\n")
        (stage / "weft_core" / MODULES).write_bytes(_archive())
        (stage / "pyproject.toml").write_text(_PROJECT.format_map(project), "utf-8", newline="\n")
        (stage / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
        out = stage / "out"
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(stage)]
        subprocess.run(command, check=True, capture_output=True)
        (wheel,) = out.glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return _tight(wheel, folder / wheel.name)


def files() -> dict[str, str]:
    """The files of the archive by their names in it, with their texts."""
    texts = {}
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if name == "__init__.py" or name.startswith(tuple(f"{other}/" for other in LEFT_OUT)) or name in LEFT_OUT:
            continue
        if path.suffix in (".py", ".js"):
            text = path.read_text("utf-8")
            texts[name] = slim(text, public=False) if path.suffix == ".py" else text
    for name in LEFT_OUT:
        module = f"weft_core.{name.removesuffix('.py').replace('/', '.')}"
        message = f"{module} is not in the wheel for pages; the ordinary wheel of weft-core has it"
        texts[name if name.endswith(".py") else f"{name}/__init__.py"] = _STUB.format(message=message)
    return texts


def _tight(wheel: Path, target: Path) -> Path:
    """The same wheel, compressed as tight as deflate goes: everybody reads it, and it is made once."""
    with zipfile.ZipFile(wheel) as made, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as tight:
        for entry in made.infolist():
            data = made.read(entry)  # before the entry is told where it stands in the other file
            with tight.open(entry, "w") as file:
                writing: Any = file
                writing._compressor = _Zopfli()  # zipfile knows no compressors but its own
                file.write(data)
    return target


class _Zopfli:
    """A compressor as `zlib.compressobj` makes them, of raw deflate."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def compress(self, data: bytes) -> bytes:
        self.parts.append(bytes(data))
        return b""

    def flush(self) -> bytes:
        return zopfli.zlib.compress(b"".join(self.parts))[2:-4]  # without what zlib puts around it


def _archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, text in _neighbours({name: text.encode() for name, text in files().items()}):
            archive.writestr(zipfile.ZipInfo(name), text)  # a constant date
    return made.getvalue()


def _neighbours(texts: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """The files in such an order that each has much in common with those right before it: deflate sees no further back."""

    def small(text: bytes, before: bytes) -> int:
        packer = zlib.compressobj(3, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, before)
        return len(packer.compress(text)) + len(packer.flush())

    alone = {name: small(text, b"") for name, text in texts.items()}
    left, ordered, before = dict(texts), [], b""
    while left:
        name = max(left, key=lambda name: (alone[name] - small(left[name], before)) / len(left[name]) ** 0.5)
        ordered.append((name, left.pop(name)))
        before = (before + texts[name])[-32_768:]
    return ordered


if __name__ == "__main__":
    wheel = build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
    print(f"{wheel}: {wheel.stat().st_size:,} bytes")
