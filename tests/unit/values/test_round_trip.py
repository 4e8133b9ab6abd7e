"""Every type of the list goes through text and comes back exactly, on its own and inside others."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import pathlib
import random
import re
import uuid
import zoneinfo
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.values import support
from tests.unit.values.support import (
    Attrs,
    Colour,
    FrozenAttrs,
    FrozenStruct,
    Level,
    Model,
    Order,
    Outer,
    Pair,
    Plain,
    Point,
    Private,
    Right,
    Slotted,
    Struct,
    Typed,
    codec,
)
from weft_core.errors import CheckpointError
from weft_core.resume.values.encode import LEAVES

CODEC = codec()


def again(value: Any) -> Any:
    return CODEC.decode(CODEC.encode(value))


EXACT: list[Any] = [
    None,
    True,
    0,
    -1,
    2**53 + 1,
    10**4000,
    -(10**5000),
    1.5,
    float("inf"),
    float("-inf"),
    1e-320,
    "",
    "text",
    "ünï😀",
    "\x00\u2028",
    "\ud800",
    "\ud83d\ude00",
    "$ref",
    b"",
    b"\x00\xff",
    bytearray(b"abc"),
    [],
    [1, [2, [3]]],
    (),
    (1,),
    ((1, 2), [3]),
    {},
    {"a": 1},
    {"$ref": 0},
    {"$tuple": [1], "b": 2},
    {1: "a", (2, 3): "b", None: 1, True: 2},
    {"\ud83d\ude00": 1},
    {1.5: {2: {3: 4}}},
    set(),
    {1, 2},
    {"a", 1, None},
    frozenset({1}),
    frozenset({(1, 2)}),
    1 + 2j,
    complex(-0.0, float("inf")),
    range(10),
    range(5, 0, -2),
    slice(None),
    slice(1, "x", [2]),
    ...,
    NotImplemented,
    dt.date(2024, 2, 29),
    dt.datetime(1, 1, 1),
    dt.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC),
    dt.datetime(2024, 10, 27, 2, 30, fold=1),
    dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2, seconds=1, microseconds=5))),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2), "EET")),
    dt.time(1, 2, 3, 4),
    dt.time(1, fold=1, tzinfo=dt.UTC),
    dt.timedelta(days=-1, microseconds=1),
    dt.timedelta.max,
    dt.UTC,
    dt.timezone(-dt.timedelta(hours=3), "BRT"),
    zoneinfo.ZoneInfo("Asia/Tokyo"),
    decimal.Decimal("1.10"),
    decimal.Decimal("-0E+3"),
    decimal.Decimal("Infinity"),
    fractions.Fraction(-3, 7),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("/a/b"),
    pathlib.PureWindowsPath("C:\\a"),
    pathlib.Path("x") / "y",
    re.compile("a(b)", re.I | re.X),
    re.compile(b"x"),
    re.I | re.M,
    collections.deque([1, 2], maxlen=5),
    collections.deque(),
    collections.Counter("aab"),
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.defaultdict(list, {"a": [1]}),
    collections.defaultdict(None),
    Colour.RED,
    Level.LOW,
    Right.READ | Right.WRITE,
    Right(0),
    Order(1, [2, 3], {"name": "x"}),
    Point(1, Point(2)),
    Slotted(1, [2]),
    Pair(1, [2]),
    Typed("a", ["b"]),
    Attrs(1, [2]),
    Model(name="x", sizes=[1]),
    Struct(1, [2]),
    FrozenStruct(4),
    Plain(3),
    len,
    str.upper,
    int,
    Order,
    support.helper,
    support.double,
    Order.tax,
    dt.datetime,
]


@pytest.mark.parametrize("value", EXACT, ids=lambda v: f"{type(v).__name__}"[:30])
def test_a_value_comes_back_exactly(value: Any) -> None:
    found = again(value)
    assert type(found) is type(value)
    assert found == value
    nested = again({"in": [(value,)]})["in"][0][0]
    assert type(nested) is type(value)
    assert nested == value


def test_what_equality_does_not_show() -> None:
    assert math.isnan(again(float("nan")))
    assert math.copysign(1, again(-0.0)) == -1
    assert again([-0.0, float("nan")])[0] == 0
    assert str(again(decimal.Decimal("1.10"))) == "1.10"
    assert again(decimal.Decimal("sNaN123")).compare_total(decimal.Decimal("sNaN123")) == 0
    assert again(dt.UTC) is dt.UTC
    assert again(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).tzinfo is dt.UTC
    assert again(dt.datetime(2024, 10, 27, 2, fold=1)).fold == 1
    assert again(dt.timezone(dt.timedelta(hours=1), "X")).tzname(None) == "X"
    assert list(again(collections.OrderedDict(b=1, a=2))) == ["b", "a"]
    assert list(again({"b": 1, "a": 2})) == ["b", "a"]
    assert again(collections.deque(maxlen=3)).maxlen == 3
    assert again(collections.defaultdict(list))["new"] == []
    assert again(Colour.RED) is Colour.RED
    assert again(Private()).both() == (1, 2)
    assert again(Outer.Inner()).x == 1
    assert again(support.Box[int](3)).inside == 3
    assert again(1).__class__ is int
    assert again(True) is True


def test_a_model_keeps_what_was_set_and_what_is_private() -> None:
    model = Model(name="x")
    model._secret = 9
    found = again(model)
    assert found == model
    assert found.model_fields_set == {"name"}
    assert found._secret == 9


def test_a_cached_hash_is_not_carried_to_another_process() -> None:
    value = FrozenAttrs(1)
    hash(value)
    assert "hash" in CODEC.encode(value)
    assert hash(again(value)) == hash(value)
    assert again({value: 1}) == {value: 1}


class Hidden:
    __slots__ = ("x",)


class Hiding(Hidden):
    __slots__ = ("y",)

    def __init__(self) -> None:
        Hidden.x.__set__(self, 1)  # type: ignore[attr-defined]

    @property
    def x(self) -> int:  # type: ignore[override]
        return -Hidden.x.__get__(self)  # type: ignore[attr-defined,no-any-return]

    def __getattr__(self, name: str) -> str:
        return f"computed {name}"


def test_a_slot_is_what_is_in_it_whatever_its_class_says() -> None:
    found = again(Hiding())
    assert found.x == -1
    with pytest.raises(AttributeError):
        Hiding.y.__get__(found)  # type: ignore[attr-defined]


class OwnPath(pathlib.PurePosixPath):
    pass


def test_what_would_come_back_as_something_else_is_refused() -> None:
    odd = Plain(1)
    vars(odd)[5] = "x"  # type: ignore[index]
    for value, reason in ((odd, "attribute 5"), (OwnPath("a/b"), "subclass of PurePath")):
        with pytest.raises(CheckpointError, match=reason):
            CODEC.encode(value)


class Labelled(enum.Enum):
    ONE = 1

    @property
    def name(self) -> str:  # type: ignore[override]
        return "the first"


def test_members_of_an_enum_that_says_its_own_name() -> None:
    assert again([Labelled.ONE])[0] is Labelled.ONE


def test_two_keys_that_are_no_numbers_stay_two() -> None:
    keys = [float("nan"), float("nan")]
    assert len(again(dict.fromkeys(keys, 1))) == len(again(set(keys))) == 2


def test_a_decimal_nan_that_is_the_first_decimal_a_process_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    CODEC.encode(decimal.Decimal(1))
    monkeypatch.delitem(LEAVES, decimal.Decimal)
    assert CODEC.encode(decimal.Decimal("nan")) == '{"$decimal":"NaN"}'


@pytest.mark.parametrize("nan", [math.nan, decimal.Decimal("nan"), decimal.Decimal("sNaN"), complex(0, math.nan)])
def test_what_equals_nothing_is_still_itself(nan: Any) -> None:
    found = again({"one": nan, "list": [nan], "other": type(nan)("nan")})
    assert found["list"][0] is found["one"] is not found["other"]
    if not (isinstance(nan, decimal.Decimal) and nan.is_snan()):  # those cannot be hashed
        one, table = again([nan, {nan: 1}])
        assert table[one] == 1


def test_counters_with_attributes_are_refused() -> None:
    for made in (collections.Counter("a"), collections.OrderedDict(a=1)):
        made.label = "x"  # type: ignore[attr-defined]
        with pytest.raises(CheckpointError, match="attributes beside its items .'label'.*dataclass"):
            CODEC.encode(made)


def test_numbers_in_a_set_keep_their_order() -> None:
    for numbers in ([16, 8, 0], [0, 8, 16], [-1, -2, 5], [1.5, 0.5, 33.0], [7, 15], [15, 7]):
        worklist = set(numbers)
        assert list(again(worklist)) == list(worklist)


def test_ranges_of_any_length() -> None:
    for value in (range(10**5_000), range(-(10**5_000), 7, 3)):
        assert again(value) == value
    walking = iter(range(10**5_000, 10**5_001))
    next(walking)
    assert next(again(walking)) == 10**5_000 + 1


def test_offsets_with_parts_of_a_second() -> None:
    zone = dt.timezone(-dt.timedelta(seconds=1, microseconds=-3))
    for value in (dt.datetime(2026, 1, 2, 3, tzinfo=zone), dt.time(3, tzinfo=zone)):
        assert again(value).utcoffset() == value.utcoffset()


def test_classes_of_the_library_by_the_name_people_use() -> None:
    for value in (pathlib.Path, pathlib.PurePosixPath):
        assert again(value) is value
    assert CODEC.encode(pathlib.Path) == '{"$global":"pathlib:Path"}'


def test_random_goes_on_where_it_was() -> None:
    source = random.Random(7)
    source.gauss(0, 1)
    found = again(source)
    assert [found.random() for _ in range(5)] == [source.random() for _ in range(5)]
    source = random.Random(7)
    source.gauss(0, 1)
    assert again(source).gauss(0, 1) == source.gauss(0, 1)


def test_plain_data_is_plain_json() -> None:
    value = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
    assert CODEC.encode(value) == json.dumps(value, separators=(",", ":"))
    assert CODEC.encode({"price": "$5"}) == '{"price":"$5"}'
    assert CODEC.decode(' {"a": 1} ') == {"a": 1}


def test_text_is_ascii() -> None:
    assert CODEC.encode({"ü": "😀"}).isascii()


def test_hooks_of_a_registered_class() -> None:
    class Temperature:
        def __init__(self, kelvin: float) -> None:
            self.kelvin = kelvin

    made = codec()
    made.registry.register(Temperature, name="temp", encode=lambda t: [t.kelvin], decode=lambda p: Temperature(p[0]))
    text = made.encode({"t": Temperature(3.5)})
    assert text == '{"t":{"$class":["temp",[3.5]]}}'
    assert made.decode(text)["t"].kelvin == 3.5


def test_a_class_registered_by_name_from_elsewhere() -> None:
    made = codec()
    made.registry.register(collections.UserList, name="ul")
    assert made.decode(made.encode(collections.UserList([1]))) == collections.UserList([1])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.dates() | st.fractions() | st.uuids(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3) | st.builds(Point, st.integers(), inner),
    max_leaves=6,
)
anything = st.recursive(
    hashable
    | st.floats(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.timedeltas()
    | st.times()
    | st.decimals(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from(list(Colour))
    | st.characters(categories=["Cs"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.sets(hashable, max_size=4)
        | st.tuples(inner, inner)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.builds(Order, st.integers(), st.lists(inner, max_size=3), inner)
        | st.builds(Slotted, inner, inner)
        | st.builds(Pair, inner, inner)
        | st.builds(Attrs, st.integers(), inner)
        | st.builds(Struct, st.integers(), inner)
    ),
    max_leaves=25,
)


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same types all the way down (1, 1.0 and True are not the same)."""
    return type(one) is type(two) and one == two and repr_sorted(one) == repr_sorted(two)


def repr_sorted(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        return str(sorted(map(repr_sorted, value)))
    if isinstance(value, dict):
        return str([(repr_sorted(k), repr_sorted(v)) for k, v in value.items()])
    if isinstance(value, (list, tuple, collections.deque)):
        return type(value).__name__ + str([repr_sorted(v) for v in value])
    if isinstance(value, (Order, Slotted, Attrs, Struct, Point)):
        names = getattr(type(value), "__struct_fields__", None) or type(value).__annotations__
        return type(value).__name__ + str([repr_sorted(getattr(value, name)) for name in names])
    return repr(value)


@given(plain)
@settings(max_examples=300, deadline=None)
def test_any_plain_value(value: Any) -> None:
    assert same(again(value), value)


@example(
    Order(
        0,
        [{uuid.UUID(int=1): [], Point(0, Point(0, frozenset([fractions.Fraction(1, 2)]))): []}, Colour.RED],
        Colour.RED,
    )
)
@given(anything)
@settings(max_examples=500, deadline=None)
def test_any_value(value: Any) -> None:
    text = CODEC.encode(value)
    found = CODEC.decode(text)
    assert same(found, value)
    assert same(again(found), value)
    if "set" not in text:
        assert CODEC.encode(found) == text
