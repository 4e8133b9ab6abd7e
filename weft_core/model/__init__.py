"""What a user declares: the app, its workflows, resumable helpers and activities, retry policies and durations.

Declarations are checked when the decorator runs; nothing in here runs a workflow or touches a store.
"""
