"""The resumable compiler: source to source.

    source.py      finding a function's source, its class's private names, its closure
    scopes.py      which names are local, which are captured by nested functions; what is refused
    normalise.py   every `await` becomes a statement of its own; `with`, `async for`, `match`, comprehensions are expanded
    liveness.py    which locals may still be read after each `await`
    lower.py       guards, so that a frame can be entered in the middle
"""
