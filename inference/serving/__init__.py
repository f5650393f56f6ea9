"""Decide which version answers, keep versions warm, swap and evict them.

Start at `manager`; the decisions are in `policy`, `quarantine`, `mapped_files` and
`recycling_policy`. No HTTP here, and no reading of model bytes (`inference.loading`).
"""
