"""Every snippet of the README and the docs is run, so that none of them lies.

In a page, each ```python block is a program. `# shop.py` in its first line gives it that file name, and later blocks
of the page find it there. Of a ```console block the lines that begin with `$ weft` are run in the same folder; others
are not. A ```python block marked `fragment` is a piece of a program: it must at least be valid Python.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.files import ROOT, blocks, tracked

SECONDS_MAX = 60
PAGES = [path for path in tracked() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    for line, language, remarks, text in blocks(page):
        here = f"{page.relative_to(ROOT)}:{line}"
        if language == "python" and "fragment" in remarks:
            compile(text, here, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif language == "python":
            named = re.match(r"# (\w+\.py)\b", text)
            script = tmp_path / (named[1] if named else f"snippet_{line}.py")
            script.write_text(text, "utf-8")
            run([sys.executable, script.name], tmp_path, here)
        elif language == "console":
            for command in re.findall(r"^\$ (weft .*)$", text, re.MULTILINE):
                words = shlex.split(command, comments=True)[1:]
                run([sys.executable, "-m", "weft_core.cli", *words], tmp_path, f"{here}: {command}")


def run(command: list[str], cwd: Path, where: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, f"{where} failed ({done.returncode}):\n{done.stdout}{done.stderr}"


def test_there_are_snippets() -> None:
    assert sum(language == "python" for page in PAGES for _, language, _, _ in blocks(page)) >= 1


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("page", ["docs/parity.md", "docs/evidence.md"])
def test_the_tests_that_a_page_names_exist(page: str) -> None:
    named = re.findall(r"\btests/([\w/]+(?:\.py)?)(?:::(\w+))?", (ROOT / page).read_text("utf-8"))
    assert named
    missing = []
    for place, test in sorted(set(named)):
        path = ROOT / "tests" / place
        if not path.exists() or (test and f"def {test}(" not in path.read_text("utf-8")):
            missing.append(f"{place}::{test}")
    assert not missing


def test_what_the_ledger_says_works_is_shown_by_something() -> None:
    rows = re.findall(r"^\|(.+)\|$", (ROOT / "docs/parity.md").read_text("utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    unshown = [row[0] for row in cells if row[-1] in ("works", "part") and "tests/" not in row[2]]
    assert not unshown
