"""A shop to command: an app in a folder of its own, under a module name of its own, and `weft` called in this process."""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from weft_core.cli import main

SHOP = """
from weft_core import App, Context, Retry

app = App("shop")


@app.activity(retry=Retry(max_attempts=1))
async def charge(cents: int) -> int:
    if cents < 0:
        raise ValueError("a price cannot be negative")
    return cents


@app.workflow
async def checkout(ctx: Context, order: dict) -> dict:
    ctx.state["stage"] = "paying"
    paid = await ctx.run(charge, order["cents"])
    return {"paid": paid}


@app.workflow
async def approval(ctx: Context) -> str:
    waiting_since = "Monday"
    said = await ctx.wait_for_signal("approve")
    return f"{said} after {waiting_since}"
"""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """What a command printed and gave."""

    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """The folder, its module's name, and a way to call `weft` there."""

    folder: Path
    module: str
    weft: Callable[..., Said]

    @property
    def app(self) -> str:
        return f"{self.module}:app"

    @property
    def path(self) -> Path:
        return self.folder / f"{self.module}.py"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    module = f"shop_{next(_numbers)}"
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("WEFT_DB", raising=False)

    def weft(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        said = capsys.readouterr()
        return Said(exit=int(code), out=said.out, err=said.err)

    return Shop(folder=tmp_path, module=module, weft=weft)
