"""The wheel for pages: small enough to be fetched by each of them, and the same code."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from scripts import page_wheel
from tests.repository.files import PACKAGE, modules
from tests.repository.wheels import SHOP, bare_python, code_of, quoted_of, run

WHEEL_BYTES_MAX = 150_000
"""What a page should have to fetch at most."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return bare_python(tmp_path_factory.mktemp("bare") / "env", wheel)


def texts_of(wheel: Path) -> dict[str, str]:
    """The modules in the wheel by their names in the package."""
    outer = zipfile.ZipFile(wheel)
    inner = zipfile.ZipFile(io.BytesIO(outer.read(f"weft_core/{page_wheel.MODULES}")))
    own = outer.read("weft_core/__init__.py").decode()
    return {"__init__.py": own} | {name: inner.read(name).decode() for name in inner.namelist()}


def test_it_is_small_and_not_taken_for_the_ordinary_one(wheel: Path) -> None:
    size = wheel.stat().st_size
    print(f"wheel for pages: {size:,} bytes, at most {WHEEL_BYTES_MAX:,}")
    assert size <= WHEEL_BYTES_MAX
    assert wheel.name.endswith("+page-py3-none-any.whl")


def test_it_holds_the_code_of_the_repository_line_by_line_but_for_what_no_page_can_use(wheel: Path) -> None:
    texts = texts_of(wheel)
    assert texts["__init__.py"].endswith(page_wheel.IMPORT_FROM_ARCHIVE)
    texts["__init__.py"] = texts["__init__.py"].removesuffix(page_wheel.IMPORT_FROM_ARCHIVE)
    left_out = []
    for path in modules():
        name = path.relative_to(PACKAGE).as_posix()
        if any(name == other or name.startswith(f"{other}/") for other in page_wheel.LEFT_OUT):
            left_out.append(name)
        else:
            here, there = path.read_text("utf-8"), texts.pop(name)
            assert code_of(there) == code_of(here), name
            assert quoted_of(there) == quoted_of(here), name
    assert {"cli/__init__.py", "doctor.py", "store/sqlite.py", "testing/__init__.py"} <= set(left_out)
    assert texts.pop("store/indexeddb_bridge.js") == (PACKAGE / "store/indexeddb_bridge.js").read_text("utf-8")
    assert texts.keys() <= set(left_out)
    assert all(text.startswith("raise ImportError(") for text in texts.values())


def test_the_same_sources_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert page_wheel.build(tmp_path).read_bytes() == wheel.read_bytes()


def test_every_module_of_it_imports_and_a_workflow_runs(bare: Path, tmp_path: Path) -> None:
    more = """
import importlib, pkgutil, sys
import weft_core
elsewhere = ("weft_core.store.sqlite", "weft_core.doctor", "weft_core.testing", "weft_core.cli")
for module in pkgutil.walk_packages(weft_core.__path__, "weft_core.", onerror=lambda name: None):
    if not module.name.startswith((*elsewhere, "weft_core.engine.host_browser")):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("weft_core")]) > 60)
"""
    (tmp_path / "shop.py").write_text(SHOP + more)
    done = run(bare, "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["42", "True"]), done.stderr


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("from weft_core.testing import TestEngine", "weft_core.testing"),
        ("import weft_core.cli", "weft_core.cli"),
        ("import weft_core.doctor", "weft_core.doctor"),
        ("asyncio.run(Client.open('sqlite:///shop.db', App('shop')))", "weft_core.store.sqlite"),
    ],
)
def test_what_is_not_in_it_says_where_it_is(bare: Path, tmp_path: Path, statement: str, named: str) -> None:
    done = run(bare, "-c", f"import asyncio\nfrom weft_core import App, Client\n{statement}", cwd=tmp_path)
    said = f"ImportError: {named} is not in the wheel for pages; the ordinary wheel of weft-core has it"
    assert done.returncode == 1 and done.stderr.strip().splitlines()[-1] == said
    assert not list(tmp_path.iterdir())
