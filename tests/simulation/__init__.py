"""Random workflows and random clients on a virtual clock: what must hold of every run, whatever happens around it."""
