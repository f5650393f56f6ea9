"""Process-level building blocks: threads, calls with a deadline, clocks, memory.

Start at `deadline_calls` and `memory`. No models, no store, no HTTP.
"""
