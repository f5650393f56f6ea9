"""Build, try and choose the variants of a version for one runtime.

Start at `build`, then `choose` and `trial`. Graphs are rewritten in `model_sync.graphs`.
"""
