"""Crashes and failures at every call: exhaustive exploration on a virtual clock, and real processes killed for real."""
