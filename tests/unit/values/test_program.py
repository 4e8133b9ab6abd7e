"""A file that one process runs as its program and another one imports is the same app, both ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHOP = """
import asyncio, enum, sys
from dataclasses import dataclass
from weft_core import App, Context, Engine

app = App("shop")

class Size(enum.Enum):
    LARGE = 1

@dataclass
class Order:
    size: Size
    make: object

class Refused(Exception):
    pass

def price(size):
    return 7

@app.workflow
async def buy(ctx: Context):
    order, name, kinds = Order(Size.LARGE, price), "tea", [Order]
    try:
        raise Refused("no")
    except Refused as error:
        kept = error
    await ctx.wait_for_signal("go")
    assert type(order) is Order and kinds == [Order] and order.make is price and order.size is Size.LARGE
    assert type(kept) is Refused
    return "bought"

async def begin(url):
    engine = await Engine.open(url, app)
    async with engine:
        run = await engine.start(buy, id="b")
        while await run.status() != "waiting":
            await asyncio.sleep(0.01)

async def end(url):
    engine = await Engine.open(url, app)
    async with engine:
        run = engine.handle("b")
        await run.signal("go")
        print(await run.result())

if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](sys.argv[2]))
"""
IMPORTED = "import asyncio, sys; from {0} import begin, end; asyncio.run(globals()[sys.argv[1]](sys.argv[2]))"
WAYS = {
    "file": ["shop/orders.py"],
    "beside": ["-c", f"import sys; sys.path.insert(0, 'shop'); {IMPORTED.format('orders')}"],
    "module": ["-m", "shop.orders"],
    "import": ["-c", IMPORTED.format("shop.orders")],
}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("file", "beside"),
        ("beside", "file"),
        ("module", "import"),
        ("import", "module"),
        ("file", "import"),
        ("import", "file"),
    ],
)
def test_a_run_goes_on_however_its_file_is_loaded(tmp_path: Path, first: str, then: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.py").write_text(SHOP)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}

    def run(way: str, what: str) -> str:
        command = [sys.executable, *WAYS[way], what, f"sqlite:///{tmp_path}/runs.db"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run(first, "begin")
    assert run(then, "end") == "bought"
