"""Promises of the resumable compiler that can be said in one small program each."""
