"""An engine on a store that does not come back ends, and says why; one that only fails for a while goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from weft_core import App, Context, Engine
from weft_core.errors import StoreUnavailable

app = App("gone")


@app.workflow
async def told(ctx: Context) -> str:
    return str(await ctx.wait_for_signal("go"))


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_was_deleted_or_replaced_ends_its_engine(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "weft.db"
    engine = await Engine.open(f"sqlite:///{path}", app)
    async with engine, asyncio.timeout(30):  # an engine that goes on is to fail this test, not to hang it
        run = await engine.start(told, id="r")
        waiting = asyncio.ensure_future(run.result())
        path.rename(tmp_path / "moved.db")
        if replaced:
            path.write_bytes(b"")
        with pytest.raises(StoreUnavailable, match="deleted or replaced") as refused:
            await run.signal("go", 1)
        assert refused.value.gone and refused.value.applied is False
        with pytest.raises(StoreUnavailable, match="deleted or replaced"):
            await waiting
        with pytest.raises(StoreUnavailable, match="deleted or replaced"):
            await engine.start(told)
