"""Drawing for the terminal demo: colours when there is a terminal, plain text when there is none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH_MAX = 100
COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "dim": 2, "bold": 1}
SPARKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class Life:
    """One process of the import: seconds from the demo's start. `working_at` is when it first moved the run."""

    began: float
    working: float
    ended: float
    killed: bool


class Screen:
    """Standard output, with a progress line that redraws itself on a terminal and is left out elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        self.unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.width = min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns)
        self._drawn = False

    def paint(self, text: str, *colours: str) -> str:
        """`text` in colours, on a terminal."""
        if not self.colour:
            return text
        return "".join(f"\x1b[{COLOURS[c]}m" for c in colours) + text + "\x1b[0m"

    def line(self, text: str = "") -> None:
        """A line that stays."""
        self.wipe()
        print(self._encodable(text), flush=True)

    def title(self, text: str) -> None:
        """A heading."""
        self.line()
        self.line(self.paint(text, "bold"))

    def wipe(self) -> None:
        """Take the progress line away."""
        if self._drawn:
            print("\r\x1b[2K", end="", flush=True)
            self._drawn = False

    def progress(self, done: int, total: int, note: str) -> None:
        """The progress bar, on a terminal."""
        if not self.live:
            return
        room = 34
        filled = room * done / max(1, total)
        whole = int(filled)
        part = "" if whole >= room else " ▏▎▍▌▋▊▉"[int((filled - whole) * 8)]
        bar = ("█" * whole + part).ljust(room)
        share = f"{100 * done / max(1, total):3.0f}%"
        text = f"  {self.paint(bar, 'cyan')} {share} {note}"
        print(f"\r\x1b[2K{self._encodable(text)}", end="", flush=True)
        self._drawn = True

    def check(self, good: bool, text: str) -> bool:
        """A line that says whether something holds; gives it back."""
        mark = self.paint("✓", "green") if good else self.paint("✗", "red", "bold")
        self.line(f"  {mark} {text}")
        return good

    def timeline(self, lives: Sequence[Life], arrivals: Sequence[float], published: float, end: float) -> None:
        """One lane a process, from its start to its end, and one for the batches as they arrived."""
        room = self.width - 24
        cell = end / room

        def at(seconds: float) -> int:
            return min(room - 1, max(0, int(seconds / cell)))

        for number, life in enumerate(lives, 1):
            cells = [" "] * room
            for i in range(at(life.began), at(life.ended) + 1):
                cells[i] = "·" if i < at(life.working) else "█"
            if not life.killed:
                for i in range(at(max(arrivals, default=life.began)) + 1, at(published)):
                    cells[i] = "░"
            cells[at(life.ended)] = "✗" if life.killed else "✓"
            lane = "".join(cells)
            painted = (
                lane.replace("█", self.paint("█", "cyan"))
                .replace("✗", self.paint("✗", "red", "bold"))
                .replace("✓", self.paint("✓", "green", "bold"))
            )
            how = self.paint("SIGKILL", "red") if life.killed else self.paint("finished", "green")
            self.line(f"  process {number}   {painted} {how}")
        counts = [0] * room
        for arrival in arrivals:
            counts[at(arrival)] += 1
        most = max(1, *counts)
        sparks = "".join(SPARKS[-(-count * 8 // most)] for count in counts)
        self.line(f"  batches     {self.paint(sparks, 'yellow')} {len(arrivals)}")
        marks = [" "] * room
        scale = next(step for step in (0.5, 1, 2, 5, 10, 30, 60, 300, 1e9) if end / step <= 10)
        second = 0.0
        while second <= end:
            label = f"{second:g}s"
            if at(second) + len(label) <= room:
                marks[at(second) : at(second) + len(label)] = label
            second += scale
        self.line(f"              {self.paint(''.join(marks).rstrip(), 'dim')}")
        legend = "· starting   █ importing   ░ waiting for publish   ✗ killed   ✓ done"
        self.line(f"              {self.paint(legend, 'dim')}")

    def _encodable(self, text: str) -> str:
        if self.unicode:
            return text
        plain = text.translate(str.maketrans({"█": "#", "░": "-", "·": ".", "✗": "X", "✓": "v", "—": "-", "→": ">"}))
        return plain.encode("ascii", "replace").decode()
