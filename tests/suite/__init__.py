"""The behaviour suite: what the engine promises, unchanged on every store, runtime and restart mode.

Each test is `async def test_…(make)`; `make` is a `Harness`. Under CPython `conftest.py` provides it on memory and
SQLite, in each restart mode; in the browser the runner provides it on IndexedDB.
"""
