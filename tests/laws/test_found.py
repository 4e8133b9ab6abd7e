"""Programs in which a law was broken once, written out: the generator may change."""

from __future__ import annotations

import pytest

from tests.laws.check import holds
from tests.laws.test_side_by_side import COMPREHENSIONS_SIDE_BY_SIDE

FOUND = {
    "the key of a dict comprehension is read before its value is evaluated": """
        @unit
        async def main(*args, **kw):
            k = 1
            note(1, {k: (k := t(2)) async for c in UnitTurns(3, 2)})
            note(4, k)
            try:
                note(5, {nowhere: t(6) async for c in UnitTurns(7, 1)})
            except NameError as e0:
                note(8, e0)
            return {k: t(9, c) for c in [await op(10), await op(11)]}
        """,
    "a comprehension reads the target of the one around it before that has a value": """
        @unit
        async def main(*args, **kw):
            try:
                note(1, {c for c in [await op(2)] for x in [sum([1 async for d in UnitTurns(3, 1) if x])]})
            except NameError as e0:
                note(4, e0)
            try:
                note(5, {c for c in [await op(6)] for x in [x]})
            except NameError as e1:
                note(7, e1)
        """,
    "an error in the type of a later except* clause came up while an earlier clause's part was handled": """
        @unit
        async def main(*args, **kw):
            try:
                try:
                    raise ExceptionGroup("g", [Problem(1), ValueError(2)])
                except* Problem as e0:
                    note(1, e0)
                except* (boom(3), t(4, ValueError), (await op(5)), boom(6))[1] as e1:
                    note(7, e1)
                    await op(8)
            except (Exception, Cancelled) as e2:
                note(9, e2)
                note(10, e2.__context__)
                await op(11)
                raise
        """,
    "the same where what was raised is no group": """
        @unit
        async def main(*args, **kw):
            try:
                raise Problem(1)
            except* Problem as e0:
                note(1, e0)
            except* (boom(2), (await op(3)), ValueError)[2] as e1:
                note(4, e1)
        """,
    "a lone starred argument is expanded after the keywords were evaluated": """
        @unit
        async def f0(*args, **kw):
            return await op(1, *args)

        @unit
        async def main(*args, **kw):
            note(1, await f0(*V(2), k=(await op(3)), **{"j": (await op(4))}))
            note(5, show(*V(6), **V((await op(7)))))
            return show(*t(8), k=(await op(9)))
        """,
    "keyword arguments that are given twice, or by no mapping, before an await": """
        @unit
        async def f0(*args, **kw):
            return await op(1, *args)

        @unit
        async def main(*args, **kw):
            for mapping in ({"k": 1}, {"j": 1, "k": 2}, 3, Box(), V(1), V(0), {3: 3}, {"{}": 1, "{0}": 2}, None):
                for callee in (f0, K().m, show, len, [].append, K, Box(), t(2, lambda **kw: 3)):
                    try:
                        callee(k=1, **mapping, z=(await op(4)))
                    except TypeError as error:
                        note(5, error)
                    try:
                        await callee(**mapping, **mapping, **{"k1": (await op(6))})
                    except TypeError as error:
                        note(7, error)

        class K(Parent):
            @unit
            async def m(self, **kw):
                return await op(8)
        """,
    "an except* clause that takes nothing leaves the group as it is": """
        @unit
        async def main(*args, **kw):
            try:
                raise ExceptionGroup("g", [Problem(1), ExceptionGroup("i", [Worse(2), OSError(3)])])
            except* KeyError:
                pass
            except* Exception as e0:
                await op(1)
                raise Worse(4)
        """,
    "keyword arguments that are given twice while an error is handled": """
        @unit
        async def main(*args, **kw):
            try:
                raise Problem(1)
            except Problem:
                try:
                    show(k=1, **{"k": 2}, j=(await op(3)))
                except (TypeError, KeyError) as error:
                    note(4, error)
                    note(5, error.__context__)
        """,
    "mappings that answer oddly when they are unpacked before an await": """
        class Odd(dict):
            def __init__(self):
                super().__init__(k=1, j=2)

            def keys(self):
                return t(1, ["k"])

            def __getitem__(self, key):
                return t(2, 3)

        class Iterated(Odd):
            def __iter__(self):
                return t(4, iter([]))

        class Without:
            def keys(self):
                return t(5, ["a", "b"])

        class Missing(Without):
            def __getitem__(self, key):
                raise KeyError(*t(6, [key] if key == "a" else []))

        class Stuck(Without):
            def __getitem__(self, key):
                return t(7).nothing

        class Numbered:
            def keys(self):
                return t(8)

        class Listed:
            def keys(self):
                return t(9, [[]])

        @unit
        async def main(*args, **kw):
            for kind in (Odd, Iterated, Without, Missing, Stuck, Numbered, Listed):
                for given in ({}, {"k": 1}, {"a": 1}):
                    try:
                        t(10, show(**given, **kind(), **{"z": (await op(11))}))
                    except Exception as error:
                        note(12, error)
                        note(13, error.__context__)
        """,
    "super() where it is a function of its own": """
        @dataclass
        class K(Parent):
            @unit
            async def n(self, which):
                if which == 0: return list(super().plain(i) for i in [1])
                if which == 1: return list(i for i in [super().plain(1)])
                if which == 2: return (await op(1), (lambda: super().plain(1))())
                if which == 3: return [i for i in [super().plain(1)] if await op(2)]
                return await super().m(1)

        @unit
        async def main(*args, **kw):
            for which in range(5):
                try:
                    note(which, show(which, await K().n(which)))
                except Exception as error:
                    note(which, error)
        """,
    "nothing is asked for its truth twice, or as often as this Python does": """
        @unit
        async def main(*args, **kw):
            for yes in (V(0, 2), V(0, 1)):
                for no in (V(1, 1), V(1, 2)):
                    show(1, (await op(1), 1)[1] and ((await op(2), 1)[1] and no and 0) and await op(3))
                    show(2, (yes and (await op(4), no)[1]) and yes)
                    show(3, (yes or (await op(5), no)[1]) and no or yes)
                    show(4, yes and (no or yes) and (await op(6), no)[1] or no)
                    show(5, (yes and no) or (no and (yes or await op(7)) or yes))
                    show(6, not (yes and (no and await op(8))))
                    if (yes and no) or (yes and (no or await op(9)) or no): t(7)
                    if (yes and no and yes) if (await op(11), no)[1] else (no or await op(12) or no): t(13)
                    show(8, yes and (no and yes and (yes or no or await op(10))))
        """,
    "variables without a value: closed over, deleted, in comprehensions": """
        @unit
        async def f0(which, given, *args):
            if given:
                x = y = z = 1
            reader = lambda: (x, y, z)
            def remover():
                nonlocal z
                del z
            if which == 0: return x
            if which == 1: return show(2, await op(3), x)
            if which == 2: x += await op(4)
            if which == 3: del x
            if which == 4: del (args, x), which
            if which == 5: return reader()
            if which == 6: return [x for _ in span(2)]
            if which == 7: return [x for _ in span(2) if await op(5)]
            if which == 8: return [(x, q) for q in [1] if await op(6) or p for p in [p]]
            if which == 9: return [sum(p for _ in [1]) for _ in [await op(7)] if sum(p for _ in [1]) for p in [1]]
            if which == 10: return [[p for _ in [1]] for _ in [await op(7)] if [p for _ in [1]] for p in [1]]
            if which == 11: return list(x for _ in [1])
            if which == 12:
                try:
                    remover()
                    z += 1
                finally:
                    await op(8)
            if which == 13:
                for x in []: pass
                else: x.v = 3
            if which == 14:
                while x: break
            if which == 15:
                with Room(9) as x.v: pass
            if which == 16:
                class Inner(x): pass
            if which == 17:
                class Inner: v = x
            if which == 18:
                match await op(10):
                    case x.v: pass
                    case _ if x: pass
            if which == 19: return (lambda a=x: a)()
            if which == 20: return [local for _ in [1] if await op(11)]
            if which == 21: return local
            if which == 22: return [(later := 1, later) for _ in [1] if await op(11) and later]
            if which == 23: return [v for v in x if await op(12)]
            if which == 24: x.v[x] += 1
            if which == 25: return f"{x}", (x for x in [])
            if which == 26:
                try:
                    raise Problem
                except Problem as x:
                    pass
                return x, await op(13)
            if which == 27:
                for x in [1]:
                    try:
                        break
                    finally:
                        del x
                return x, await op(14)
            local = 1

        @unit
        async def main(*args, **kw):
            for which in range(28):
                for given in (False, True):
                    try:
                        note(which, f0(which, given).close())
                        note(which, await f0(which, given))
                    except (Exception, Cancelled) as error:
                        note(which, error)
        """,
    "a comprehension's variable stays the function's when it ends with an error and a function closes over both": """
        @unit
        async def main(*args, **kw):
            x2, x3 = 1, 7
            h0 = lambda: (x2, x3)
            for which in (1, 2, 3):
                try:
                    if which == 1:
                        {(l0 for l0 in (1, 2) if x2): l0 + which for x2 in (await op(4), 9)}
                    elif which == 2:
                        [[(lambda x3=x3: x2 + x3)() for x3 in (1, 2)] + [l0] for x2 in (8, 9)]
                    else:
                        {(lambda: x3)() for x3 in (await op(8), x2) if (lambda x2: x2 / 0)(x3)}
                except (Exception, Cancelled) as error:
                    note(10, error)
                show(11, x2, x3, h0())
                await op(12)
            kept = [lambda: x2 + x3 for x2 in (5, 6)]
            await op(13)
            show(14, x2, [function() for function in kept])
        """,
    "the same where the comprehension reads its variable before that has a value": """
        @unit
        async def f0(which, x2):
            h0 = lambda: x2
            try:
                match which:
                    case 0: show(1, [(lambda: x2)() for l0 in (1,) if x2 for x2 in (2, 3)])
                    case 1: show(2, [(lambda: x2)() / 0 for l0 in (1, 2) if l0 == 1 or show(3, x2) for x2 in (4, 5)])
                    case 2: show(4, {(lambda: x2)() for x2.v in (1,) for x2 in (2, 3)})
                    case 3: show(5, {(lambda: x2)(): l0 for l0 in [[1]] for l0[x2], x2 in [(2, 3)]})
                    case 4: show(6, [(lambda: x2)() for l0 in (1,) if [x2 for x2 in x2] for x2 in (2, 3)])
                    case 5: show(7, [(lambda: x2)() for l0 in (1,) if list(x2 for _ in (4,)) for x2 in (2, 3)])
                    case 6: show(8, [(lambda: x2)() for l0 in (1,) if (lambda l0=x2: l0)() for x2 in (2, 3)])
                    case 7: show(9, [[(lambda: x2)() for l1 in (1,) if x2 for x2 in l0] for l0 in [[await op(10)]]])
                    case 8: show(11, [(x2, await op(12)) for l0 in (1,) if x2 for x2 in (2, 3)])
            except (Exception, Cancelled) as error:
                note(13, error)
            show(14, x2, await op(15), h0())

        @unit
        async def main(*args, **kw):
            for which in range(9):
                await f0(which, 9)
        """,
    "a comprehension reads what another one beside it has as its variable": COMPREHENSIONS_SIDE_BY_SIDE,
    "the name of a caught error is deleted at the handler's end also where only a function that closes over it looks": """
        @unit
        async def f0(which, h):
            x0 = 1
            h.append(lambda: x0)
            try:
                raise Problem(which)
            except Problem as x0:
                await op(2)
                if which == 2:
                    raise Worse(3)
                if which == 3:
                    return 4
            return 5

        @unit
        async def main(*args, **kw):
            for which in (1, 2, 3):
                h = []
                try:
                    show(6, await f0(which, h))
                except Worse as error:
                    note(7, error)
                try:
                    show(8, h[0]())
                except NameError as error:
                    note(9, error)
        """,
    "functions that took the name and text of others": """
        @unit
        async def main(*args, **kw):
            from functools import wraps

            def g(a):
                "what g does"
                return a

            g.__annotations__ = {"a": int, "return": "text"}

            @wraps(g)
            def h(*args):
                return g(*args) + 1

            def named():
                pass

            named.__name__, named.__qualname__, named.__doc__ = "other", "an.other", "text"
            await op(1)
            show(2, h.__name__, h.__qualname__, h.__doc__, h(1), h.__wrapped__ is g)
            show(4, h.__annotations__["return"], h.__annotations__["a"] is int, named.__annotations__)
            show(3, named.__name__, named.__qualname__, named.__doc__, g.__name__, g.__doc__)
        """,
    "classes made in a function are named as Python names them, in text, too": """
        @unit
        async def f0(which):
            from dataclasses import dataclass

            await op(1)

            @dataclass
            class Made:
                which: int

                class Inner:
                    pass

            def nested():
                class Deep(Exception):
                    pass
                return Deep

            show(2, Made.__qualname__, Made.Inner.__qualname__, nested().__qualname__, nested.__qualname__)
            show(3, repr(Made(which)), Made.__init__.__qualname__)
            raise nested()(which)

        @unit
        async def main(*args, **kw):
            try:
                await f0(1)
            except Exception as error:
                show(4, type(error).__qualname__, error.args)
        """,
    "a comprehension that awaits, in a handler: on Python 3.11 an error thrown into it forgets where it was": """
        @unit
        async def f0(*args, **kw):
            return ([c0 async for c0 in UnitTurns(1, 2)][0], 1)

        @unit
        async def main(*args, **kw):
            try:
                raise Problem(1)
            except Problem:
                await op(2)
                await f0()
                return {c0 async for c0 in UnitTurns(3, 2)}
        """,
    "super() in a comprehension, which Python 3.11 does not find its way to, where nobody hears of that": """
        class K(Parent):
            @unit
            async def m(self, *args, **kw):
                try:
                    show(1, [await super().m(c) for c in t(2, [1])], {super().plain(c): c for c in (await op(3), 4)})
                except BaseException:
                    show(5)

        @unit
        async def main(*args, **kw):
            await K().m()
        """,
}


@pytest.mark.parametrize("what", FOUND)
def test_found(what: str) -> None:
    holds(FOUND[what])
