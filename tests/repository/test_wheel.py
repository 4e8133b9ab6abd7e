"""The wheel as a stranger gets it: small, pure, complete, and enough by itself in a bare environment."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from tests.repository.files import PACKAGE, ROOT, modules
from tests.repository.wheels import SHOP, bare_python, code_of, quoted_of, run

WHEEL_BYTES_MAX = 270_000
"""It must not grow unnoticed."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The Python of an environment that holds the wheel and nothing else, not even pip."""
    return bare_python(tmp_path_factory.mktemp("bare") / "env", wheel)


def test_it_is_small_and_pure(wheel: Path) -> None:
    size = wheel.stat().st_size
    print(f"wheel: {size:,} bytes, at most {WHEEL_BYTES_MAX:,}")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert size <= WHEEL_BYTES_MAX


def test_it_holds_every_module_and_nothing_that_is_not_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {path.relative_to(ROOT).as_posix() for path in modules()} | {"weft_core/py.typed"}
    assert expected <= names
    outside = [n for n in names if not n.startswith((f"{PACKAGE.name}/", "weft_core-"))]
    assert not outside
    assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc")]


def test_it_holds_the_code_of_the_repository_line_by_line_and_the_docstrings_of_what_people_use(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    for path in modules():
        name = path.relative_to(ROOT).as_posix()
        here, there = path.read_text("utf-8"), archive.read(name).decode("utf-8")
        assert code_of(there) == code_of(here), name
        assert quoted_of(there) == quoted_of(here), name
        assert len(there.splitlines()) <= len(here.splitlines())
    client, machine = (archive.read(f"weft_core/{name}.py").decode() for name in ("client", "kernel/machine"))
    assert "it is durable when this returns" in (ast.get_docstring(named(client, "start")) or "")
    assert ast.get_docstring(named(machine, "advance")) is None


def named(source: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return next(function for function in functions if function.name == name)


def test_it_asks_for_no_other_package(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    metadata = archive.read(name).decode()
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert not needed
    assert "Requires-Python: >=3.11" in metadata


def test_every_module_imports_in_a_bare_environment(bare: Path, tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import importlib, pkgutil, sys
        import weft_core
        in_browser = ("weft_core.store.indexeddb", "weft_core.engine.host_browser", "weft_core.testing.pytest_plugin")
        for module in pkgutil.walk_packages(weft_core.__path__, "weft_core."):
            if not module.name.startswith(in_browser) and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        foreign = {m.split(".")[0] for m in sys.modules} - set(sys.stdlib_module_names) - {"weft_core", "__main__"}
        print(sorted(m for m in foreign if not m.startswith("_")))
    """)
    done = run(bare, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_help_is_there_for_everything_that_can_be_imported_from_the_top(bare: Path, tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import inspect, sys
        import weft_core, weft_core.testing, weft_core.store
        for module in (weft_core, weft_core.testing, weft_core.store):
            for name in module.__all__:
                thing = getattr(module, name)
                if (inspect.isclass(thing) or inspect.isroutine(thing)) and not inspect.getdoc(thing):
                    print(module.__name__, name)
    """)
    done = run(bare, "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_workflow_runs_in_a_bare_environment(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    done = run(bare, "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "42"), done.stderr
    code = "import sys; from weft_core.cli import main; sys.exit(main())"
    done = run(bare, "-c", code, "run", "shop:app", "checkout", "--arg", "4", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"result": 8' in done.stdout
