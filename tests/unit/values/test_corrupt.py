"""Whatever is in the store, decoding ends in a value or a `DecodeError`, soon, and runs nothing of its choosing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.values import support, test_round_trip
from tests.unit.values.support import Fiber, codec
from tests.unit.values.test_errors import raised
from tests.unit.values.test_iterators import MAKERS
from weft_core.errors import DecodeError, LimitExceeded
from weft_core.resume.values import FiberEncoder, ValueCodec

CODEC = codec()


def seeds() -> list[str]:
    found = []
    for value in test_round_trip.EXACT:
        text = CODEC.encode(value)
        if len(text) < 3_000:
            found.append(text)
    found += [CODEC.encode(make()) for make in MAKERS.values()]
    items: list[Any] = [1]
    items.append((items, {"again": items}, deque([items])))
    found.append(CODEC.encode(items))
    return found


SEEDS = seeds()
TAGS = sorted({tag for text in SEEDS for tag in ["$" + part.split('"')[0] for part in text.split('"$')[1:]]})
PIECES = [
    "null", "true", "-1", "1e999", "0", "[]", "{}", '""', '"x"', "[[]]", '{"$ref":0}', '{"$ref":[0,0]}', '{"$ref":-1}',
    '{"$large":"x"}', '{"$live":"ctx"}', '{"$global":"os:system"}', '{"$global":"builtins:int"}', "99999999999999999999",
    '{"$import":["os"]}', '{"$import":["json","dumps"]}', '{"$method":[[],"append"]}', '{"$float":"nan"}', '{"$cell":[]}',
]  # fmt: skip


def mutate(text: str, chance: random.Random) -> str:
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(6):
            case 0:
                text = text[:at] + text[at + chance.randrange(4) :]
            case 1:
                text = text[:at] + chance.choice('[]{}",:0123456789abc\\$-.e \x00') + text[at:]
            case 2:
                other = chance.choice(SEEDS)
                cut = chance.randrange(len(other) + 1)
                text = text[:at] + other[cut : cut + chance.randrange(30)] + text[at:]
            case 3:
                text = text.replace(chance.choice(TAGS), chance.choice(TAGS), 1)
            case _:
                text = graft(text, chance)
    return text


def graft(text: str, chance: random.Random) -> str:
    """Put a piece in the place of some value: still JSON, wrong inside."""
    try:
        tree = json.loads(text)
    except ValueError:
        return text
    places: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            places.append((node, key))
            stack.append(child)
    if not places:
        return text
    node, key = chance.choice(places)
    node[key] = json.loads(chance.choice([*PIECES, *SEEDS]))
    return json.dumps(tree)


def ends_well(decode: Any, text: str) -> bool:
    try:
        decode(text)
    except DecodeError:
        return False
    return True


@given(st.integers(0, 2**40))
@settings(max_examples=800, deadline=2_000)
def test_mutated_values(seed: int) -> None:
    chance = random.Random(seed)
    text = mutate(chance.choice(SEEDS), chance)
    ends_well(CODEC.decode, text)


@given(st.integers(0, 2**40))
@settings(max_examples=400, deadline=2_000)
def test_mutated_errors(seed: int) -> None:
    chance = random.Random(seed)
    group = ExceptionGroup("g", [raised(), ValueError(2)])
    ends_well(CODEC.decode_error, mutate(CODEC.encode_error(chance.choice([raised(), group, OSError(2, "x")])), chance))


@given(st.integers(0, 2**40))
@settings(max_examples=60, deadline=2_000)
def test_mutated_frames(seed: int) -> None:
    chance = random.Random(seed)
    context = object()
    fiber = Fiber({"ctx": context})
    rows = [{"i": i, "pad": "x" * 50} for i in range(300)]
    variables = {"ctx": context, "rows": rows, "row": rows[1], "it": iter(rows), "s": {1, 2}, "o": support.Order(1)}
    encoded = fiber.keep(fiber.frame(variables, point=chance.randrange(3)))
    decoder = FiberEncoder(fiber.codec, fiber.externals)
    ends_well(lambda text: decoder.decode(text, fiber.stored.__getitem__), mutate(encoded.text, chance))


@given(st.text(max_size=60))
@settings(max_examples=500, deadline=2_000)
def test_any_text(text: str) -> None:
    ends_well(CODEC.decode, text)
    ends_well(CODEC.decode_error, text)
    ends_well(CODEC.decode, '{"$' + text + '":[]}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[1,]",
        '{"$tuple":[1],"x":2}',
        '{"$ref":0}',
        '[{"$ref":1}]',
        '{"$tuple":[{"$ref":0}]}',
        '{"$frozenset":[{"$tuple":[{"$ref":0}]}]}',
        '{"$unknown":1}',
        '{"$set":[[1]]}',
        '{"$dict":[[[],1]]}',
        '{"$int":"' + "zz" + '"}',
        '{"$range":[0,1,0]}',
        '{"$range":[0,1.5,1]}',
        '{"$date":"2024-13-01"}',
        '{"$timedelta":[9999999999,0,0]}',
        '{"$fraction":["0x1","0x0"]}',
        '{"$zone":"../../etc/passwd"}',
        '{"$re":["(",0]}',
        '{"$bytes":"***"}',
        '{"$random":[3,"AAAA",null]}',
        '{"$iter":["list",[1],"x"]}',
        '{"$iter":["list","notalist",0]}',
        '{"$iter":["repeat"]}',
        '{"$path":["os",""]}',
        '{"$large":"x"}',
        '{"$str":[1114112]}',
        '{"$object":["tests.unit.values.support:Slotted",{"__class__":1}]}',
        '{"$namedtuple":["tests.unit.values.support:Pair",[1]]}',
        '{"$enum":["tests.unit.values.support:Colour","GREEN"]}',
        '{"$error":{"type":"ExceptionGroup","args":["x",[]]}}',
        '{"$outer":["a","b","c"]}',
        '{"$call":{"unit":"a","digest":"b","locals":{},"cells":{}}}',
    ],
)
def test_damaged_texts_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode(text)


def test_limits_are_named() -> None:
    with pytest.raises(LimitExceeded) as caught:
        CODEC.decode('{"$tuple":[' * 300 + "]}" * 300)
    assert caught.value.limit == "DEPTH_MAX"
    with pytest.raises(LimitExceeded):
        CODEC.decode("[" * 200_000)
    with pytest.raises(DecodeError):
        CODEC.decode('[{"$tuple":[' * 50_000 + "]}]" * 50_000)


FORBIDDEN = [
    "os:system",
    "posix:system",
    "subprocess:Popen",
    "builtins:eval",
    "builtins:exec",
    "builtins:__import__",
    "builtins:open",
    "builtins:getattr",
    "builtins:print.__self__",
    "builtins:object.__subclasses__",
    "builtins:type.__call__",
    "tests.unit.values.support:__builtins__",
    "tests.unit.values.support:__builtins__.eval",
    "tests.unit.values.support:__loader__",
    "tests.unit.values.support:helper.__globals__",
    "tests.unit.values.support:Order.__init__",
    "tests.unit.values.support:Order.__init__.__globals__",
    "tests.unit.values.support:attrs",
    "tests.unit.values.support:pydantic.BaseModel",
    "tests.unit.values.support:enum.sys.modules",
    "weft_core.errors:WeftError",
    "pickle:loads",
    "tests.unit.values.support",
    ":",
    "",
    "x" * 10_000 + ":y",
]


@pytest.mark.parametrize("name", FORBIDDEN, ids=lambda n: n[:40] or "empty")
def test_names_that_are_not_the_apps_are_refused(name: str) -> None:
    for text in (
        json.dumps({"$global": name}),
        json.dumps({"$object": [name, {}]}),
        json.dumps({"$namedtuple": [name, []]}),
        json.dumps({"$enum": [name, "x"]}),
        json.dumps({"$class": [name, 1]}),
        json.dumps({"$partial": [{"$global": name}, ["echo x"], {}]}),
        json.dumps({"$iter": ["map", {"$global": name}, {"$iter": ["list", ["x"], 0]}]}),
        json.dumps({"$method": [{"$global": name}, "x"]}),
    ):
        with pytest.raises(DecodeError):
            CODEC.decode(text)


@pytest.mark.parametrize(
    "name", ["__class__", "__reduce__", "__init__", "__getattribute__", "__subclasses__", "mro", ""]
)
def test_methods_that_lead_further_are_refused(name: str) -> None:
    for owner in ([], "x", {"$global": "builtins:int"}, {"$object": ["tests.unit.values.support:Order", {}]}):
        with pytest.raises(DecodeError):
            CODEC.decode(json.dumps({"$method": [owner, name]}))


def test_the_class_of_an_instance_cannot_be_changed() -> None:
    text = json.dumps({"$object": ["tests.unit.values.support:Plain", {"__class__": {"$global": "builtins:int"}}]})
    assert type(CODEC.decode(text)) is support.Plain


def test_no_module_is_imported_for_stored_data() -> None:
    code = (
        "import sys\n"
        "from weft_core.resume.values import Registry, ValueCodec\n"
        "r = Registry(); r.add_module('antigravity.x'); r.add_module('tests.unit.values.support')\n"
        "before = set(sys.modules)\n"
        'for text in [\'{"$global":"antigravity:x"}\', \'{"$object":["this:X",{}]}\',\n'
        '             \'{"$object":["tests.unit.values.support:Order",{}]}\']:\n'
        "    try: ValueCodec(r).decode(text)\n"
        "    except Exception as e: assert type(e).__name__ == 'DecodeError', e\n"
        "    else: raise SystemExit('decoded')\n"
        "after = {m for m in set(sys.modules) - before if m.split('.')[0] in ('antigravity', 'this', 'tests')}\n"
        "raise SystemExit(repr(after) if after else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_gone_says_so() -> None:
    with pytest.raises(DecodeError, match="register it under its old name"):
        CODEC.decode('{"$object":["tests.unit.values.support:Gone",{}]}')


def test_no_code_of_the_app_runs_while_reading() -> None:
    made = ValueCodec(support.registry())
    text = '{"$object":["tests.unit.values.support:Plain",{"must":1}]}'
    assert made.decode(text).must == 1
