"""Who may import whom. The kernel decides, the runtime does, adapters touch: this is where that is enforced."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.repository.files import ROOT, dotted, imports, modules

ROOMS: dict[str, tuple[str, ...]] = {
    # room: what it may import of the package, besides itself and `weft_core.errors`
    "weft_core.errors": (),
    "weft_core.resume": (),
    "weft_core.model": ("weft_core.resume",),
    "weft_core.kernel": ("weft_core.model", "weft_core.resume"),
    "weft_core.store": (),
    "weft_core.inspection": ("weft_core.kernel", "weft_core.model", "weft_core.resume"),
    "weft_core.reading": ("weft_core.kernel", "weft_core.store"),
    "weft_core.client": (
        "weft_core.inspection",
        "weft_core.kernel",
        "weft_core.model",
        "weft_core.reading",
        "weft_core.resume",
        "weft_core.store",
    ),
    "weft_core.doctor": (
        "weft_core.kernel",
        "weft_core.model",
        "weft_core.reading",
        "weft_core.resume",
        "weft_core.store",
    ),
    "weft_core.engine": (
        "weft_core.client",
        "weft_core.inspection",
        "weft_core.kernel",
        "weft_core.model",
        "weft_core.reading",
        "weft_core.resume",
        "weft_core.store",
    ),
    "weft_core.cli": (
        "weft_core.__version__",
        "weft_core.client",
        "weft_core.doctor",
        "weft_core.engine",
        "weft_core.inspection",
        "weft_core.model",
    ),
    "weft_core.testing": ("weft_core",),
    "weft_core": ("weft_core",),
}

LAZY = ("weft_core.client",)
"""Rooms that may import the package itself, for annotations: that loads nothing."""

PURE = ("weft_core.model", "weft_core.resume", "weft_core.kernel")
IMPURE = {"asyncio", "threading", "time", "os", "sqlite3", "js", "pyodide", "pyodide_js", "logging", "socket"}
"""What the pure rooms may not import: the outside, and the clock."""

BROWSER = {"js", "pyodide", "pyodide_js", "weft_bridge"}
BROWSER_ROOMS = ("weft_core.store.indexeddb", "weft_core.engine.host_browser")
"""The only modules (and those whose names begin so) that may know they are in a browser."""

BACKENDS = ("memory", "sqlite", "indexeddb")
TEST_TOOLS = {"pytest", "hypothesis", "_pytest"}


def room_of(name: str) -> str:
    fitting = [room for room in ROOMS if name == room or name.startswith(room + ".")]
    return max(fitting, key=len)


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_import_is_allowed_by_the_table_of_rooms() -> None:
    broken = []
    for path in modules():
        room = room_of(dotted(path))
        allowed = (room, "weft_core.errors", *ROOMS[room])
        for line, name in imports(path):
            if name == "weft_core" and room in LAZY:
                continue
            if name.split(".")[0] == "weft_core" and not within(name, allowed):
                broken.append(f"{where(path, line)}: {room} may not import {name}")
    assert not broken, "\n".join(broken)


def test_the_pure_rooms_touch_nothing_outside() -> None:
    broken = [
        f"{where(path, line)}: {name} (model, resume and kernel decide; they never touch the outside or the clock)"
        for path in modules()
        if within(dotted(path), PURE)
        for line, name in imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert not broken, "\n".join(broken)


def test_only_the_adapters_know_that_they_are_in_a_browser() -> None:
    broken = [
        f"{where(path, line)}: {name}"
        for path in modules()
        if not dotted(path).startswith(BROWSER_ROOMS)
        for line, name in imports(path)
        if name.split(".")[0] in BROWSER
    ]
    assert not broken, "\n".join(broken)


def test_a_store_knows_the_port_and_its_own_outside_thing_only() -> None:
    broken = []
    for path in modules():
        own = dotted(path).removeprefix("weft_core.store.").split("_")[0]
        if not dotted(path).startswith("weft_core.store.") or own not in BACKENDS:
            continue
        others = tuple(f"weft_core.store.{backend}" for backend in BACKENDS if backend != own)
        broken += [f"{where(path, line)}: {name}" for line, name in imports(path) if within(name, others)]
    assert not broken, "\n".join(broken)


def test_the_core_needs_nothing_but_the_standard_library() -> None:
    known = set(sys.stdlib_module_names) | BROWSER | {"weft_core"}
    broken = [
        f"{where(path, line)}: {name}"
        for path in modules()
        if not dotted(path).endswith("pytest_plugin")
        for line, name in imports(path)
        if name.split(".")[0] not in known
    ]
    assert not broken, "\n".join(broken)


def test_the_testing_room_never_imports_a_test_framework() -> None:
    broken = [
        f"{where(path, line)}: {name}"
        for path in modules()
        if not dotted(path).endswith("pytest_plugin")
        for line, name in imports(path)
        if name.split(".")[0] in TEST_TOOLS
    ]
    assert not broken, "\n".join(broken)


def test_the_rules_catch_what_they_forbid(tmp_path: Path) -> None:
    sample = ROOT / "weft_core" / "kernel" / "sample.py"
    text = tmp_path / "sample.py"
    text.write_text("def f():\n    from weft_core.store import keys\n    import asyncio.events as a\n")
    assert room_of(dotted(sample)) == "weft_core.kernel"
    found = [name for _, name in imports_of(text)]
    assert found == ["weft_core.store.keys", "asyncio.events"]
    assert not within(found[0], ("weft_core.kernel", "weft_core.errors", *ROOMS["weft_core.kernel"]))
    assert found[1].split(".")[0] in IMPURE


def imports_of(path: Path) -> list[tuple[int, str]]:
    """`imports` of a file that does not stand in the repository: only absolute imports."""
    import ast

    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, f"{node.module}.{name.name}") for name in node.names]
    return found
