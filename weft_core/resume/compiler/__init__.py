"""From the AST of an `async def` to the code of an equivalent one that can be entered in the middle.

    source -> names -> normalise -> points -> liveness -> lower -> assemble

Nothing here looks at bytecode to decide what to do, so every decision is the same on every Python version.
"""
