"""The engine does: it picks runs that can move, lets the kernel decide, commits, and only then acts.

`engine.py` is what users open; `pump.py` the loop of rounds; `loader.py` and `rows.py` go between rows and the kernel;
`activities.py` runs attempts; `host.py` is the door to time, threads and the event loop.
"""
