"""The repository's shape: small rooms, a public surface that is a list, nothing of one machine in any file."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import get_type_hints

import pytest

import weft_core
from tests.repository.files import PACKAGE, ROOT, modules, tracked

MODULE_LINES_MAX = 450
"""Lines of one module, Python or TypeScript. A module is split by reason to change before it gets here."""

TOP_LEVEL = {
    ".ci", ".gitattributes", ".github", ".gitignore", ".npmrc", "CHANGELOG.md", "LICENSE", "Makefile", "README.md",
    "bench", "biome.json", "browser", "docs", "examples", "package-lock.json", "package.json", "pyproject.toml",
    "requirements.lock", "scripts", "tests", "tsconfig.build.json", "tsconfig.json", "tsconfig.worker.json", "web", "weft_core",
}  # fmt: skip


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_top_level_holds_what_it_should() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert found <= TOP_LEVEL, f"unknown at the top: {sorted(found - TOP_LEVEL)}"


def test_no_module_has_outgrown_its_room() -> None:
    sources = [*modules(), *(p for p in tracked() if p.suffix in (".ts", ".tsx") and "tests" not in p.parts)]
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in sources}
    big = {name: count for name, count in lengths.items() if count > MODULE_LINES_MAX}
    assert not big, f"split these by reason to change: {big}"


def test_every_module_opens_with_what_it_is() -> None:
    silent = [relative(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert not silent, f"no docstring: {silent}"


# --- the public surface ---


def documented_names() -> list[str]:
    """The names docs/reference/api.md lists: every `### name` and every row of its tables that begins with one."""
    text = (ROOT / "docs/reference/api.md").read_text("utf-8")
    return re.findall(r"^(?:\| |### )`([A-Za-z_]\w*)`", text, re.MULTILINE)


def test_the_public_names_are_those_the_reference_lists() -> None:
    listed = documented_names()
    assert len(listed) == len(set(listed)), "a name is listed twice in docs/reference/api.md"
    assert sorted(listed) == sorted(weft_core.__all__)


def test_nothing_else_is_public() -> None:
    extra = [
        name
        for name, value in vars(weft_core).items()
        if not name.startswith("_")
        and name not in weft_core.__all__
        and not isinstance(value, types.ModuleType)
        and name not in ("annotations", "TYPE_CHECKING")
    ]
    assert not extra


def test_the_types_of_what_people_call_can_be_looked_up() -> None:
    for name in weft_core.__all__:
        public = getattr(weft_core, name)
        found = [(name, public)] if inspect.isfunction(public) else []
        if inspect.isclass(public):
            members = {key: value for key, value in vars(public).items() if not key.startswith("_")}
            found = [(f"{name}.{key}", getattr(value, "fget", value)) for key, value in members.items()]
        for where, function in found:
            if inspect.isfunction(function):
                assert get_type_hints(function) is not None, where


def test_public_names_are_imported_when_they_are_asked_for() -> None:
    loaded = "sorted(name for name in sys.modules if name.startswith('weft_core'))"
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, weft_core; print({loaded}); weft_core.NotFound; print({loaded})"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.splitlines() == ["['weft_core']", "['weft_core', 'weft_core.errors']"]
    assert set(weft_core.__all__) <= set(dir(weft_core))
    with pytest.raises(AttributeError, match=r"^module 'weft_core' has no attribute 'Nothing'$"):
        weft_core.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_an_engine_loads_what_every_run_needs_and_nothing_else() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from weft_core import App, Client, Engine; App('shop'); print(*sys.modules)",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = said.stdout.split()
    rare = ("inspection", "resume.compiler", "resume.unit", "resume.values.large", "store.sqlite", "doctor", "testing")
    assert "weft_core.engine.engine" in loaded
    assert [name for name in loaded if name.startswith(tuple(f"weft_core.{part}" for part in rare))] == []


def test_a_type_checker_and_python_find_a_public_name_in_the_same_module() -> None:
    told = {
        alias.name: node.module
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("weft_core.")
        for alias in node.names
    }
    found = {name: f"weft_core.{weft_core._HOMES.get(name, 'errors')}" for name in weft_core.__all__}
    assert told == found


def public_things() -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name in weft_core.__all__:
        thing = getattr(weft_core, name)
        found.append((name, thing))
        if isinstance(thing, type):
            for attribute, value in vars(thing).items():
                if attribute.startswith("_"):
                    continue
                if isinstance(value, (types.FunctionType, classmethod, staticmethod, property)):
                    found.append((f"{name}.{attribute}", value))
    return found


@pytest.mark.parametrize(("name", "thing"), public_things(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_name_is_documented(name: str, thing: object) -> None:
    if not callable(thing) and not isinstance(thing, (classmethod, staticmethod, property)):
        return  # a type alias or constant: its line in the reference is its documentation
    text = inspect.getdoc(thing) or ""
    generated = isinstance(thing, type) and text.startswith(f"{name}(")
    assert text.strip() and not generated, f"{name} has no docstring"


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_the_version_is_the_same_everywhere() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert project["version"] == package["version"] == weft_core.__version__
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# --- nothing of one machine ---

MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|home)/"
            + r"(?!pyodide\b)\w",  # a path of somebody's machine; Pyodide's is everybody's
            r"C:\\" + r"Users",
            r"bash_" + r"jobs",
            r"registry\." + r"npmjs",
            r"files\." + r"pythonhosted",
            r"pypi\." + r"org/simple",
            r"cdn\." + r"jsdelivr",
            r"unpkg\." + r"com",
            r"<<<<" + r"<<<",
        ]
    )
)
"""Spelled in halves, so that this file does not find itself."""


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = MACHINE.search(line)
            if match:
                found.append(f"{relative(path)}:{number}: {match[0]}")
    assert not found, "\n".join(found)


def test_the_lock_files_pin_by_hash_and_name_no_host() -> None:
    python = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in python
    pinned = re.findall(r"^([a-z0-9-]+)==", python, re.MULTILINE)
    assert len(pinned) > 10
    assert python.count("--hash=sha256:") >= len(pinned)
    node = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in node["packages"].items() if name and not entry.get("link")}
    assert packages
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    unpinned = [name for name, entry in packages.items() if "integrity" not in entry]
    # Not every mirror carries the linter's programs for other platforms; without an entry `npm ci` would refuse to run.
    assert not [name for name in unpinned if not name.startswith("node_modules/@biomejs/cli-")]


def test_nothing_generated_is_tracked() -> None:
    bad = [relative(p) for p in tracked() if {"build", "dist", "node_modules", "__pycache__"} & set(p.parts)]
    assert not bad
