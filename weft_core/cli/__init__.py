"""The `weft` command."""

from __future__ import annotations


def main() -> int:
    """The console script's entry."""
    raise SystemExit("weft: the command line is not there yet")
