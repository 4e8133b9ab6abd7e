"""Programs in which a name was not there any more when something asked for it late, written out."""

from __future__ import annotations

import sys

import pytest

from tests.laws.check import holds

FOUND = {
    "annotations in the body of a class are evaluated": """
        @unit
        async def main(*args, **kw):
            number, text, kinds = int, str, ("a", "b")
            await op(1)

            class Row:
                x: number
                y: text = "y"

                class Inside:
                    z: kinds[0]

            def made():
                class Late:
                    x: number
                return Late

            show(3, Row.__annotations__, Row.Inside.__annotations__, made().__annotations__)
        """,
}

if sys.version_info >= (3, 12):
    FOUND["a nested function with type parameters"] = """
        @unit
        async def main(*args, **kw):
            def first[T](items: list[T]) -> T:
                return [item for item in items][0]

            await op(1)
            show(2, first([3]), first.__qualname__)
        """
    FOUND["bounds of type parameters and values of type aliases are evaluated when somebody asks"] = """
        @unit
        async def main(*args, **kw):
            bound, one, two, items = int, str, bytes, list
            await op(1)

            def function[T: bound](item: T) -> T:
                return item

            class Row[T: (one, two)]:
                pass

            type Tree = dict[str, Tree | Leaf]
            type Leaf = items[str]
            show(3, Tree.__value__, Leaf.__value__, function(1))
            show(4, function.__type_params__[0].__bound__, Row.__type_params__[0].__constraints__)
        """


@pytest.mark.parametrize("what", FOUND)
def test_found_names(what: str) -> None:
    holds(FOUND[what])
