"""The `weft` command: run, resume, list, inspect and signal runs, and check a store, from a shell.

A thin skin over `Engine` and `Client`; nothing here decides anything about runs. Results go to standard output, all
else to standard error, so that a pipe gets results only. `weft_core.cli.exits` lists the exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

IDLE_THREAD_S = 0.1
"""How long a thread that does nothing may take to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code (see `weft_core.cli.exits`)."""
    from weft_core.cli.exits import Exit, explain
    from weft_core.cli.output import Output
    from weft_core.cli.parser import make_parser

    words = sys.argv[1:] if arguments is None else list(arguments)
    output = Output(json="--json" in words, quiet="--quiet" in words)
    try:
        options = make_parser().parse_args(words)
        code: int = options.command(options, output)
    except KeyboardInterrupt as interrupt:
        output.end_progress()
        if output.json:
            output.error(explain(interrupt))
        else:
            output.say("interrupted")
        _leave_threads(Exit.INTERRUPTED)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left; there is nobody to tell
        return Exit.INTERRUPTED
    except Exception as error:
        output.end_progress()
        if "--traceback" in words:
            import traceback

            traceback.print_exc()
        explained = explain(error)
        output.error(explained)
        return explained.exit
    return code


def _leave_threads(code: int) -> None:
    """End the process when activities are at work in threads: Python would wait for them, and nobody hears of them any more.

    The store is free by now; whoever goes on with their runs makes the same attempts.
    """
    import os
    import threading

    from weft_core.engine.host import THREAD_NAMES

    threads = [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAMES)]
    for thread in threads:
        thread.join(IDLE_THREAD_S)
    if any(thread.is_alive() for thread in threads):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
