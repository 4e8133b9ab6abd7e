"""The history of a run keeps the latest entries, whoever carries them and however many come together."""

from __future__ import annotations

import json
import random

from weft_core.kernel.fibers import Fiber
from weft_core.kernel.history import History, read_history
from weft_core.kernel.records import HISTORY_MAX, HISTORY_ROWS_MAX


def shown(history: History, fibers: list[Fiber]) -> list[int]:
    for fiber in fibers:
        fiber.outcome = '{"ok":null}'
    rows = [fiber.to_json('"h":0,"c":0') for fiber in fibers]
    return [int(entry["n"]) for entry in read_history(rows, list(history.rows.values()))]


def test_one_strand_keeps_exactly_the_latest() -> None:
    history, fiber = History(0), Fiber("0")
    for n in range(1_000):
        history.note(n, "slept", {})
        history.ride(fiber)
        assert shown(history, [fiber]) == list(range(max(0, n + 1 - HISTORY_MAX), n + 1))
    assert len(history.rows) == HISTORY_ROWS_MAX


def test_completed_activities_are_told_in_full() -> None:
    history, fiber = History(0), Fiber("0.1")
    history.note(5, "started", {"name": "order"})
    history.note_completed(6, 'a "quoted", name', "0.1", 1)
    history.note_completed(7, "charge", "0.1", 3)
    history.ride(fiber)
    fiber.outcome = '{"ok":null}'
    expected = [
        {"n": 0, "at": 5, "kind": "started", "name": "order"},
        {"n": 1, "at": 6, "kind": "activity_completed", "name": 'a "quoted", name', "fiber": "0.1", "attempt": 1},
        {"n": 2, "at": 7, "kind": "activity_completed", "name": "charge", "fiber": "0.1", "attempt": 3},
    ]
    row = fiber.to_json('"h":3,"c":0')
    assert read_history([row], []) == expected
    again = History(0)
    assert read_history([Fiber.from_json("0.1", row, again).to_json('"h":3,"c":0')], []) == expected
    assert again.count == 3
    history.write([fiber])
    assert read_history([], list(history.rows.values())) == expected


def test_both_kinds_of_entries_keep_their_order() -> None:
    seed = 11
    print(f"seed {seed}")
    dice = random.Random(seed)
    history, fibers = History(0), [Fiber("0"), Fiber("0.1"), Fiber("0.2")]
    for n in range(500):
        fiber = dice.choice(fibers)
        if dice.random() < 0.7:
            history.note_completed(n, "step", fiber.id, dice.choice([1, 1, 2]))
        else:
            history.note(n, "slept", {})
        history.ride(fiber)
        found = shown(history, fibers)
        assert found == list(range(found[0], n + 1)) and found[-1] == n


def test_the_latest_stay_when_many_branches_end_together() -> None:
    seed = 7
    print(f"seed {seed}")
    dice = random.Random(seed)
    history, root = History(0), Fiber("0")
    branches = [Fiber(f"0.{n}") for n in range(2_000)]
    for n in range(5_000):
        history.note(n, "slept", {})
        history.ride(dice.choice(branches))
    dice.shuffle(branches)
    for branch in branches:  # as `Machine.release` does
        history.take_back(branch)
    history.note(5_000, "slept", {})
    history.ride(root)
    found = shown(history, [root])
    assert found == list(range(5_001 - HISTORY_MAX, 5_001))
    closing = History(0)
    for n, branch in enumerate(branches):
        closing.note(n, "slept", {})
        closing.ride(branch)
    closing.write(branches)
    assert shown(closing, branches) == list(range(len(branches) - HISTORY_MAX, len(branches)))
    assert all(json.loads(row) for row in closing.rows.values())
