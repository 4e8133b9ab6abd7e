"""What the shell sees: results on standard output; progress, notes and errors on standard error. Colour on a tty."""

from __future__ import annotations

import json as json_module
import os
import shutil
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, TextIO

from weft_core.cli.exits import Explained

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}
STATUS_COLOURS = {
    "completed": "green",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
    "terminated": "yellow",
    "suspended": "yellow",
    "running": "cyan",
    "waiting": "blue",
}


def wants_colour(stream: TextIO | None) -> bool:
    """Whether a stream shows colours: a terminal, unless NO_COLOR is set or TERM says dumb. A closed one is None."""
    return stream is not None and stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, *, on: bool) -> str:
    """`text` in a colour of the table, when `on`."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if on and colour in _COLOURS else text


class Output:
    """One command's output. With `json`, standard output carries exactly one JSON document, also for an error."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.json = json
        self.quiet = quiet
        self.runs: list[str] = []  # that this command sees through: whatever stops it names them
        self.live = sys.stderr is not None and sys.stderr.isatty() and not json and not quiet
        self._colour_out = wants_colour(sys.stdout)
        self._colour_err = wants_colour(sys.stderr)
        self._line_shown = False
        encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("_", "-")
        self._ascii = encoding not in ("utf-8", "utf8")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a result that cannot be shown is no failure of its run

    # --- results ---

    def document(self, document: Any) -> None:
        """The command's one JSON document."""
        terminal = sys.stdout is not None and sys.stdout.isatty()
        print(json_module.dumps(document, indent=2 if terminal else None, ensure_ascii=self._ascii))

    def value(self, value: Any) -> None:
        """A result for people: text as it is, everything else as JSON."""
        print(value if isinstance(value, str) else json_module.dumps(value, indent=2, ensure_ascii=False))

    def text(self, text: str = "") -> None:
        """A line of a result."""
        print(text)

    def paint(self, text: str, colour: str) -> str:
        """`text` in a colour when standard output shows colours."""
        return paint(text, colour, on=self._colour_out)

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[str]], *, colours: dict[int, str]) -> None:
        """Columns wide enough for their content. `colours` maps a column to "status" or a colour."""
        widths = [max(len(row[i]) for row in (heading, *rows)) for i in range(len(heading))]
        print(self.paint("  ".join(h.ljust(w) for h, w in zip(heading, widths, strict=True)).rstrip(), "bold"))
        for row in rows:
            cells = []
            for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
                colour = colours.get(i, "")
                chosen = STATUS_COLOURS.get(cell, "") if colour == "status" else colour
                cells.append(self.paint(cell.ljust(width), chosen))
            print("  ".join(cells).rstrip())

    # --- notes ---

    def say(self, text: str) -> None:
        """A note for people."""
        if not self.quiet and not self.json:
            self.end_progress()
            print(text, file=sys.stderr, flush=True)

    def progress(self, text: str) -> None:
        """What is going on now: one line that replaces itself, on a terminal only."""
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{text[:width]}", end="", file=sys.stderr, flush=True)
            self._line_shown = True

    def end_progress(self) -> None:
        """Wipe the line of `progress`."""
        if self._line_shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._line_shown = False

    def error(self, explained: Explained) -> None:
        """An error: one line and its hint; a JSON document with `--json`."""
        if self.json:
            error = {"code": explained.code, "message": explained.message, "hint": explained.hint}
            self.document({"error": error, "exit": int(explained.exit)} | ({"runs": self.runs} if self.runs else {}))
            return
        hint = f" ({explained.hint})" if explained.hint else ""
        print(f"{paint('weft:', 'red', on=self._colour_err)} {explained.message}{hint}", file=sys.stderr, flush=True)
