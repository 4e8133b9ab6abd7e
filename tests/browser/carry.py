"""The CPython side of a run that is carried between runtimes: `python carry.py out|home`, JSON on stdin and stdout.

`out` starts `nested` and stops where it waits for the signal "go". `home` takes rows that a browser wrote, sends the
signals, and finishes. Rows are `[[key, value], …]`; the owner's row stays where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser" / "pages")]

import app as pages_app  # noqa: E402

from weft_core import Engine  # noqa: E402
from weft_core.store import keys, open_store  # noqa: E402
from weft_core.store.port import Batch, Store  # noqa: E402

RUN_ID = "carried"
SIZE = (3, 4)
LOOK_EVERY_S = 0.01


async def dump(store: Store) -> list[list[str]]:
    rows = await store.scan("!", "~~", limit=100_000)
    return [[row.key, row.value] for row in rows if row.key != keys.OWNER]


async def until_waiting(run: Any, signal: str) -> None:
    while True:
        for fiber in (await run.inspect()).fibers:
            if fiber.waiting_for and fiber.waiting_for.get("name") == signal:
                return
        await asyncio.sleep(LOOK_EVERY_S)


async def out() -> Any:
    store = await open_store("memory:")
    engine = await Engine.open(store, pages_app.app)
    async with engine:
        run = await engine.start("nested", *SIZE, id=RUN_ID)
        await until_waiting(run, "go")
        rows = await dump(store)
    return {"rows": rows}


async def home(rows: list[list[str]], signals: list[tuple[str, Any]]) -> Any:
    store = await open_store("memory:")
    await store.commit(Batch(put=dict(rows)))
    engine = await Engine.open(store, pages_app.app)
    async with engine:
        run = engine.handle(RUN_ID)
        for name, payload in signals:
            await run.signal(name, payload)
        return {"result": await run.result()}


async def whole() -> Any:
    engine = await Engine.open("memory:", pages_app.app)
    async with engine:
        run = await engine.start("nested", *SIZE, id=RUN_ID)
        await run.signal("go", "one")
        await run.signal("go on", "two")
        return {"result": await run.result()}


async def main() -> None:
    told = json.load(sys.stdin)
    noted = io.StringIO()
    with contextlib.redirect_stdout(noted):
        match sys.argv[1]:
            case "out":
                answer = await out()
            case "home":
                answer = await home(told["rows"], told["signals"])
            case _:
                answer = await whole()
    values = [json.loads(line.removeprefix("noted "))["value"] for line in noted.getvalue().splitlines()]
    print(json.dumps({**answer, "noted": values, "python": platform.python_version()}))


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), 60))
