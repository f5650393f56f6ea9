"""Decide which version answers, keep versions warm, swap and evict them.

Start at `manager`. Decisions are pure functions in `policy`, `quarantine`, `mapped_files`,
`recycling_policy` and `traffic`. State has one owner each: `warm_models` (and the one lock),
`refs_watch`, `pinned_sets`, `memory_ledger`. No HTTP here, and no reading of model bytes
(`inference.loading`).
"""
