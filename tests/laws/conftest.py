"""What plain Python's garbage collector says of plain programs is no part of the laws.

A plain program that was stopped in the middle may leave a coroutine that waits again when it is closed. When it is
collected, with its module's names gone, its handlers fail, and nobody can be told. Compiled programs run nothing then, and
the laws look at that themselves (`STATE.frozen`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True)
def _collected_here() -> Iterator[None]:
    yield
    gc.collect()  # and not in some later test, which would be blamed for it
