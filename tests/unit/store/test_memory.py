"""The ordered key set of the memory store, against a plain sorted list."""

from __future__ import annotations

import random

import pytest

from weft_core.store.memory import SortedKeys


@pytest.mark.parametrize("seed", range(4))
def test_sorted_keys_agree_with_a_sorted_list(seed: int) -> None:
    chance = random.Random(seed)
    keys, model = SortedKeys(), set[str]()
    for _ in range(6_000):
        key = f"{chance.randrange(3_000):04d}"
        if key in model and chance.random() < 0.7:
            keys.remove(key)
            model.remove(key)
        elif key not in model:
            keys.add(key)
            model.add(key)
    copy = keys.copy()
    for key in sorted(model)[::2]:
        copy.remove(key)
    for _ in range(300):
        start, end = f"{chance.randrange(3_100):04d}", f"{chance.randrange(3_100):04d}"
        wanted = sorted(key for key in model if start <= key < end)
        assert list(keys.between(start, end)) == wanted, f"seed {seed}"
        assert list(keys.between_reversed(start, end)) == wanted[::-1], f"seed {seed}"
    assert list(copy.between("", "~")) == sorted(model)[1::2]
    for key in sorted(model):
        keys.remove(key)
    assert list(keys.between("", "~")) == []
