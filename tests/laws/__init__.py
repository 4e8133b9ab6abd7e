"""The laws of resumable functions, tried on random programs."""
