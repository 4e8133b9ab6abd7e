"""Checks about rows: what is written, deleted, ordered and found."""

from __future__ import annotations

import random

from weft_core.store import keys
from weft_core.store.port import KEY_LENGTH_MAX, SCAN_LIMIT_DEFAULT, VERSION_MAX, Batch, Row
from weft_core.testing.store_checks.bench import Bench, conflict_of, same

BIG_VALUE_CHARS = 3_000_000
"""Characters in the largest value tried."""
_TROUBLE = (
    "~ % %25 %7E / // .. . a A a/b a%2Fb order:placed order sig:order Z 0 00 10 9 {} [] null $ @ = , & < > _ * ? - + "
    ";-- ' \" \\ é e\u0301 日本語 😀 __proto__ constructor"
)
HOSTILE_COMPONENTS = (*_TROUBLE.split(" "), "", "\x00", "\ud800", " ", "\n", "a" * 300)
"""Ids that have broken key encodings or orders somewhere; each is quoted into a key."""


async def reads_back(bench: Bench) -> None:
    same("get of an absent row", await bench.store.get([bench.key("a")]), {})
    number = await bench.put(a='{"x":1}', b='"two"')
    assert number in range(1, VERSION_MAX + 1), f"commit returned {number!r}"
    found = await bench.store.get([bench.key("a"), bench.key("absent"), bench.key("b"), bench.key("a")])
    wanted = {bench.key(n): Row(bench.key(n), v, number) for n, v in (("a", '{"x":1}'), ("b", '"two"'))}
    same("get", found, wanted)
    assert all(isinstance(row, Row) for row in found.values()), "get returns rows that are not `Row`s"
    same("get of nothing", await bench.store.get([]), {})
    later = await bench.put(a="2")
    same("get after an overwrite", await bench.one("a"), Row(bench.key("a"), "2", later))
    same("the row that was not written again", await bench.one("b"), Row(bench.key("b"), '"two"', number))


async def deletes(bench: Bench) -> None:
    await bench.put(a="1", b="2", c="3")
    await bench.store.commit(Batch(delete={bench.key("b"), bench.key("absent")}))
    same("get of a deleted row", await bench.one("b"), None)
    same("scan after a delete", await bench.all(), [("a", "1"), ("c", "3")])


async def deletes_ranges(bench: Bench) -> None:
    names = ["a", "b", "b/1", "b/2", "b/20", "b0", "c", "d"]
    await bench.store.commit(Batch(put={bench.key(name): name for name in names}))
    await bench.store.commit(Batch(delete_range=[(bench.key("b/"), bench.key("b0"))]))
    same("rows around a deleted range", [n for n, _ in await bench.all()], ["a", "b", "b0", "c", "d"])
    await bench.store.commit(Batch(delete_range=[(bench.key("b"), bench.key("b0")), (bench.key("d"), bench.key("e"))]))
    same("start is deleted, end is not", [n for n, _ in await bench.all()], ["a", "b0", "c"])
    await bench.store.commit(Batch(delete_range=[(bench.key("x"), bench.key("b")), (bench.key("c"), bench.key("c"))]))
    same("rows after deleting empty ranges", [n for n, _ in await bench.all()], ["a", "b0", "c"])


async def order_within_a_batch(bench: Bench) -> None:
    number = await bench.put(a="1", b="1", c="1", d="1")
    batch = Batch(
        expect={bench.key("a"): number, bench.key("b"): number, bench.key("e"): 0},
        put={bench.key("b"): "2", bench.key("d"): "2", bench.key("e"): "2"},
        delete={bench.key("d"), bench.key("e")},
        delete_range=[(bench.key("a"), bench.key("d"))],
    )
    before = (dict(batch.expect), dict(batch.put), set(batch.delete), list(batch.delete_range))
    await bench.store.commit(batch)
    wanted = [("b", "2"), ("d", "2"), ("e", "2")]
    same("check, then range deletes, then deletes, then puts", await bench.all(), wanted)
    same("the batch that was handed over", (batch.expect, batch.put, batch.delete, batch.delete_range), before)


async def keeps_big_and_odd_values(bench: Bench) -> None:
    big = '"' + "x" * BIG_VALUE_CHARS + '"'
    odd = {"empty": "", "unicode": '"é日😀\u2028\u00a0"', "quotes": '"\\\'\n\r\t"', "digits": "1" * 400, "null": "null"}
    await bench.put(big=big, **odd)
    found = await bench.one("big")
    assert found is not None
    assert found.value == big, "a value of 3 MB did not come back unchanged"
    for name, value in odd.items():
        row = await bench.one(name)
        same(f"the value {name!r}", row and row.value, value)
    await bench.put(big="small")
    row = await bench.one("big")
    same("a big value overwritten by a small one", row and row.value, "small")


async def takes_big_batches(bench: Bench) -> None:
    names = [f"{n:05d}" for n in range(2_500)]
    number = await bench.store.commit(
        Batch(expect={bench.key(n): 0 for n in names}, put={bench.key(n): n for n in names})
    )
    found = await bench.store.get([bench.key(n) for n in names[:1_300]])
    same("rows got at once", len(found), 1_300)
    same("a row among many", found[bench.key("01299")], Row(bench.key("01299"), "01299", number))
    rows = await bench.store.scan(bench.prefix, bench.end)
    same("rows of a scan that names no limit", len(rows), SCAN_LIMIT_DEFAULT)
    paged, start = [], bench.prefix
    while rows := await bench.store.scan(start, bench.end, limit=700):
        paged += [row.key.removeprefix(bench.prefix) for row in rows]
        start = keys.after(rows[-1].key)
    same("keys read page by page", paged, names)
    expect = {bench.key(n): number for n in names}
    expect[bench.key("02499")] = number + 1
    conflict = await conflict_of(bench.store, Batch(expect=expect, put={bench.key(n): "x" for n in names}))
    same("the one wrong precondition of many", conflict.key, bench.key("02499"))
    await bench.store.commit(Batch(delete_range=[(bench.prefix, bench.key("02499"))]))
    same("rows left by a big range delete", await bench.all(), [("02499", "02499")])


async def orders_hostile_keys(bench: Bench) -> None:
    made = {bench.prefix + keys.quote(c) for c in HOSTILE_COMPONENTS}
    made |= {
        bench.prefix + keys.quote(c) + "/" + keys.quote(d) for c in HOSTILE_COMPONENTS[:20] for d in ("", "a", "/")
    }
    made |= {bench.prefix + chr(code) for code in range(ord("!"), ord("~") + 1)}
    made |= {bench.prefix + "k" * (KEY_LENGTH_MAX - len(bench.prefix))}
    assert all(key.isascii() and key.isprintable() and " " not in key for key in made), "keys.quote made a bad key"
    shuffled = sorted(made)
    random.Random(bench.seed).shuffle(shuffled)
    await bench.store.commit(Batch(put={key: f"of {key}" for key in shuffled}))
    rows = await bench.store.scan(bench.prefix, bench.end, limit=100_000)
    wanted = sorted(made, key=lambda key: key.encode("ascii"))
    same("order of keys", [row.key for row in rows], wanted)
    assert all(row.value == f"of {row.key}" for row in rows), "a hostile key got another key's value"
    rows = await bench.store.scan(bench.prefix, bench.end, limit=100_000, reverse=True)
    same("reversed order of keys", [row.key for row in rows], wanted[::-1])
    same("hostile keys got one by one", len(await bench.store.get(shuffled)), len(made))
    await bench.store.commit(Batch(delete=set(shuffled)))
    same("rows after deleting hostile keys", await bench.all(), [])


async def scans_within_bounds(bench: Bench) -> None:
    names = ["b", "d", "d/1", "d0", "f"]
    await bench.store.commit(Batch(put={bench.key(name): name for name in names}))

    async def scan(start: str, end: str, limit: int = 100, reverse: bool = False) -> str:
        rows = await bench.store.scan(bench.key(start), bench.key(end), limit=limit, reverse=reverse)
        return " ".join(row.key.removeprefix(bench.prefix) for row in rows)

    for start, end, wanted in (
        ("", "~", "b d d/1 d0 f"),
        ("b", "f", "b d d/1 d0"),
        ("b ", "f ", "d d/1 d0 f"),
        ("a", "e", "b d d/1 d0"),
        ("d", "d0", "d d/1"),
        ("d/", "d0", "d/1"),
        ("c", "d", ""),
        ("d", "d", ""),
        ("f", "b", ""),
        ("g", "z", ""),
    ):
        same(f"scan from {start!r} to {end!r}", await scan(start, end), wanted)
        backwards = " ".join(wanted.split()[::-1])
        same(f"scan backwards from {end!r} to {start!r}", await scan(start, end, reverse=True), backwards)
    for limit, forwards, backwards in (
        (0, "", ""),
        (1, "b", "f"),
        (2, "b d", "f d0"),
        (5, "b d d/1 d0 f", "f d0 d/1 d b"),
        (6, "b d d/1 d0 f", "f d0 d/1 d b"),
    ):
        same(f"scan with limit {limit}", await scan("", "~", limit), forwards)
        same(f"scan backwards with limit {limit}", await scan("", "~", limit, True), backwards)
