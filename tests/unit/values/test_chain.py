"""The quick text of a fiber's frames is the general one, also when what was kept of a container has changed since."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

from weft_core import App, Context
from weft_core.resume import capture
from weft_core.resume.values import FiberEncoder, ValueCodec
from weft_core.testing.engine import TestEngine


def test_what_is_kept_of_a_container_is_used_only_while_it_is_true() -> None:
    app, quick = App("kept"), 0

    @app.activity
    async def step(n: int) -> int:
        return n

    @app.workflow
    async def main(ctx: Context) -> Any:
        rows: list[Any] = [1, 2]
        order: dict[str, Any] = {"a": 1, "b": {"c": [1, 2]}}
        also = None
        for n in range(14):
            await ctx.run(step, n)
            if n == 1:
                rows.append(3)
            elif n == 2:
                order["a"] = True  # equal to what it was
            elif n == 3:
                order["b"]["c"].append(3)
            elif n == 4:
                order["b"]["c"][0] = 1.0
            elif n == 5:
                order["d"] = order.pop("a")
            elif n == 6:
                also = order["b"]["c"]  # met twice: no longer plain
            elif n == 8:
                also = None
            elif n == 9:
                rows[0] = order["b"]
            elif n == 10:
                rows[0] = 1
        return [rows, order, also]

    real = FiberEncoder.quick

    def compared(self: FiberEncoder, coroutine: Any) -> str | None:
        nonlocal quick
        text = real(self, coroutine)
        if text is not None:
            quick += 1
            assert text == FiberEncoder(ValueCodec(self._registry), self._externals).encode(capture(coroutine)).text
        return text

    async def run() -> Any:
        async with TestEngine(app) as engine:
            return await (await engine.start(main)).result()

    with mock.patch.object(FiberEncoder, "quick", compared):
        result = asyncio.run(run())
    assert result == [[1, 2, 3], {"b": {"c": [1.0, 2, 3]}, "d": True}, None]
    assert 8 <= quick < 14, quick
