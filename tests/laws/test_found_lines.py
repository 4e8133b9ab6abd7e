"""Programs whose errors named another line than Python's once, written out."""

from __future__ import annotations

import sys

import pytest

from tests.laws.check import holds

FOUND = {
    "a method called after an await in its arguments stands in the line of its name": """
        @unit
        async def main(*args, **kw):
            return (
                [5]
                .copy()
                .index(await op(1), 5)
            )
        """,
    "a method called with expanded arguments does not": """
        @unit
        async def main(*args, **kw):
            return (
                "text"
                .upper()
                .join(*[await op(1)])
            )
        """,
    "nor one with expanded keywords": """
        @unit
        async def main(*args, **kw):
            return (
                "text"
                .upper()
                .encode(await op(1), **{"errors": "strict"})
            )
        """,
    "an asynchronous iterator is asked in the line of the loop": """
        class Ends:
            def __aiter__(self):
                return self

            def __anext__(self):
                raise Problem(1)

        @unit
        async def main(*args, **kw):
            async for (
                x
            ) in (
                Ends()
            ):
                await op(2)
        """,
}

if sys.version_info >= (3, 12):  # until then a comprehension is a function of its own, with its own line
    FOUND["an asynchronous iterator is asked in the line of the comprehension"] = """
        class Ends:
            def __aiter__(self):
                return self

            def __anext__(self):
                raise Problem(1)

        @unit
        async def main(*args, **kw):
            return [
                await op(5)
                async for x in
                Ends()
            ]
        """

    FOUND["what a comprehension adds is hashed in the line of the element"] = """
        @unit
        async def main(*args, **kw):
            try:
                return {
                    x
                    :
                    await op(5)
                    for x in (1, [])
                }
            except TypeError:
                return {
                    0
                    or
                    [await op(2)]
                    for x in (1, 2)
                }
        """


@pytest.mark.parametrize("what", FOUND)
def test_found_lines(what: str) -> None:
    holds(FOUND[what])
