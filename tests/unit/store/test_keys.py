"""Keys: what goes in comes out, order is that of bytes, and no id reaches into another's rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft_core.errors import DeclarationError, LimitExceeded
from weft_core.store import keys
from weft_core.store.port import KEY_LENGTH_MAX

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@given(ANY_TEXT)
def test_a_component_comes_back(text: str) -> None:
    component = keys.quote(text)
    assert keys.unquote(component) == text
    assert component
    assert all("!" <= char <= "~" and char != "/" for char in component)


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_components(one: str, two: str) -> None:
    assert (keys.quote(one) == keys.quote(two)) == (one == two)


@given(ANY_TEXT, ANY_TEXT)
def test_a_run_s_range_holds_its_rows_and_no_other_s(one: str, two: str) -> None:
    prefix = keys.inboxes(one)
    inside = prefix <= keys.inbox(two, 7) < keys.prefix_end(prefix)
    assert inside == (one == two)


def test_the_empty_component_is_not_a_tilde() -> None:
    assert keys.quote("") == "~"
    assert keys.quote("~") == "%7E"


def test_numbers_sort_as_numbers() -> None:
    numbers = [0, 1, 9, 10, 99, 100, 10**11]
    assert sorted(keys.inbox("r", n) for n in numbers) == [keys.inbox("r", n) for n in numbers]
    assert sorted(keys.timer(n, "r", "0") for n in numbers) == [keys.timer(n, "r", "0") for n in numbers]


@given(st.integers(0, 10**14), st.integers(0, 10**14), ANY_TEXT, ANY_TEXT)
def test_the_due_scan_takes_exactly_what_is_due(due: int, now: int, run: str, fiber: str) -> None:
    assert (keys.timer(due, run, fiber) < keys.timer_until(now)) == (due <= now)


@given(ANY_TEXT, ANY_TEXT)
def test_after_is_between_a_key_and_the_next(one: str, two: str) -> None:
    low, high = sorted({keys.run(one), keys.run(two), keys.run(one) + "/x"})[:2]
    assert low < keys.after(low) < high


@given(ANY_TEXT)
def test_the_quoted_length_is_that_of_the_component(text: str) -> None:
    assert keys.quoted_length(text) == len(keys.quote(text))


@pytest.mark.parametrize(
    ("run_id", "fits"),
    [
        ("", False),
        ("x", True),
        ("x" * keys.RUN_ID_LENGTH_MAX, True),
        ("x" * (keys.RUN_ID_LENGTH_MAX + 1), False),
        ("é" * keys.RUN_ID_LENGTH_MAX, True),  # 200 times six characters: 1,200
        ("名" * 133, True),
        ("名" * 134, False),
        ("🎈" * 100, True),
        ("🎈" * 101, False),
        (7, False),
    ],
)
def test_a_run_id_fits_into_a_key_or_is_refused_with_the_reason(run_id: Any, fits: bool) -> None:
    if fits:
        assert len(keys.seen(keys.check_run_id(run_id), "x" * keys.COMPONENT_LENGTH_MAX)) <= KEY_LENGTH_MAX
        return
    with pytest.raises(DeclarationError, match=r"run id (must be a text of 1 to 200 characters|is too long for a key)"):
        keys.check_run_id(run_id)


def test_a_long_id_is_refused_by_name() -> None:
    assert len(keys.quote("x" * keys.COMPONENT_LENGTH_MAX)) == keys.COMPONENT_LENGTH_MAX
    with pytest.raises(LimitExceeded) as caught:
        keys.quote("x" * (keys.COMPONENT_LENGTH_MAX + 1))
    assert caught.value.limit == "COMPONENT_LENGTH_MAX"
    with pytest.raises(LimitExceeded):
        keys.quote("é" * (keys.COMPONENT_LENGTH_MAX // 6 + 1))
