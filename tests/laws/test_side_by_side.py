"""Where the Python at hand confuses variables of comprehensions, compiled code does not (see `apart`)."""

from __future__ import annotations

from textwrap import dedent

from tests.laws.apart import named_apart
from tests.laws.generate import Program
from tests.laws.run import COMPILED, PLAIN, run

COMPREHENSIONS_SIDE_BY_SIDE = """
    @unit
    async def f0(which, x2):
        try:
            match which:
                case 0: show(1, [([x2 for x2 in (1, 2)], [x2 for _ in (3,)], await op(2)) for _ in (4,)])
                case 1: show(3, [({x2 for x2 in (1, 2)}, [(x2 := 7) for _ in (3,)], await op(4)) for _ in (4,)])
                case 2: show(5, [([x2 for x2 in (1, 2)], (lambda: x2)(), await op(6)) for _ in (4,)])
                case 3: show(7, [([x2 for x2 in (1, 2)], list(x2 for _ in (3,)), await op(8)) for _ in (4,)])
        except (Exception, Cancelled) as error:
            note(9, error)
        show(10, x2)

    @unit
    async def f1(x2):
        h0 = lambda: x2
        try:
            show(11, [([x2 for x2 in (1, 2)], [x2 for _ in (3,)]) for _ in (4,)])
        except (Exception, Cancelled) as error:
            note(12, error)
        show(13, x2, await op(14), h0())

    @unit
    async def main(*args, **kw):
        for which in range(4):
            await f0(which, 9)
        await f1(9)
    """


def test_comprehensions_side_by_side_keep_to_their_own_variables() -> None:
    """Compiled code does what the language says also where the Python at hand does not (see `apart`)."""
    program = Program(0, dedent(COMPREHENSIONS_SIDE_BY_SIDE), {})
    compiled, apart = COMPILED.load(program), PLAIN.load(program, named_apart)
    outcome = run(COMPILED, compiled, program, 0)
    assert run(PLAIN, apart, program, 0).difference(outcome, tracebacks=True) is None
    shown = {entry[0]: entry[1] for entry in outcome.trace if isinstance(entry, tuple)}
    assert {9, 12}.isdisjoint(shown)
    assert (shown[11], shown[13]) == ("tuple(list(tuple(list(1, 2), list(9))))", "tuple(9, 2, 9)")
    assert (10, "tuple(7)", "{}") in outcome.trace
