"""The kernel decides. One run's state machine: facts in, changes out; no input or output, no clock, no event loop.

`machine.py` holds the run, `fibers.py` one strand of it, `waits.py` what a fiber can wait for, `operations.py` what a
workflow can await, `context.py` the `ctx` it sees, `changes.py` what a turn wants written and done, `records.py` the
documents that stand in the store.
"""
