"""Tests that only make sense inside Pyodide; `run_suite` runs them. Their modules are not called `test_` for pytest's sake."""
